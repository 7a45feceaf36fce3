//! The agent renews the certificate that it signs in with, over a real Mosquitto that knows it by nothing else, and a
//! platform of the test's own that signs or does not.

#[path = "tls/authority.rs"]
mod authority;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[path = "renewal/registrar.rs"]
mod registrar;

mod world {
    use std::time::Duration;

    /// What is awaited, which must come before long.
    pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
    }
}

use std::path::PathBuf;

use device_agent::check::{Finding, Verdict};
use device_agent::identity::{Credentials, Draft, IdentityFile, Pair, Validity};
use device_agent::{AgentError, Clock, Config, Summary};
use protocol::{DeviceId, Renewal, RenewalRefusal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use authority::{Authority, CERTIFIED};
use mosquitto::Mosquitto;
use registrar::Registrar;

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const DAY_S: i64 = 24 * 3_600;

/// A device whose certificate is to be renewed, and the platform.
struct World {
    authority: Authority,
    broker: Mosquitto,
    registrar: Registrar,
    agent: Option<(JoinHandle<Result<Summary, AgentError>>, CancellationToken)>,
}

impl World {
    /// The agent at work, nine of ten days after its certificate was made.
    async fn start() -> Self {
        let mut world = Self::with_days(-9, 1).await;
        world.start_agent();
        world
    }

    /// A certificate from and to so many days from now, and no agent yet.
    async fn with_days(from: i64, to: i64) -> Self {
        let authority = Authority::new();
        let broker = authority.broker(&[], CERTIFIED).await;
        authority.issue("platform", &[]);
        let registrar = Registrar::join(broker.port, &authority, device()).await;
        let world = Self { authority, broker, registrar, agent: None };
        let draft = Draft::new().expect("a key");
        let csr = draft.request().expect("a request");
        let certificate = world.authority.sign(&csr, DEVICE, from * DAY_S, to * DAY_S);
        let pair = draft.signed(&certificate, &world.authority.pem()).expect("a certificate");
        let file = world.file();
        file.prepare(false).expect("a directory");
        file.create(device(), Credentials::Certificate(pair)).expect("an identity");
        world
    }

    fn start_agent(&mut self) {
        let config = Config::parse(&self.config(), []).expect("a configuration");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(device_agent::run(config, Clock::system(), 1, shutdown.clone()));
        self.agent = Some((task, shutdown));
    }

    /// Its clock counts for nothing where commands are concerned, and for its certificate all the same.
    fn config(&self) -> String {
        format!(
            "[link]\nhost = \"localhost\"\nport = {}\ntls = true\nbackoff_min_ms = 1\nbackoff_max_ms = 20\n\
             [scanner]\nkind = \"simulated\"\n[commands]\nclock = \"unset\"\n[spool]\ndir = \"{}\"\n",
            self.broker.port,
            self.spool().display()
        )
    }

    /// What `check` says of the certificate.
    async fn check(&self) -> Finding {
        let path = self.authority.file("agent.toml");
        std::fs::write(&path, self.config()).expect("a configuration");
        let findings = device_agent::check::check(&path, vec![], &Clock::system()).await;
        findings.into_iter().find(|finding| finding.subject == "certificate").expect("a certificate")
    }

    async fn stop_agent(&mut self) -> Summary {
        let (task, shutdown) = self.agent.take().expect("an agent");
        shutdown.cancel();
        world::within(task).await.expect("no panic").expect("an agent that works")
    }

    fn spool(&self) -> PathBuf {
        self.authority.file("spool")
    }

    fn file(&self) -> IdentityFile {
        IdentityFile::new(self.spool().join("identity.json"))
    }

    /// The certificates that the device has.
    fn certificates(&self) -> Vec<Pair> {
        let text = std::fs::read_to_string(self.file().path()).expect("an identity");
        let mut identity: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        serde_json::from_value(identity["certificates"].take()).expect("certificates")
    }

    /// The platform signs a request, for this long.
    fn signed(by: &Authority, csr: &str, to_s: i64) -> Renewal {
        let certificate = by.sign(csr, DEVICE, -60, to_s);
        let not_after = Validity::of(&certificate).expect("a certificate").not_after;
        Renewal::Signed { certificate, authority: by.pem(), not_after }
    }
}

fn device() -> DeviceId {
    DEVICE.parse().expect("an id")
}

#[tokio::test]
async fn the_next_certificate_signs_in_and_takes_the_place_of_the_one_before() {
    let mut world = World::start().await;
    let before = world.certificates();
    let part = world.registrar.reported().await;
    let first = Validity::of(&before[0].certificate).expect("a certificate").not_after;
    assert_eq!(part, serde_json::json!({"not_after": first, "renewal": "ok"}));

    let csr = world.registrar.request().await;
    let answer = World::signed(&world.authority, &csr, 30 * DAY_S);
    world.registrar.answer(&answer).await;
    let Renewal::Signed { certificate, not_after, .. } = answer else { unreachable!() };
    let part = world.registrar.reported_until(|part| part["not_after"] != serde_json::json!(first)).await;
    assert_eq!(part, serde_json::json!({"not_after": not_after, "renewal": "ok"}));
    let after = world.certificates();
    assert_eq!(after.len(), 1);
    assert!(after[0].certificate == certificate && after[0].key != before[0].key);
    assert_eq!(world.stop_agent().await.link.connected, 2);

    world.start_agent();
    let part = world.registrar.reported().await;
    assert_eq!(part["not_after"], serde_json::json!(not_after), "and after a restart");
    assert_eq!(world.stop_agent().await.link.connected, 1);
}

#[tokio::test]
async fn a_refusal_is_reported_and_changes_nothing() {
    let mut world = World::start().await;
    let before = world.certificates();
    world.registrar.request().await;
    world.registrar.answer(&Renewal::Refused { refused: RenewalRefusal::NoAuthority }).await;
    world.registrar.reported_until(|part| part["renewal"] == "refused:no_authority").await;
    assert_eq!(world.certificates(), before);
    assert_eq!(world.stop_agent().await.link.connected, 1);
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_taken() {
    let mut world = World::start().await;
    let before = world.certificates();
    world.registrar.request().await;
    let another = Draft::new().and_then(|draft| draft.request()).expect("a request");
    let answer = World::signed(&world.authority, &another, 30 * DAY_S);
    world.registrar.answer(&answer).await;
    world.registrar.reported_until(|part| part["renewal"] == "failed:wrong_key").await;
    assert_eq!(world.certificates(), before);
    assert_eq!(world.stop_agent().await.link.connected, 1);
}

#[tokio::test]
async fn a_certificate_that_does_not_sign_in_is_given_up_for_the_one_before() {
    let mut world = World::start().await;
    let before = world.certificates();
    let csr = world.registrar.request().await;
    let answer = World::signed(&Authority::new(), &csr, 30 * DAY_S);
    world.registrar.answer(&answer).await;
    world.registrar.reported_until(|part| part["renewal"] == "failed:sign_in").await;
    assert_eq!(world.certificates(), before);
    assert_eq!(world.stop_agent().await.link.connected, 2, "with the one before, both times");
}

#[tokio::test]
async fn check_says_how_long_a_certificate_is_good() {
    for (from, to, verdict, words) in [
        (-1, 30, Verdict::Good, "it is good for 29 days, and renewed before"),
        (
            -30,
            -2,
            Verdict::Wrong,
            "it is over since 2 days: let the device in anew with `promenade-agent enrol --replace`",
        ),
    ] {
        let finding = World::with_days(from, to).await.check().await;
        assert_eq!((finding.verdict, finding.words.as_str()), (verdict, words));
    }
}
