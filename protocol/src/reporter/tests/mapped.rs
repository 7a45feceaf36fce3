//! Messages that a mapping reads.

use super::*;

#[test]
fn a_mapping_reads_lists() {
    let mapping = reporter(json!({"format": "json", "topic": "gw/+/status", "items": "/devices",
        "id": {"as": "ble", "mac": "/addr", "random": "/type"}, "rssi": "/rssi", "tx": "/power",
        "at": {"pointer": "/seen", "unit": "rfc3339"}}));
    let message = json!({"gateway": "ac233fc00000", "devices": [
        {"addr": "50:00:11:22:33:44", "type": "public", "rssi": "-60", "power": -59, "seen": "2026-03-02T12:00:00Z"},
        {"addr": "500011223345", "type": 1, "rssi": -61, "seen": "2026-03-02T12:00:01Z"},
        {"uptime": 7},
        {"addr": "5000", "rssi": -61, "seen": "2026-03-02T12:00:01Z"},
        {"addr": "500011223346", "type": false, "rssi": 90, "seen": "2026-03-02T12:00:01Z"},
        {"addr": "500011223346", "type": false, "rssi": -62, "seen": "yesterday"},
        {"addr": "500011223346", "type": false, "rssi": -63, "power": 99, "seen": "2026-03-02T12:00:02Z"},
        7]});
    let report = read(&mapping, &message);
    let at = Timestamp(1_772_452_800_000);
    let ping = |id: &str, rssi, tx, ms| Ping {
        id: id.parse().unwrap(),
        rssi,
        at: at.plus(ms),
        tx,
        max: None,
        n: None,
    };
    let expected = [
        ping("ble:50:00:11:22:33:44", -60, Some(-59), 0),
        ping("ble:~50:00:11:22:33:45", -61, None, 1000),
        ping("ble:50:00:11:22:33:46", -63, None, 2000),
    ];
    assert_eq!(report.pings, expected);
    let refused = [(2, Reason::BadIdentifier), (3, Reason::BadRssi), (4, Reason::BadField)];
    assert_eq!(report.refused, refused);
    assert_eq!(report.fault.unwrap().path, "/addr");
    // One object instead of a list, and none at all.
    let one = json!({"devices": {"addr": "500011223344", "rssi": -60, "seen": "2026-03-02T12:00:00Z"}});
    assert_eq!(read(&mapping, &one).pings.len(), 1);
    assert!(read(&mapping, &json!({"devices": []})).is_empty());
    let missing = mapping.read(br#"{"others": []}"#, NOW).unwrap_err();
    assert_eq!((missing.error, &*missing.fault.path), (BatchError::Unreadable(None), "/devices"));
}

#[test]
fn a_mapping_names_what_was_heard_in_each_way() {
    let uuid = "F7826DA6-4FA2-4E98-8024-BC5B71E0893E";
    let is_ibeacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7 -60 -59";
    let advertised = "0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010007c5";
    for (id, item, read) in [
        (
            json!({"as": "ibeacon", "uuid": "/u", "major": "/a", "minor": "/b"}),
            json!({"u": uuid, "a": "1", "b": 7}),
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7 -60 -",
        ),
        (
            json!({"as": "ibeacon", "uuid": "/u", "major": "/a", "minor": "/b"}),
            json!({"u": uuid, "a": "1", "b": 70000}),
            "bad_identifier /b",
        ),
        (
            json!({"as": "eddystone", "namespace": "/n", "instance": "/i"}),
            json!({"n": "00112233445566778899", "i": "aabbccddeeff"}),
            "eddystone:00112233445566778899:aabbccddeeff -60 -",
        ),
        (
            json!({"as": "eddystone", "namespace": "/n", "instance": "/i"}),
            json!({"n": "0011", "i": "aabbccddeeff"}),
            "bad_identifier /n",
        ),
        (json!({"as": "app", "value": "/badge"}), json!({"badge": 4711}), "app:4711 -60 -"),
        (json!({"as": "app", "value": "/badge"}), json!({"badge": "a b"}), "bad_identifier /badge"),
        (json!({"as": "app", "value": "/badge"}), json!({"badge": 1.5}), "bad_identifier /badge"),
        (
            json!({"as": "text", "value": "/a~1b"}),
            json!({"a/b": "eid:0123456789abcdef"}),
            "eid:0123456789abcdef -60 -",
        ),
        (json!({"as": "text", "value": "/a"}), json!({"a": "who"}), "bad_identifier /a"),
        (json!({"as": "advertising", "hex": "/raw"}), json!({"raw": advertised}), is_ibeacon),
        (json!({"as": "advertising", "hex": "/raw", "mac": "/m"}), json!({"raw": advertised}), is_ibeacon),
        (json!({"as": "advertising", "hex": "/raw"}), json!({"raw": "020106"}), "nothing"),
        (json!({"as": "advertising", "hex": "/raw"}), json!({"raw": "02010"}), "bad_identifier /raw"),
        (
            json!({"as": "advertising", "hex": "/raw", "mac": "/m"}),
            json!({"raw": "020106", "m": "800011223344"}),
            "ble:80:00:11:22:33:44 -60 -",
        ),
        (
            json!({"as": "advertising", "hex": "/raw", "mac": "/m"}),
            json!({"raw": "020106"}),
            "bad_identifier /m",
        ),
    ] {
        let mapping = reporter(json!({"format": "json", "topic": "gw/+", "id": id, "rssi": "/rssi"}));
        let mut item = item;
        item["rssi"] = json!(-60);
        assert_eq!(said(&mapping, &item), read, "{id}");
    }
}

#[test]
fn a_mapping_reads_times() {
    for (unit, value, ms) in [
        ("s", json!(1_790_000_000), Some(1_790_000_000_000_i64)),
        ("s", json!("1790000000.25"), Some(1_790_000_000_250)),
        ("ms", json!(1_790_000_000_123_i64), Some(1_790_000_000_123)),
        ("ms", json!(1e300), None),
        ("ms", json!(true), None),
        ("rfc3339", json!("1970-01-01T00:00:01Z"), Some(1000)),
        ("rfc3339", json!(1000), None),
    ] {
        let mapping = reporter(json!({"format": "json", "topic": "gw/+", "id": {"as": "app", "value": "/i"},
            "rssi": "/r", "at": {"pointer": "/t", "unit": unit}}));
        let report = read(&mapping, &json!({"i": "x", "r": -60, "t": value}));
        assert_eq!(report.pings.first().map(|ping| ping.at.0), ms, "{unit} {value}");
        assert_eq!(report.refused.is_empty(), ms.is_some());
    }
}
