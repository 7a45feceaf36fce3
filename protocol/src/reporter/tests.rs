//! Messages as each scanner writes them, and what is read of them.

mod dialects;
mod mapped;

use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn reporter(value: Value) -> Reporter {
    let reporter: Reporter = serde_json::from_value(value).unwrap();
    reporter.check().unwrap();
    reporter
}

fn read(reporter: &Reporter, message: &Value) -> Report {
    let payload = message.to_string();
    reporter.read(payload.as_bytes(), NOW).unwrap_or_else(|error| panic!("{message}: {error}"))
}

/// The one ping of a message as `id rssi tx`, `nothing`, or the reason and the place.
fn said(reporter: &Reporter, message: &Value) -> String {
    let report = read(reporter, message);
    assert!(report.len() <= 1, "{message}");
    if let Some(ping) = report.pings.first() {
        assert_eq!((ping.at, ping.max, ping.n), (NOW, None, None), "{message}");
        let tx = ping.tx.map_or_else(|| "-".to_owned(), |tx| tx.to_string());
        return format!("{} {} {tx}", ping.id, ping.rssi);
    }
    let fault = report.fault.map(|fault| fault.path).unwrap_or_default();
    report.refused.first().map_or_else(|| "nothing".to_owned(), |(_, reason)| format!("{reason} {fault}"))
}

#[test]
fn what_nobody_meant_is_an_answer_and_not_a_panic() {
    let all = [
        reporter(json!({"format": "espresense"})),
        reporter(json!({"format": "theengs"})),
        reporter(
            json!({"format": "json", "topic": "a/+", "items": "/x", "id": {"as": "text", "value": "/i"}, "rssi": "/r"}),
        ),
    ];
    let deep = "[".repeat(100_000);
    let large = format!("\"{}\"", " ".repeat(MAX_BATCH_BYTES));
    for reporter in &all {
        for hostile in ["{", "nul", "7", "[]", "\"\"", "{\"x\":", deep.as_str()] {
            let error = reporter.read(hostile.as_bytes(), NOW).unwrap_err();
            assert_eq!(error.error, BatchError::Unreadable(None), "{hostile:.20}");
        }
        assert_eq!(reporter.read(large.as_bytes(), NOW).unwrap_err().error, BatchError::TooLarge(None));
        assert_eq!(reporter.read(b"", NOW), Ok(Report::default()));
    }
    let many = json!({"x": vec![json!({"i": "app:a", "r": -60}); MAX_PINGS + 1]}).to_string();
    assert_eq!(all[2].read(many.as_bytes(), NOW).unwrap_err().error, BatchError::TooManyPings(None));
    let most = json!({"x": vec![json!({"i": "app:a", "r": -60}); MAX_PINGS]}).to_string();
    assert_eq!(all[2].read(most.as_bytes(), NOW).unwrap().pings.len(), MAX_PINGS);
}

/// The firmware passes on the names of radios as they are.
#[test]
fn a_name_that_is_no_text_loses_nothing() {
    let mut payload = br#"{"id":"keys","rssi":-60,"name":"x"}"#.to_vec();
    let name = payload.iter().rposition(|byte| *byte == b'x').unwrap();
    payload[name] = 0xff;
    let report = reporter(json!({"format": "espresense"})).read(&payload, NOW).unwrap();
    assert_eq!(report.pings.len(), 1);
}

#[test]
fn what_cannot_be_declared_is_refused_with_its_place() {
    let mapping = |change: Value| {
        let mut mapping =
            json!({"format": "json", "topic": "gw/+", "id": {"as": "app", "value": "/i"}, "rssi": "/r"});
        mapping.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        mapping
    };
    for topic in [
        "+/a",
        "#",
        "gw/#",
        "gw/a+",
        "v1/x/pings",
        "v1",
        "$SYS/a",
        "$share/g/a",
        "",
        "gw/\u{7}",
        &"a/".repeat(200),
    ] {
        for declared in [mapping(json!({"topic": topic})), json!({"format": "theengs", "topic": topic})] {
            let reporter: Reporter = serde_json::from_value(declared).unwrap();
            assert_eq!(reporter.check().unwrap_err().path, "/topic", "{topic:?}");
        }
    }
    for (change, path) in [
        (json!({"items": "x"}), "/items"),
        (json!({"rssi": ""}), "/rssi"),
        (json!({"rssi": "/a~2"}), "/rssi"),
        (json!({"rssi": format!("/{}", "x".repeat(MAX_POINTER))}), "/rssi"),
        (json!({"tx": "tx"}), "/tx"),
        (json!({"at": {"pointer": "", "unit": "s"}}), "/at/pointer"),
        (json!({"id": {"as": "ble", "mac": "mac"}}), "/id/mac"),
        (json!({"id": {"as": "ble", "mac": "/mac", "random": "x"}}), "/id/random"),
        (json!({"id": {"as": "ibeacon", "uuid": "/u", "major": "/a", "minor": "b"}}), "/id/minor"),
        (json!({"id": {"as": "advertising", "hex": "/h", "mac": ""}}), "/id/mac"),
    ] {
        let reporter: Reporter = serde_json::from_value(mapping(change.clone())).unwrap();
        assert_eq!(reporter.check().unwrap_err().path, path, "{change}");
    }
    for wrong in [
        json!({"format": "morse"}),
        json!({"format": "espresense", "topic": "a"}),
        json!({"format": "theengs", "items": "/x"}),
        json!({"format": "json", "topic": "gw/+", "rssi": "/r"}),
        mapping(json!({"more": 1})),
        mapping(json!({"id": {"as": "mac", "mac": "/m"}})),
        mapping(json!({"id": {"as": "app", "value": "/i", "more": "/m"}})),
        mapping(json!({"at": {"pointer": "/t", "unit": "h"}})),
    ] {
        assert!(serde_json::from_value::<Reporter>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_declared_is_said_again() {
    for declared in [
        json!({"format": "espresense"}),
        json!({"format": "theengs"}),
        json!({"format": "theengs", "topic": "shop/+/BTtoMQTT/+"}),
        json!({"format": "json", "topic": "/gw/+/status", "items": "/d", "id": {"as": "ble", "mac": "/m"}, "rssi": "/r",
            "at": {"pointer": "/t", "unit": "ms"}, "tx": "/p"}),
    ] {
        let read = reporter(declared.clone());
        assert_eq!(serde_json::to_value(&read).unwrap(), declared);
    }
    assert_eq!(reporter(json!({"format": "espresense"})).filter(), "espresense/devices/+/+");
    assert_eq!(reporter(json!({"format": "theengs"})).filter(), "home/+/BTtoMQTT/+");
}
