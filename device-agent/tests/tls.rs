//! Signing in over TLS to a real Mosquitto: whom the agent believes, and what it is believed for.

#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;

#[expect(dead_code, reason = "shared with the tests of renewal, which use all of it")]
#[path = "tls/authority.rs"]
mod authority;

mod world {
    use std::time::Duration;

    /// What is awaited, which must come before long.
    pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
    }
}

use std::path::Path;

use device_agent::config::{LinkConfig, Secret};
use device_agent::identity::Identity;
use device_agent::link::{TlsError, TrialError, client_config, try_sign_in};
use device_agent::{Clock, Config};
use tokio_util::sync::CancellationToken;

use authority::{Authority, CERTIFIED};

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const SECRET: &str = "dk_devicesecret";

fn device(secret: Option<&str>) -> Identity {
    Identity { device: DEVICE.parse().expect("an id"), secret: secret.map(Secret::new), keyring: None }
}

fn link(port: u16, ca: &Path) -> LinkConfig {
    LinkConfig { host: "localhost".into(), port, tls: true, ca: Some(ca.to_owned()), ..LinkConfig::default() }
}

#[tokio::test]
async fn only_the_platform_is_believed_to_be_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let broker = authority.broker(&[(DEVICE, SECRET)], "").await;
    let right = link(broker.port, &authority.file("ca.pem"));
    try_sign_in(&device(Some(SECRET)), &right).await.expect("a platform that lets it in");

    let refused = try_sign_in(&device(Some("dk_wrong")), &right).await;
    assert!(matches!(refused, Err(TrialError::Refused(_))), "{refused:?}");
    let stranger = try_sign_in(&device(Some(SECRET)), &link(broker.port, &other.file("ca.pem"))).await;
    assert!(matches!(&stranger, Err(TrialError::Tls(why)) if why.contains("certificate")), "{stranger:?}");
    let elsewhere = LinkConfig { host: "127.0.0.1".into(), ..right.clone() };
    let elsewhere = try_sign_in(&device(Some(SECRET)), &elsewhere).await;
    assert!(matches!(elsewhere, Err(TrialError::Tls(_))), "another name: {elsewhere:?}");
    let plain = LinkConfig { tls: false, ca: None, ..right };
    let plain = try_sign_in(&device(Some(SECRET)), &plain).await;
    assert!(plain.is_err(), "nothing is said without TLS where it is spoken");
}

#[tokio::test]
async fn a_certificate_signs_in_without_a_secret() {
    let authority = Authority::new();
    let broker = authority.broker(&[], CERTIFIED).await;
    authority.issue(DEVICE, &[]);
    let without = link(broker.port, &authority.file("ca.pem"));
    let with = LinkConfig {
        certificate: Some(authority.file(&format!("{DEVICE}.pem"))),
        key: Some(authority.file(&format!("{DEVICE}.key"))),
        ..without.clone()
    };
    try_sign_in(&device(None), &with).await.expect("a platform that lets it in");
    let nobody = try_sign_in(&device(Some(SECRET)), &without).await;
    assert!(nobody.is_err(), "{nobody:?}");
}

#[tokio::test]
async fn the_agent_itself_speaks_tls() {
    let authority = Authority::new();
    let broker = authority.broker(&[(DEVICE, SECRET)], "").await;
    let text = format!(
        "[device]\nid = \"{DEVICE}\"\nsecret = \"{SECRET}\"\n[link]\nhost = \"localhost\"\nport = {}\ntls = true\n\
         ca = \"{}\"\n[scanner]\nkind = \"simulated\"\n[spool]\ndir = \"{}\"\n",
        broker.port,
        authority.file("ca.pem").display(),
        authority.file("spool").display()
    );
    let config = Config::parse(&text, []).expect("a configuration");
    let shutdown = CancellationToken::new();
    let agent = tokio::spawn(device_agent::run(config, Clock::system(), 1, shutdown.clone()));
    broker.logged(&format!("as {DEVICE}"), 1).await;
    shutdown.cancel();
    world::within(agent).await.expect("no panic").expect("an agent that works");
}

#[test]
fn files_that_do_not_do_are_named() {
    let authority = Authority::new();
    authority.issue("device", &[]);
    let wrong = |change: &dyn Fn(&mut LinkConfig)| {
        let mut link = link(8_883, &authority.file("ca.pem"));
        change(&mut link);
        client_config(&link, None).expect_err("something wrong").to_string()
    };
    let missing = wrong(&|link| link.ca = Some("/nowhere.pem".into()));
    assert!(missing.starts_with("/nowhere.pem: "), "{missing}");
    let key_for_ca = wrong(&|link| link.ca = Some(authority.file("device.key")));
    assert!(key_for_ca.contains("there is no certificate in it"), "{key_for_ca}");
    let swapped = wrong(&|link| {
        link.certificate = Some(authority.file("device.pem"));
        link.key = Some(authority.file("device.pem"));
    });
    assert!(swapped.contains("device.pem"), "{swapped}");
    let link = LinkConfig { tls: false, ..LinkConfig::default() };
    assert!(matches!(client_config(&link, None), Ok::<_, TlsError>(None)));
}
