//! The bodies of `tests/golden` at the root of the repository must always parse, to these values.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use protocol::{
    Ack, AckStatus, Batch, Command, Decoded, Desired, ForwardedAck, Identifier, Limit, Movement,
    MovementKind, Occupancy, Ping, Reason, Receipt, Refused, Reported, ServiceOrder, Status, Subject,
    Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn read(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn ping(id: &str, rssi: i8, at: i64) -> Ping {
    Ping { id: id.parse().expect(id), rssi, at: Timestamp(at), tx: None, max: None, n: None }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Both files parse to the batch, and the batch is written as exactly these bytes.
fn assert_golden(name: &str, batch: &Batch) {
    let decoded = Decoded { batch: batch.clone(), refused: vec![] };
    let (json, cbor) = (read(&format!("{name}.json")), read(&format!("{name}.cbor")));
    assert_eq!(Batch::decode(&json, Some("application/json")), Ok(decoded.clone()), "{name}.json");
    assert_eq!(Batch::decode(&cbor, Some("application/cbor")), Ok(decoded.clone()), "{name}.cbor");
    assert_eq!(Batch::decode(&json, None), Ok(decoded.clone()), "{name}.json without a content type");
    assert_eq!(Batch::decode(&cbor, None), Ok(decoded), "{name}.cbor without a content type");
    assert_eq!(String::from_utf8(batch.to_json()).unwrap(), String::from_utf8(json).unwrap(), "{name}.json");
    assert_eq!(batch.to_cbor(), cbor, "{name}.cbor");
}

#[test]
fn minimal_batch() {
    let batch = Batch { boot: "a".parse().unwrap(), seq: 0, first: None, sent: None, pings: vec![] };
    assert_golden("batch_minimal", &batch);
}

#[test]
fn full_batch() {
    let uuid = 0xf782_6da6_4fa2_4e98_8024_bc5b_71e0_893e_u128.to_be_bytes();
    let batch = Batch {
        boot: "k3v9".parse().unwrap(),
        seq: 17,
        first: Some(12),
        sent: Some(Timestamp(1_790_000_001_000)),
        pings: vec![Ping {
            id: Identifier::IBeacon { uuid, major: 1, minor: 7 },
            rssi: -67,
            at: Timestamp(1_790_000_000_123),
            tx: Some(-59),
            max: Some(-61),
            n: Some(9),
        }],
    };
    assert_golden("batch_full", &batch);
}

#[test]
fn resent_batch_with_the_greatest_values() {
    let batch = Batch {
        boot: "A_z-0123456789xy".parse().unwrap(),
        seq: 9_007_199_254_740_991,
        first: Some(9_007_199_254_740_989),
        sent: Some(Timestamp(1_790_000_600_000)),
        pings: vec![
            ping("ble:a4:c1:38:00:00:01", -127, 1_789_999_999_999),
            Ping { n: Some(65535), ..ping("ble:~4a:c1:38:00:00:02", 20, -1) },
        ],
    };
    assert_golden("batch_resend", &batch);
}

#[test]
fn every_kind_of_identifier() {
    let ids = [
        "ibeacon:00112233-4455-6677-8899-aabbccddeeff:0:65535",
        "eddystone:00112233445566778899:aabbccddeeff",
        "eid:0123456789abcdef",
        "altbeacon:00112233445566778899aabbccddeeff01234567",
        "ble:aa:bb:cc:dd:ee:ff",
        "ble:~4a:bb:cc:dd:ee:ff",
        r#"app:"q"\:~!"#,
    ];
    let ping = |(index, id): (usize, &&str)| ping(id, -70 - index as i8, 1_790_000_000_000 + index as i64);
    let pings = ids.iter().enumerate().map(ping).collect();
    let batch = Batch { boot: "ids".parse().unwrap(), seq: 3, first: None, sent: None, pings };
    assert_golden("batch_identifiers", &batch);
    let text = Batch::decode(&read("batch_identifiers_text.cbor"), None);
    assert_eq!(text, Ok(Decoded { batch, refused: vec![] }));
}

#[test]
fn bad_pings_among_good_ones() {
    let pings = vec![
        ping("eid:0123456789abcdef", -50, 1_790_000_000_000),
        ping("eid:fedcba9876543210", -51, 1_790_000_000_005),
    ];
    let batch = Batch { boot: "k3v9".parse().unwrap(), seq: 4, first: None, sent: None, pings };
    let refused =
        vec![(1, Reason::BadIdentifier), (2, Reason::BadRssi), (3, Reason::BadField), (4, Reason::BadField)];
    assert_eq!(Batch::decode(&read("batch_refused.json"), None), Ok(Decoded { batch, refused }));
}

/// The file parses to the value, and the value is written as exactly this file.
fn assert_body<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let body = read(name);
    assert_eq!(&serde_json::from_slice::<T>(&body).expect(name), value, "{name}");
    assert_eq!(serde_json::to_string(value).unwrap(), String::from_utf8(body).unwrap(), "{name}");
}

#[test]
fn receipts() {
    let refused = vec![
        Refused::Batches { from: 9, to: 11, reason: Reason::RateLimited(Limit::PingsPerMinute) },
        Refused::Pings { seq: 17, pings: vec![0, 3], reason: Reason::BadRssi },
    ];
    let receipt = Receipt { boot: Some("k3v9".parse().unwrap()), through: Some(17), refused };
    assert_body("receipt.json", &receipt);
    let refused = vec![Refused::Whole { reason: Reason::Unreadable }];
    assert_body("receipt_unnumbered.json", &Receipt { boot: None, through: None, refused });
}

#[test]
fn commands_and_acks() {
    let command = Command {
        name: "display.show".into(),
        args: json!({"text": "hi"}),
        deadline: Some(Timestamp(1_790_000_060_000)),
        now: Timestamp(1_790_000_000_000),
        signed: None,
    };
    assert_body("command.json", &command);
    let ack = Ack {
        reason: Some("no screen".into()),
        result: Some(json!({"code": 7})),
        ..Ack::new(AckStatus::Failed)
    };
    assert_body("ack.json", &ack);
    let forwarded = ForwardedAck {
        command: "01999999-0000-7000-8000-000000000006".parse().unwrap(),
        ack: Ack::new(AckStatus::Accepted),
    };
    assert_body("ack_forwarded.json", &forwarded);
    let signed = Command {
        name: "on_off.set".into(),
        args: json!({"on": true}),
        signed: Some("eyJhbGciOiJFZERTQSJ9.e30.AA".into()),
        ..command
    };
    assert_body("command_signed.json", &signed);
    let reported = Ack {
        reason: Some("out_of_range".into()),
        detail: Some("the lamp stops at 90".into()),
        result: Some(json!({"code": 7})),
        reported: Some(object(json!({"on_off": {"on": true}}))),
        ..Ack::new(AckStatus::Done)
    };
    assert_body("ack_reported.json", &reported);
}

#[test]
fn movements() {
    let started = Movement {
        kind: MovementKind::VisitStarted,
        at: Timestamp(1_790_000_000_000),
        venue: "01999999-0000-7000-8000-000000000002".parse().unwrap(),
        zone: None,
        subject: Subject(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f),
        visit: "6f1c7c1e-3d1a-8b0e-9a55-000000000004".parse().unwrap(),
        stay: None,
    };
    assert_body("movement_visit_started.json", &started);
    let entered = Movement {
        kind: MovementKind::Entered,
        zone: Some("01999999-0000-7000-8000-000000000003".parse().unwrap()),
        stay: Some("6f1c7c1e-3d1a-8b0e-9a55-000000000005".parse().unwrap()),
        ..started
    };
    assert_body("movement_entered.json", &entered);
}

#[test]
fn what_services_order_and_read() {
    let args = object(json!({"on": true}));
    assert_body("order.json", &ServiceOrder { name: "on_off.set".into(), args, ttl_s: Some(30) });
    let zone = |last: &str| format!("01999999-0000-7000-8000-00000000000{last}").parse().expect("an id");
    let zones = BTreeMap::from([(zone("a"), 3), (zone("b"), 0)]);
    assert_body("occupancy.json", &Occupancy { at: Timestamp(1_790_000_000_000), total: 3, zones });
}

#[test]
fn status_and_twin() {
    assert_body("status.json", &Status { connected: true, since: Timestamp(1_790_000_000_000) });
    assert_body("desired.json", &Desired { version: 7, state: object(json!({"volume": 3})), delta: None });
    let on = object(json!({"on_off": {"on": true}}));
    let behind = Desired { version: 8, state: on.clone(), delta: Some(on) };
    assert_body("desired_delta.json", &behind);
    let reported = object(json!({"volume": 3, "firmware": "1.2.0"}));
    // The order of a state's members means nothing, so this one is not compared as text.
    let body = serde_json::from_slice::<Reported>(&read("reported.json")).unwrap();
    assert_eq!(body, Reported { version: 8, state: reported });
}
