//! `promenade operator-key` and `promenade sign`: what an operator signs a device can check.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::SignedOrder;
use serde_json::{Value, json};
use store::Clock;

use crate::world::{Said, World};

const DEVICE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Runs a command that needs no data directory.
fn run(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promenade"));
    Said::of(command.args(arguments).env_clear().stdin(Stdio::null()))
}

#[test]
fn what_an_operator_signs_can_be_checked() {
    let world = World::new();
    let key = world.path("operator.pem");
    let file = key.to_str().expect("a path");
    let made = run(&["operator-key", file]);
    assert!(made.succeeded, "{made:?}");
    let public = made.out.trim().to_owned();
    let bytes = URL_SAFE_NO_PAD.decode(&public).expect("base64url");
    assert_eq!(bytes.len(), 32);
    assert_eq!(std::fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);

    let sign = |args: &str| {
        let signed = run(&[
            "sign",
            "--key",
            file,
            "--device",
            DEVICE,
            "--name",
            "on_off.set",
            "--args",
            args,
            "--ttl",
            "60s",
        ]);
        assert!(signed.succeeded, "{signed:?}");
        signed.out.trim().to_owned()
    };
    let before = Clock::System.now();
    let jws = sign("{\"on\": true}");
    let (message, signature) = jws.rsplit_once('.').expect("a signature");
    let (header, payload) = message.split_once('.').expect("a header and a payload");
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let signature = decoded(signature);
    let is_signed = known
        .all
        .iter()
        .any(|algorithm| algorithm.verify_signature(&bytes, message.as_bytes(), &signature).is_ok());
    assert!(is_signed, "the key signed it");
    let header: Value = serde_json::from_slice(&decoded(header)).expect("JSON");
    assert_eq!(header, json!({"alg": "EdDSA", "typ": SignedOrder::TYPE, "kid": public}));
    let order: SignedOrder = serde_json::from_slice(&decoded(payload)).expect("an order");
    assert_eq!((order.device.to_string().as_str(), order.name.as_str()), (DEVICE, "on_off.set"));
    assert_eq!(order.args, json!({"on": true}));
    assert!(order.deadline >= before.plus(60_000) && order.deadline <= Clock::System.now().plus(60_000));
    assert!(order.has_nonce());
    assert_ne!(sign("{\"on\": true}"), jws, "each has a nonce of its own");
    assert!(!world.store_is_there(), "no database is needed for it");
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let world = World::new();
    let key = world.path("operator.pem");
    let file = key.to_str().expect("a path");
    assert!(run(&["operator-key", file]).succeeded);
    let read = || std::fs::read(&key).expect("there");
    let first = read();
    let again = run(&["operator-key", file]);
    assert!(!again.succeeded && again.err.contains("cannot be made"), "{again:?}");
    assert_eq!(read(), first);
    let other = world.path("other.pem");
    std::fs::write(&other, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        .expect("written");
    let other = other.to_str().expect("a path");
    for wrong in [
        ["--key", other, "--device", DEVICE, "--args", "{}"],
        ["--key", "/nowhere", "--device", DEVICE, "--args", "{}"],
        ["--key", file, "--device", "lamp", "--args", "{}"],
        ["--key", file, "--device", DEVICE, "--args", "[1]"],
        ["--key", file, "--device", DEVICE, "--args", "on"],
        ["--key", file, "--device", DEVICE, "--ttl", "8d"],
    ] {
        let arguments: Vec<&str> = ["sign", "--name", "identify"].into_iter().chain(wrong).collect();
        assert!(!run(&arguments).succeeded, "{wrong:?}");
    }
}
