//! The patterns count what a broker does with their connections and messages.

use crate::broker::{Manners, start};
use clap::Parser;
use firmware_sim::load::{Held, LoadError, Pattern, PatternResult};
use tokio::join;

#[derive(Debug, Parser)]
struct Words {
    #[command(subcommand)]
    pattern: Pattern,
}

/// The pattern of a command line.
pub(crate) fn parse(address: &str, words: &str) -> Pattern {
    let words = ["load"].into_iter().chain(words.split(' ')).chain(["--mqtt", address]);
    Words::try_parse_from(words).unwrap().pattern
}

pub(crate) async fn run(address: &str, words: &str) -> Result<(PatternResult, Held), LoadError> {
    parse(address, words).run().await
}

#[tokio::test]
async fn what_is_delivered_is_counted_and_nothing_is_lost() {
    for words in [
        "fan-in --publishers 5 --window 8 --seconds 0.2",
        "fan-out --subscribers 20 --window 4 --seconds 0.2 --qos 0",
        "fan-out --subscribers 20 --window 1 --seconds 0.2 --qos 1",
        "steady --publishers 10 --rate 1000 --seconds 0.2 --qos 0",
        "steady --publishers 10 --rate 1000 --seconds 0.2 --qos 1",
        "flood --publishers 5 --rate 1000 --seconds 0.2",
        "flood --publishers 5 --bytes 1000 --seconds 0.1",
        "echo --devices 20 --rate 500 --seconds 0.2",
        "echo --devices 3 --rate 100 --seconds 0.1 --sources 3",
    ] {
        let (address, taken) = start(Manners::default()).await;
        let (result, _) = run(&address, words).await.unwrap();
        let published: usize = taken.lock().unwrap().bodies.values().map(Vec::len).sum();
        let deliveries = match words.split(' ').next() {
            Some("fan-out") => published * 20,
            // A request and its answer.
            Some("echo") => published / 2,
            _ => published,
        };
        assert!(published > 0, "{words}");
        assert_eq!(result.total, deliveries as u64, "{words}");
        assert_eq!((result.lost, result.again), (0, 0), "{words}");
        assert!(result.p50_us <= result.p99_us && result.p99_us <= result.max_us, "{words}: {result:?}");
    }
}

#[tokio::test]
async fn a_steady_load_writes_what_its_rate_says() {
    let (address, _) = start(Manners::default()).await;
    let (result, _) = run(&address, "steady --publishers 10 --rate 1000 --seconds 0.25").await.unwrap();
    assert_eq!((result.total, result.behind_p99_us.is_some()), (250, true));
}

#[tokio::test]
async fn what_a_broker_loses_is_told() {
    let some = async |words: &str| {
        let (address, taken) = start(Manners { lose_every: 10, ..Manners::default() }).await;
        let (result, _) = run(&address, words).await.unwrap();
        let published: usize = taken.lock().unwrap().bodies.values().map(Vec::len).sum();
        assert_eq!(result.lost, published as u64 / 10, "{words}");
        assert_eq!(result.total + result.lost, published as u64, "{words}");
    };
    let all = async || {
        let (address, _) = start(Manners { lose_every: 1, ..Manners::default() }).await;
        let (result, _) = run(&address, "fan-out --subscribers 3 --window 1 --seconds 5").await.unwrap();
        assert_eq!((result.total, result.lost), (0, 3));
    };
    // Together, because each waits for what does not come.
    join!(
        some("fan-in --publishers 2 --window 4 --seconds 0.1"),
        some("steady --publishers 10 --rate 1000 --seconds 0.1"),
        some("flood --publishers 2 --rate 1000 --seconds 0.1"),
        all(),
    );
}

#[tokio::test]
async fn connections_are_opened_counted_and_held() {
    let (address, taken) = start(Manners::default()).await;
    let (result, _held) = run(&address, "idle --connections 100").await.unwrap();
    assert_eq!((result.total, taken.lock().unwrap().sign_ins.len()), (100, 100));
    let (result, _) = run(&address, "connects --workers 5 --seconds 0.1").await.unwrap();
    assert!(result.total > 0 && result.p50_us > 0, "{result:?}");
    assert_eq!(taken.lock().unwrap().sign_ins.len() as u64, 100 + result.total);
}

#[tokio::test]
async fn a_broker_that_lets_nobody_in_is_told() {
    let (address, _) = start(Manners { connack: 5, ..Manners::default() }).await;
    for words in ["idle", "connects", "fan-in", "fan-out", "steady", "flood", "echo"] {
        let error = run(&address, words).await.unwrap_err();
        assert!(
            matches!(&error, LoadError::Unexpected(what) if what.contains("CONNACK")),
            "{words}: {error}"
        );
    }
}
