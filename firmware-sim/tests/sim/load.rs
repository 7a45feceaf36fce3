//! The load generator sends what it says it sends, and counts what comes back.

use crate::broker::{Manners, start};
use firmware_sim::Credentials;
use firmware_sim::load::{self, Encoding, LoadError, LoadPlan};
use protocol::{Batch, Timestamp, Topic};
use std::collections::HashSet;
use std::time::Duration;

fn plan(mqtt: String, encoding: Encoding, pings: usize) -> LoadPlan {
    LoadPlan {
        mqtt,
        connections: 3,
        pings,
        encoding,
        window: 16,
        subjects: 40,
        time: Duration::from_mins(1),
        batches: Some(500),
        start: Timestamp(1_790_000_000_000),
        seed: 1,
    }
}

fn devices() -> Vec<Credentials> {
    let device = |number: u32| Credentials {
        device: format!("01890000-0000-7000-8000-{number:012x}").parse().unwrap(),
        secret: "secret".to_owned(),
    };
    (0..3).map(device).collect()
}

#[tokio::test]
async fn every_batch_is_different_valid_and_counted() {
    for (encoding, pings) in [(Encoding::Json, 1), (Encoding::Cbor, 10), (Encoding::Json, 50)] {
        let (address, taken) = start(Manners::default()).await;
        let result = load::run(&plan(address, encoding, pings), &devices()).await.unwrap();
        assert_eq!((result.batches, result.pings), (500, 500 * pings as u64));
        assert!(result.p50_us <= result.p99_us && result.p99_us <= result.max_us && result.p50_us > 0);
        let taken = taken.lock().unwrap();
        let (mut total, mut subjects) = (0, HashSet::new());
        for credentials in devices() {
            let bodies = &taken.bodies[&Topic::Pings(credentials.device).to_string()];
            let mut numbers = HashSet::new();
            for body in bodies {
                assert_eq!(body.len(), result.batch_bytes);
                let decoded = Batch::decode(body, None).unwrap();
                assert!(decoded.refused.is_empty() && decoded.batch.pings.len() == pings);
                assert!(numbers.insert((decoded.batch.boot, decoded.batch.seq)), "a number came twice");
                subjects.extend(decoded.batch.pings.iter().map(|ping| ping.id.clone()));
            }
            total += numbers.len();
        }
        assert_eq!((total, subjects.len()), (500, 40));
    }
}

#[tokio::test]
async fn a_plain_topic_is_counted_on_both_sides() {
    let (address, taken) = start(Manners::default()).await;
    let result = load::relay(&plan(address, Encoding::Json, 10), "load/plain").await.unwrap();
    assert_eq!((result.published.batches, result.delivered), (500, 500));
    assert_eq!(taken.lock().unwrap().bodies["load/plain"].len(), 500);
}

#[tokio::test]
async fn a_refused_sign_in_is_told() {
    let (address, _) = start(Manners { connack: 5, ..Manners::default() }).await;
    let error = load::run(&plan(address, Encoding::Json, 1), &devices()).await.unwrap_err();
    assert!(matches!(&error, LoadError::Unexpected(what) if what.contains("CONNACK Some(5)")), "{error}");
}
