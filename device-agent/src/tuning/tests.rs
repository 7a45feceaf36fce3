//! What is set holds over the configuration and over a restart, and only what the scanner has can be set.

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::config::SimulatedConfig;

fn adapter() -> ScannerConfig {
    ScannerConfig::Bluetooth(BluetoothConfig { min_rssi: -100, ..BluetoothConfig::default() })
}

fn open(scanner: &ScannerConfig, dir: &TempDir) -> Tuning {
    Tuning::open(scanner, &BatchesConfig::default(), dir.path()).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn what_is_set_is_in_force_at_once_and_after_a_restart_until_it_is_null() {
    let dir = tempfile::tempdir().unwrap();
    let mut tuning = open(&adapter(), &dir);
    let interest = tuning.interest();
    let beacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().unwrap();
    assert!(interest.borrow().includes(&beacon) && interest.borrow().reaches(-95));
    let change = json!({"prefixes": ["EID:"], "formats": ["ble"], "min_rssi": -90, "interval_ms": 500});
    tuning.change(&object(change.clone())).unwrap();
    for tuning in [&tuning, &open(&adapter(), &dir)] {
        assert_eq!(tuning.report(), change);
        assert_eq!(tuning.interval(), Duration::from_millis(500));
        let interest = tuning.interest();
        let interest = interest.borrow();
        assert!(interest.wants(Format::Ble) && !interest.wants(Format::Ibeacon));
        assert!(!interest.includes(&beacon) && interest.includes(&"eid:0123456789abcdef".parse().unwrap()));
        assert!(!interest.reaches(-91) && interest.reaches(-90));
    }
    assert!(interest.borrow().wants(Format::Ble), "whoever listens already hears of it");
    tuning.change(&object(json!({"prefixes": [], "min_rssi": null, "formats": null}))).unwrap();
    let formats = json!(["ibeacon", "eddystone_uid", "eddystone_tlm", "eddystone_eid", "altbeacon"]);
    let force = json!({"prefixes": [], "formats": formats, "min_rssi": -100, "interval_ms": 500});
    assert_eq!(tuning.report(), force);
    assert_eq!(open(&adapter(), &dir).report(), force);
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let simulated = ScannerConfig::Simulated(SimulatedConfig::default());
    for (scanner, change, reason) in [
        (adapter(), json!({"colour": "red"}), CommandReason::BadArguments),
        (adapter(), json!({"colour": null}), CommandReason::BadArguments),
        (adapter(), json!({"formats": []}), CommandReason::BadArguments),
        (adapter(), json!({"formats": ["morse"]}), CommandReason::BadArguments),
        (
            adapter(),
            json!({"formats": ["ble", "ble", "ble", "ble", "ble", "ble", "ble", "ble"]}),
            CommandReason::BadArguments,
        ),
        (adapter(), json!({"prefixes": "eid:"}), CommandReason::BadArguments),
        (adapter(), json!({"prefixes": vec!["eid:"; 17]}), CommandReason::OutOfRange),
        (adapter(), json!({"prefixes": ["x".repeat(65)]}), CommandReason::OutOfRange),
        (adapter(), json!({"min_rssi": 21}), CommandReason::OutOfRange),
        (adapter(), json!({"min_rssi": -1_000}), CommandReason::OutOfRange),
        (adapter(), json!({"min_rssi": "weak"}), CommandReason::BadArguments),
        (adapter(), json!({"interval_ms": 9}), CommandReason::OutOfRange),
        (adapter(), json!({"interval_ms": -9}), CommandReason::OutOfRange),
        (adapter(), json!({"interval_ms": 3_600_001}), CommandReason::OutOfRange),
        (simulated.clone(), json!({"min_rssi": -80}), CommandReason::NotSupported),
        (simulated.clone(), json!({"formats": ["ble"], "interval_ms": 20}), CommandReason::NotSupported),
    ] {
        let mut tuning = open(&scanner, &dir);
        let before = tuning.report();
        assert_eq!(tuning.check(&object(change.clone())).unwrap_err().0, reason, "{change}");
        assert!(tuning.change(&object(change.clone())).is_err(), "{change}");
        assert_eq!(tuning.report(), before, "{change}");
    }
    let mut tuning = open(&simulated, &dir);
    tuning.change(&object(json!({"interval_ms": 20}))).unwrap();
    let report = json!({"formats": null, "prefixes": null, "min_rssi": null, "interval_ms": 20});
    assert_eq!(tuning.report(), report);
}

#[test]
fn of_a_desired_part_what_differs_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let tuning = open(&adapter(), &dir);
    for (desired, wanted) in [
        (json!({}), None),
        (json!({"min_rssi": -100}), None),
        (json!({"min_rssi": -70, "interval_ms": 2000}), Some(json!({"min_rssi": -70}))),
        (json!({"min_rssi": 100}), None),
        (json!("everything"), None),
    ] {
        assert_eq!(tuning.wanted(&desired), wanted.map(object), "{desired}");
    }
}

#[test]
fn what_another_scanner_had_or_nobody_can_read_is_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let mut tuning = open(&adapter(), &dir);
    tuning.change(&object(json!({"min_rssi": -50, "interval_ms": 20}))).unwrap();
    let simulated = open(&ScannerConfig::Simulated(SimulatedConfig::default()), &dir);
    assert_eq!(
        (simulated.report()["min_rssi"].clone(), simulated.interval()),
        (Value::Null, Duration::from_millis(20))
    );
    for text in ["", "{", "{\"colour\":1}", "{\"interval_ms\":1}", "[]"] {
        fs::write(path(dir.path()), text).unwrap();
        assert_eq!(open(&adapter(), &dir).report()["interval_ms"], 2_000, "{text}");
    }
}
