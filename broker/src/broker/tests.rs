//! What becomes of the broker when a part of it dies.

use prometheus_client::registry::Registry as Counters;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Whoever starts the program again finds every session.
#[tokio::test]
async fn without_its_bus_the_broker_ends_and_keeps_the_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("broker.db").display());
    let store = Store::open(&url).await.expect("a store");
    let mut config = Config::default();
    config.anonymous.subscribe = vec!["#".into()];
    let live = Live::memory();
    let (orders, _writing) = Orders::start(store.clone(), live.clone(), Clock::System);
    let parts = Parts {
        tokens: Tokens::none(),
        certifier: Certifier::none(),
        beacon_keys: BeaconKeys::none(),
        pseudonym_keys: PseudonymKeys::open_to_all(),
        config,
        store: store.clone(),
        live,
        orders,
        clock: Clock::System,
        metrics: Metrics::register(&mut Counters::default()),
        presence: String::new(),
        tls: None,
    };
    let broker = Broker::open(parts).await.expect("it opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let late = CancellationToken::new();
    let (loops, threads) = EventLoops::start(1).expect("a thread");
    let bus = Bus::start(&loops, &Clock::System, &late).expect("a bus");
    let machinery = Machinery { loops, threads: &threads, bus: Arc::clone(&bus), late };
    let listeners = Listeners { mqtt: Some(listener), ..Listeners::default() };
    let client = async {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        // A CONNECT of 3.1.1 that wants its session kept, then a SUBSCRIBE.
        client.write_all(b"\x10\x0d\0\x04MQTT\x04\0\0\0\0\x01c").await.expect("sent");
        client.write_all(b"\x82\x06\0\x01\0\x01a\x01").await.expect("sent");
        let mut answers = [0; 9];
        client.read_exact(&mut answers).await.expect("both answers");
        assert_eq!(answers, *b"\x20\x02\0\0\x90\x03\0\x01\x01");
        bus.kill_router();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    };
    let run = broker.run_on(machinery, listeners, CancellationToken::new());
    let (ended, ()) = timeout(PATIENCE, async { tokio::join!(run, client) }).await.expect("in time");
    assert!(matches!(ended, Err(BrokerError::Ended("the bus"))), "{ended:?}");
    let saved = store.load_sessions().await.expect("the sessions");
    assert_eq!(saved.sessions.len(), 1);
    assert_eq!(saved.subscriptions.len(), 1);
}
