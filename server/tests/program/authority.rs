//! `promenade ca init`, and what its certificates are good for.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use api::authority::Authority;
use reqwest::Client;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use store::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::{Server, World};

const DAY_MS: i64 = 86_400_000;
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn an_authority_is_made_once() {
    let world = World::new();
    let made = world.run(&["ca", "init", "--name", "Shop"]);
    assert!(made.succeeded && made.out.contains("`Shop`"), "{made:?}");
    let key = std::fs::metadata(world.path("ca/authority.key")).expect("there").permissions();
    assert_eq!(key.mode() & 0o777, 0o600);
    let read = || std::fs::read(world.path("ca/authority.pem")).expect("there");
    let first = read();
    assert!(!world.path("ca/server.pem").exists());

    let again = world.run(&["ca", "init"]);
    assert!(!again.succeeded && again.err.contains("already"), "{again:?}");
    let server = world.run(&["ca", "init", "--server", "mqtt.example.org", "10.0.0.1"]);
    assert!(server.succeeded && server.out.contains("mqtt.example.org, 10.0.0.1"), "{server:?}");
    let server = world.run(&["ca", "init", "--server", "mqtt.example.org"]);
    assert!(!server.succeeded && server.err.contains("server.pem exists already"), "{server:?}");
    assert_eq!(read(), first, "the authority is still the first");
    assert!(!world.store_is_there(), "no database is needed for it");
    for wrong in [["--server", "10.0.0.1:8883"], ["--name", ""]] {
        assert!(!world.run(&["ca", "init", wrong[0], wrong[1]]).succeeded, "{wrong:?}");
    }
}

#[test]
fn the_doctor_tells_how_long_the_certificate_is_good() {
    let now = Clock::System.now();
    for (made_at, wanted) in [
        (now, "ok     TLS has the certificate"),
        (now.minus(815 * DAY_MS), "note   TLS has the certificate"),
        (now.minus(830 * DAY_MS), "WRONG  the TLS certificate"),
    ] {
        let world = World::new();
        let folder = world.path("ca");
        let authority = Authority::init(&folder, "Shop", made_at).expect("made");
        authority.make_server(&folder, &["localhost".parse().expect("a name")], made_at).expect("made");
        let doctor = world.command(&["doctor"]).env("PROMENADE_LISTEN__MQTTS", "127.0.0.1:0").output();
        let said = String::from_utf8(doctor.expect("it runs").stdout).expect("text");
        assert!(said.lines().any(|line| line.starts_with(wanted)), "{wanted}: {said}");
    }
}

#[tokio::test]
async fn a_device_signs_in_with_what_it_was_issued_until_it_is_revoked() {
    let world = World::new();
    let made = world.run(&["ca", "init", "--server", "localhost"]);
    assert!(made.succeeded, "{made:?}");
    let (device, key) = world.register().await;
    let server = world.serve(&["--mqtt", "off", "--mqtts", "127.0.0.1:0"]);
    let path = format!("http://{}/api/v1/devices/{device}", server.at("http"));
    let client = Client::new();
    let request = client.post(format!("{path}/credentials")).bearer_auth(&key);
    let issued: Value =
        request.json(&json!({"kind": "certificate"})).send().await.expect("sent").json().await.expect("JSON");
    assert_eq!(issued["authority"], std::fs::read_to_string(world.path("ca/authority.pem")).expect("there"));

    let mut connection = connect(&server, &issued).await;
    let mut answer = [0; 4];
    let read = tokio::time::timeout(PATIENCE, connection.read_exact(&mut answer)).await;
    read.expect("in time").expect("an answer");
    assert_eq!(answer, [0x20, 2, 0, 0], "let in");
    let revoked = format!("{path}/certificates/{}", issued["fingerprint"].as_str().expect("told"));
    let revoked = client.delete(revoked).bearer_auth(&key).send().await.expect("sent");
    assert_eq!(revoked.status(), 204);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "its connection ends at once");

    let mut connection = connect(&server, &issued).await;
    let read = tokio::time::timeout(PATIENCE, connection.read_exact(&mut answer)).await;
    read.expect("in time").expect("an answer");
    assert_eq!(answer, [0x20, 2, 0, 5], "not authorized any more");
}

/// Connects with TLS and sends a CONNECT of version 3.1.1 without a name and a password.
async fn connect(server: &Server, issued: &Value) -> TlsStream<TcpStream> {
    let text = |name: &str| issued[name].as_str().expect("told").as_bytes();
    let certificate = |name: &str| CertificateDer::from_pem_slice(text(name)).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority")).expect("an authority");
    let key = PrivateKeyDer::from_pem_slice(text("key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate("certificate")], key)
        .expect("they go together");
    let socket = TcpStream::connect(server.at("mqtts")).await.expect("it listens");
    let name = "localhost".try_into().expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("trusted");
    let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gw-1";
    stream.write_all(connect).await.expect("sent");
    stream
}
