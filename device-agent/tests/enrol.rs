//! Coming in, by the real program and a platform of the test's own that answers what it is told to: every answer that is
//! documented, and what is on the disk afterwards.

#[path = "enrol/platform.rs"]
mod platform;

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use device_agent::Config;
use device_agent::spool::Spool;
use protocol::{Ping, Timestamp};
use rcgen::{CertificateSigningRequestParams, PublicKeyData as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use platform::{Answer, Platform};

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const CLAIM_KEY: &str = "ck_claimkeyofthefleet";

/// What a device waits with; the first poll comes at once, the others a second apart.
fn codes() -> Answer {
    Answer::ok(json!({
        "device_code": "ec_devicecode", "user_code": "BCDF-GHJK", "verification_uri": "https://id.example.org/enrol",
        "verification_uri_complete": "https://id.example.org/enrol?user_code=BCDF-GHJK", "expires_in": 600, "interval": 1,
    }))
}

fn secret() -> Answer {
    Answer::ok(json!({"device": DEVICE, "secret": "dk_devicesecret"}))
}

fn problem(status: u16, slug: &str) -> Answer {
    let kind = format!("/api/problems/{slug}");
    Answer::of(
        status,
        json!({"type": kind, "title": slug, "status": status, "detail": format!("because of {slug}")}),
    )
}

/// A directory for one device.
struct Device {
    dir: TempDir,
}

impl Device {
    fn new() -> Self {
        let device = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        let spool = device.dir.path().join("spool");
        let text = format!("scanner.kind = \"simulated\"\nspool.dir = \"{}\"\n", spool.display());
        std::fs::write(device.file("agent.toml"), text).expect("a configuration");
        device
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn identity(&self) -> Option<Value> {
        let bytes = std::fs::read(self.file("spool/identity.json")).ok()?;
        Some(serde_json::from_slice(&bytes).expect("JSON"))
    }

    fn enrol(&self, platform: &Platform, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promenade-agent"));
        command
            .arg("enrol")
            .arg("--config")
            .arg(self.file("agent.toml"))
            .arg("--server")
            .arg(&platform.address);
        command.args(["--serial", "SN-4711"]).args(more).stdin(Stdio::null());
        command.output().expect("promenade-agent")
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_device_shows_its_code_waits_and_keeps_its_secret() {
    let device = Device::new();
    let platform = Platform::answering([
        problem(503, "unavailable"),
        codes(),
        problem(400, "enrolment-pending"),
        problem(503, "unavailable"),
        problem(429, "rate-limited").after("1"),
        problem(400, "enrolment-expired"),
        codes(),
        secret(),
    ]);
    let output = device.enrol(&platform, &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Code BCDF-GHJK at https://id.example.org/enrol, within 10 min"), "{said}");
    assert!(said.contains('█'), "in large letters: {said}");
    for word in ["because of unavailable", "because of rate-limited", "it asks anew"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("ec_devicecode") && !said.contains("dk_devicesecret"), "{said}");
    assert_eq!(device.identity(), Some(json!({"device": DEVICE, "secret": "dk_devicesecret"})));
    let mode = std::fs::metadata(device.file("spool/identity.json")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let asked = platform.asked();
    let begun = json!({"kind": "gateway", "serial": "SN-4711"});
    let begins: Vec<&Value> =
        asked.iter().filter(|(path, _)| path == "/api/v1/enrolments").map(|(_, body)| body).collect();
    assert_eq!(begins.len(), 3);
    for begin in begins {
        assert_eq!((&begin["kind"], &begin["serial"]), (&begun["kind"], &begun["serial"]));
        assert!(begin.get("claim_key").is_none() && begin.get("csr").is_none());
    }
    let poll = ("/api/v1/enrolments/token".to_owned(), json!({"device_code": "ec_devicecode"}));
    assert_eq!(asked.iter().filter(|asked| **asked == poll).count(), 5);

    let again = device.enrol(&platform, &[]);
    assert!(!again.status.success() && text(&again).contains("`--replace` gives it up"), "{}", text(&again));
}

#[test]
fn another_identity_takes_the_place_of_one_that_is_given_up() {
    let device = Device::new();
    let first = Platform::answering([codes(), secret()]);
    assert!(device.enrol(&first, &[]).status.success());
    let refusing = Platform::answering([codes(), problem(400, "enrolment-denied")]);
    assert!(!device.enrol(&refusing, &["--replace"]).status.success());
    assert_eq!(
        device.identity().expect("an identity")["secret"],
        "dk_devicesecret",
        "kept until there is another"
    );
    let second = Platform::answering([codes(), Answer::ok(json!({"device": DEVICE, "secret": "dk_other"}))]);
    assert!(device.enrol(&second, &["--replace"]).status.success());
    assert_eq!(device.identity().expect("an identity")["secret"], "dk_other");
}

#[test]
fn what_belongs_to_the_device_before_is_forgotten_and_no_agent_works_meanwhile() {
    let device = Device::new();
    let first = Platform::answering([codes(), secret()]);
    assert!(device.enrol(&first, &[]).status.success());
    let config = Config::load(&device.file("agent.toml"), []).expect("a configuration");
    let mut spool = Spool::open(&config.spool, 1).expect("a spool");
    let id = "app:a".parse().expect("an identifier");
    let ping = Ping { id, rssi: -60, at: Timestamp(1_793_491_200_000), tx: None, max: None, n: None };
    spool.append(vec![ping]).expect("room");
    let commands = device.file("spool/commands");
    std::fs::create_dir(&commands).expect("a directory");
    let files =
        ["privacy.json", "commands/scan.json", "commands/appliance.json", "commands/00000000.journal"]
            .map(|name| device.file("spool").join(name));
    for file in &files {
        std::fs::write(file, "{}").expect("a file");
    }
    std::fs::write(commands.join("notes"), "of somebody else").expect("a file");

    let unasked = Platform::answering([]);
    let said = text(&device.enrol(&unasked, &["--replace"]));
    assert!(said.contains("systemctl stop promenade-agent"), "{said}");
    assert_eq!(unasked.asked(), []);
    drop(spool);

    let refusing = Platform::answering([codes(), problem(400, "enrolment-denied")]);
    assert!(!device.enrol(&refusing, &["--replace"]).status.success());
    assert!(files.iter().all(|file| file.exists()), "kept until there is another");
    let second = Platform::answering([codes(), Answer::ok(json!({"device": DEVICE, "secret": "dk_other"}))]);
    let output = device.enrol(&second, &["--replace"]);
    let said = text(&output);
    assert!(
        output.status.success() && said.contains("1 batches that were not delivered (1 pings, "),
        "{said}"
    );
    assert!(files.iter().all(|file| !file.exists()) && commands.join("notes").exists());
    assert!(Spool::open(&config.spool, 2).expect("a spool").is_empty());
    assert_eq!(device.identity().expect("an identity")["secret"], "dk_other");
}

#[test]
fn what_is_decided_against_a_device_is_said_and_leaves_nothing() {
    let claim = Device::new();
    std::fs::write(claim.file("claim"), format!("{CLAIM_KEY}\n")).expect("a file");
    let mut used_up = problem(403, "claim-key-refused");
    used_up.body["reason"] = "used_up".into();
    let path = claim.file("claim");
    let with_key = ["--claim-key-file", path.to_str().expect("a path")];
    for (script, more, expected) in [
        (vec![codes(), problem(400, "enrolment-denied")], &[][..], "because of enrolment-denied"),
        (vec![used_up], &with_key[..], "because of claim-key-refused (used_up)"),
        (vec![problem(409, "no-authority")], &["--certificate"][..], "because of no-authority"),
        (vec![Answer::ok(json!({}))], &[][..], "answers something else than it should"),
        (
            vec![codes(), Answer::ok(json!({"device": DEVICE}))],
            &[][..],
            "answers something else than it should",
        ),
    ] {
        let platform = Platform::answering(script);
        let output = claim.enrol(&platform, more);
        let said = text(&output);
        assert!(!output.status.success() && said.contains(expected), "{expected}: {said}");
        assert!(!said.contains(CLAIM_KEY), "{said}");
        let left = std::fs::read_dir(claim.file("spool")).expect("a directory");
        let names = left.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let half: Vec<String> = names.filter(|name| name.starts_with("identity")).collect();
        assert!(half.is_empty(), "{expected}: {half:?}");
        if more == with_key {
            assert_eq!(platform.asked()[0].1["claim_key"], CLAIM_KEY);
        }
    }
}

#[test]
fn a_certificate_is_for_a_key_that_never_left_the_device() {
    let device = Device::new();
    let platform =
        Platform::answering([codes(), problem(400, "enrolment-slow-down"), Answer::certificate(DEVICE)]);
    let output = device.enrol(&platform, &["--certificate"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("needs `tls = true`"), "{}", text(&output));
    let identity = device.identity().expect("an identity");
    assert_eq!((&identity["device"], identity.get("secret")), (&json!(DEVICE), None));
    let pair = &identity["certificates"][0];
    let key = pair["key"].as_str().expect("a key");
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(pair["certificate"].as_str().expect("a certificate").starts_with("-----BEGIN CERTIFICATE-----"));
    let inner = key.lines().nth(1).expect("a line");
    assert!(platform.asked().iter().all(|(_, body)| !body.to_string().contains(inner)));

    let wrong = Platform::answering([codes(), Answer::certificate_for_another_key(DEVICE)]);
    let output = device.enrol(&wrong, &["--certificate", "--replace"]);
    assert!(
        !output.status.success() && text(&output).contains("no certificate for this key"),
        "{}",
        text(&output)
    );
    assert_eq!(device.identity(), Some(identity));
}

/// The platform has signed for a key, and its answer was lost: it does not sign for that key again.
#[test]
fn each_request_is_for_a_key_of_its_own() {
    let device = Device::new();
    let platform = Platform::answering([
        codes(),
        problem(400, "enrolment-expired"),
        problem(409, "conflict"),
        codes(),
        problem(409, "conflict"),
        codes(),
        Answer::certificate(DEVICE),
    ]);
    let output = device.enrol(&platform, &["--certificate"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("it asks anew, with another"), "{}", text(&output));
    let asked = platform.asked();
    // Two requests for one key differ, too: their signatures do.
    let key_of = |csr: &str| {
        let request = CertificateSigningRequestParams::from_pem(csr).expect("a request");
        request.public_key.subject_public_key_info()
    };
    let keys: HashSet<Vec<u8>> =
        asked.iter().filter_map(|(_, body)| body["csr"].as_str()).map(key_of).collect();
    assert_eq!(keys.len(), 4, "{asked:?}");
}

#[test]
fn what_cannot_be_written_is_seen_before_anything_is_asked() {
    let device = Device::new();
    std::fs::write(device.file("spool"), "a file where the directory should be").expect("a file");
    let platform = Platform::answering([]);
    let output = device.enrol(&platform, &[]);
    assert!(
        !output.status.success() && text(&output).contains("cannot be read or written"),
        "{}",
        text(&output)
    );
    let open = Command::new(env!("CARGO_BIN_EXE_promenade-agent"))
        .args(["enrol", "--server", "http://id.example.org"])
        .output()
        .expect("promenade-agent");
    assert!(!open.status.success() && text(&open).contains("`server` is https"), "{}", text(&open));
    assert_eq!(platform.asked(), []);
}

/// A fleet's image: the agent comes in when it starts, and is ready then.
#[test]
fn an_agent_without_an_identity_comes_in_before_it_works() {
    let device = Device::new();
    let platform = Platform::answering([codes(), problem(400, "enrolment-pending"), secret()]);
    std::fs::write(device.file("claim"), CLAIM_KEY).expect("a file");
    let config = std::fs::read_to_string(device.file("agent.toml")).expect("a configuration");
    let enrolment = format!(
        "[enrolment]\nserver = \"{}\"\nclaim_key_file = \"{}\"\n[link]\nport = 1\n[log]\nlevel = \"trace\"\n",
        platform.address,
        device.file("claim").display()
    );
    std::fs::write(device.file("agent.toml"), config + &enrolment).expect("a configuration");
    let socket = device.file("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(std::time::Duration::from_mins(1))).expect("a timeout");
    let log = device.file("log");
    let mut agent = Command::new(env!("CARGO_BIN_EXE_promenade-agent"))
        .arg("--config")
        .arg(device.file("agent.toml"))
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("promenade-agent");
    let mut words = Vec::new();
    while words.last().is_none_or(|word| word != "READY=1") {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).expect("a word within a minute");
        words.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
    }
    let identity = device.identity();
    agent.kill().expect("a running agent");
    agent.wait().expect("its end");
    assert_eq!(words[0], "STATUS=let this device in: code BCDF-GHJK at https://id.example.org/enrol");
    assert!(words[1].starts_with("EXTEND_TIMEOUT_USEC="), "{words:?}");
    assert_eq!(identity, Some(json!({"device": DEVICE, "secret": "dk_devicesecret"})), "before it is ready");
    assert_eq!(platform.asked()[0].1["claim_key"], CLAIM_KEY);
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("this device has come in"), "{log}");
    for hidden in [CLAIM_KEY, "ec_devicecode", "dk_devicesecret"] {
        assert!(!log.contains(hidden), "{log}");
    }
}
