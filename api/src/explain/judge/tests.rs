/// What the broker saw of a gateway that works, with something else in it.
macro_rules! seen {
    ($($other:tt)*) => { seen(&json!({ $($other)* })) };
}

mod cases;

use std::fmt::Write as _;

use protocol::CommandStatus;
use serde_json::{Value, json};
use store::Loss;

use super::commands::Ended;
use super::*;

/// 2026-03-02T12:00:00Z.
const NOW: i64 = 1_772_452_800_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A placed gateway and what is known of it; the other methods say what is different.
struct Case {
    name: &'static str,
    kind: DeviceKind,
    has_format: bool,
    place: Place,
    is_connected: bool,
    is_stopped: bool,
    facts: Value,
    certificates: Vec<store::Certificate>,
    losses: Vec<Loss>,
    air: Option<Air>,
    ordered: Ordered,
    codes: &'static [&'static str],
}

impl Case {
    fn online(name: &'static str, facts: Value, codes: &'static [&'static str]) -> Case {
        let (kind, place) = (DeviceKind::Gateway, Place::Somewhere);
        let (certificates, losses, ordered) = (Vec::new(), Vec::new(), Ordered::default());
        let (is_connected, is_stopped, has_format) = (true, false, false);
        let air = None;
        Case {
            name,
            kind,
            has_format,
            place,
            is_connected,
            is_stopped,
            facts,
            certificates,
            losses,
            air,
            ordered,
            codes,
        }
    }

    fn offline(name: &'static str, facts: Value, codes: &'static [&'static str]) -> Case {
        Case { is_connected: false, ..Case::online(name, facts, codes) }
    }

    fn stopped(self) -> Case {
        Case { is_stopped: true, ..self }
    }

    fn kind(self, kind: DeviceKind) -> Case {
        Case { kind, ..self }
    }

    fn with_format(self) -> Case {
        Case { has_format: true, ..self }
    }

    fn place(self, place: Place) -> Case {
        Case { place, ..self }
    }

    /// It can be heard, by a gateway if that is named, and this was learned.
    fn air(self, by: Option<&str>, watch: &Value) -> Case {
        let watch = serde_json::from_value(watch.clone()).unwrap();
        Case { air: Some(Air { watch, by: by.map(str::to_owned) }), ..self }
    }

    fn ordered(self, waiting: u32, ended: Option<(CommandStatus, &str)>) -> Case {
        let ended = ended.map(|(status, cause)| Ended {
            name: "on_off.set".into(),
            status,
            cause: cause.into(),
            at: Timestamp(NOW - 3 * MINUTE),
        });
        Case { ordered: Ordered { waiting, ended }, ..self }
    }

    fn losses(self, losses: &[Loss]) -> Case {
        Case { losses: losses.to_vec(), ..self }
    }

    /// It signed in with the first of these.
    fn certified(mut self, certificates: &[store::Certificate]) -> Case {
        self.facts["sign_in"]["certificate"] = json!("ab".repeat(32));
        Case { certificates: certificates.to_vec(), ..self }
    }
}

fn seen(other: &Value) -> Value {
    let mut facts = json!({
        "sign_in": {"at": NOW - HOUR, "address": "10.0.0.7", "transport": "tcp", "version": "5", "client_id": "gw-1",
            "certificate": null},
        "refused_sign_in": null, "connected_since": NOW - HOUR, "disconnected": null,
        "last_message_at": NOW - 2_000, "last_batch_at": NOW - 2_000, "last_ping_at": NOW - 3_000,
        "clock_offset_ms": 40, "limits": {}, "refusals": {}
    });
    for (name, value) in other.as_object().unwrap() {
        facts[name] = value.clone();
    }
    facts
}

/// The same, an hour after its connection ended.
fn ended(cause: &str) -> Value {
    let at = NOW - HOUR;
    seen! {
        "sign_in": {"at": NOW - DAY}, "connected_since": null, "last_message_at": at - 5_000,
        "disconnected": {"at": at, "cause": cause}
    }
}

/// The same, and it was refused when it came back.
fn refused(cause: &str) -> Value {
    let mut facts = ended("connection_lost");
    facts["refused_sign_in"] = json!({"at": NOW - 3 * MINUTE, "address": "10.0.0.7", "cause": cause});
    facts
}

const FINGERPRINT: [u8; 32] = [0xab; 32];

fn certificate(fingerprint: [u8; 32], not_after: i64) -> store::Certificate {
    store::Certificate {
        fingerprint,
        organization: protocol::OrganizationId::from_uuid(uuid::Uuid::nil()),
        device: protocol::DeviceId::from_uuid(uuid::Uuid::nil()),
        serial: "40".into(),
        not_before: Timestamp(not_after - 365 * DAY),
        not_after: Timestamp(not_after),
        issued_at: Timestamp(not_after - 365 * DAY),
        revoked_at: None,
        renewed_with: None,
        replayed: None,
    }
}

fn loss(from: u64, to: u64, cause: &str, batches: u64, recovered: u64) -> Loss {
    Loss {
        organization: protocol::OrganizationId::from_uuid(uuid::Uuid::nil()),
        device: protocol::DeviceId::from_uuid(uuid::Uuid::nil()),
        boot: Some("k3v9".parse().unwrap()),
        cause: cause.parse().unwrap(),
        from,
        to,
        batches,
        recovered,
        first_at: Timestamp(NOW - HOUR),
        last_at: Timestamp(NOW - HOUR),
    }
}

fn evidence(case: &Case) -> Evidence {
    let facts = Facts::read(&case.facts.to_string()).unwrap();
    Evidence {
        kind: case.kind,
        has_format: case.has_format,
        place: case.place,
        connected_since: case.is_connected.then(|| facts.connected_since.unwrap_or(Timestamp(NOW - MINUTE))),
        is_stopped: case.is_stopped,
        facts,
        certificates: case
            .certificates
            .iter()
            .map(|kept| Certificate::at(Timestamp(NOW), kept.clone()))
            .collect(),
        open_losses: case.losses.iter().map(|loss| crate::devices::losses::Loss::from(*loss)).collect(),
        air: case.air.clone(),
        ordered: case.ordered.clone(),
        now: Timestamp(NOW),
    }
}

/// The findings of every case; the sentences are a contract, so they are kept beside.
#[test]
fn what_is_found_in_what_was_seen() {
    // Those of claim keys are told elsewhere.
    let elsewhere = vec![Code::Deleted, Code::ClaimKeyOver, Code::ClaimKeyRefused];
    let (mut document, mut seen) = (String::new(), elsewhere);
    for case in cases::all() {
        let (healthy, findings) = judge(&evidence(&case));
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        let is_well = case.codes.iter().any(|code| ["healthy", "heard"].contains(code))
            && !case.codes.contains(&"battery_low");
        let expected = (!case.codes.contains(&"transmits_only")).then_some(is_well);
        assert_eq!((codes.as_slice(), healthy), (case.codes, expected), "{}", case.name);
        writeln!(document, "## {}", case.name).unwrap();
        for finding in &findings {
            writeln!(document, "{}: {} {}", finding.code, finding.what, finding.remedy).unwrap();
        }
        document.push('\n');
        seen.extend(findings.iter().map(|finding| finding.code));
    }
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    insta::assert_snapshot!("findings", document);
}
