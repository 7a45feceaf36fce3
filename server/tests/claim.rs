//! A server that loses its database to another one. `PostgreSQL` alone has two servers on one database.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use protocol::Timestamp;
use server::{Config, Listeners, Service};
use store::{Clock, Store, StoreError, Tenure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Far more than any of it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// CONNECT of MQTT 3.1.1 (section 3.1) as client `c`, which does not sign in and keeps its session.
const CONNECT: [u8; 15] = *b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x00\x00\x01c";

/// CONNACK (section 3.2): a new session, accepted.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn server() -> String {
    let Ok(server) = std::env::var("PROMENADE_TEST_POSTGRES") else {
        panic!(
            "PROMENADE_TEST_POSTGRES names no PostgreSQL server: run `cargo xtask test`, which starts one"
        );
    };
    server
}

fn execute(url: &str, statement: &str) {
    let status = Command::new("psql").args([url, "-q", "-o", "/dev/null", "-c", statement]).status();
    assert!(status.expect("psql runs").success(), "{statement}");
}

/// A database that goes with this value.
struct Database {
    name: String,
    /// What is beside it.
    folder: tempfile::TempDir,
    url: String,
}

impl Database {
    fn create(name: &str) -> Self {
        let (server, name) = (server(), format!("server_{name}_{}", std::process::id()));
        execute(&server, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let (base, _) = server.rsplit_once('/').expect("a URL that ends in /DATABASE");
        let folder = tempfile::tempdir().expect("a folder");
        Self { url: format!("{base}/{name}"), name, folder }
    }

    /// Ends the session that holds the claim.
    fn end_claim(&self) {
        // `SERVER_LOCK` of the store, of which this is the lower half.
        let held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND objid::BIGINT = x'656e0002'::BIGINT
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        execute(&self.url, held);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&server(), &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

async fn serve(database: &Database) -> (Service, Listeners) {
    let mut config = Config::default();
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.mqtt = "127.0.0.1:0".parse().expect("an address");
    config.mqtt.anonymous.publish = vec!["a".into()];
    config.data = database.folder.path().to_owned();
    let listeners = Listeners::bind(&config).await.expect("free ports");
    let http = listeners.http.local_addr().expect("an address");
    let service = Service::open(&config, &database.url, Clock::System, http).await.expect("it opens");
    (service, listeners)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_database_to_another_writes_nothing_more() {
    let database = Database::create("lost");
    let other = Store::open(&database.url).await.expect("it opens");
    let (service, listeners) = serve(&database).await;
    let mqtt = listeners.mqtt.mqtt.as_ref().expect("on").local_addr().expect("an address");
    let running = tokio::spawn(service.run(listeners, CancellationToken::new()));
    let (mut client, before) = connect(mqtt, &other).await;

    let mut tenure = Tenure::default();
    let claim = loop {
        database.end_claim();
        match other.claim(&mut tenure).await {
            Ok(claim) => break claim,
            // The server claimed it again before us.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let stopped = timeout(PATIENCE, running).await.expect("it stops").expect("without a panic");
    let error = format!("{:#}", stopped.expect_err("it says why"));
    assert!(error.contains("another promenade has taken this database"), "{error}");
    // Its last words would be when the session of the client that it lost expires.
    assert_eq!(client.read(&mut [0; 4]).await.unwrap_or_default(), 0, "the client was left");
    assert_eq!(saved(&other).await, before);
    claim.release().await.expect("given back");
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_gives_the_claim_back_and_has_said_everything() {
    let database = Database::create("stopped");
    let store = Store::open(&database.url).await.expect("it opens");
    let (service, listeners) = serve(&database).await;
    let mqtt = listeners.mqtt.mqtt.as_ref().expect("on").local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(listeners, shutdown.clone()));
    let (_client, before) = connect(mqtt, &store).await;
    shutdown.cancel();
    running.await.expect("without a panic").expect("in order");
    // This is what the other test waits for in vain.
    assert_ne!(saved(&store).await, before);
    store.claim(&mut Tenure::default()).await.expect("it is free").release().await.expect("given back");
    store.close().await;
}

/// Connects a client and waits until its session is saved.
async fn connect(address: SocketAddr, store: &Store) -> (TcpStream, Vec<Option<Timestamp>>) {
    let mut client = TcpStream::connect(address).await.expect("it listens");
    client.write_all(&CONNECT).await.expect("sent");
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(answer, CONNACK);
    let written = async {
        loop {
            let sessions = saved(store).await;
            if !sessions.is_empty() {
                break sessions;
            }
        }
    };
    let sessions = timeout(PATIENCE, written).await.expect("it is saved");
    assert_eq!(sessions, [None], "it does not expire while its client is there");
    (client, sessions)
}

/// When the saved sessions expire.
async fn saved(store: &Store) -> Vec<Option<Timestamp>> {
    let state = store.load_sessions().await.expect("read");
    state.sessions.iter().map(|session| session.expires_at).collect()
}
