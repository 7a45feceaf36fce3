//! Messages of scanners whose format is known.

use super::*;

#[test]
fn espresense() {
    let espresense = reporter(json!({"format": "espresense"}));
    let message = |id: &str, mac: &str| {
        json!({"mac": mac, "id": id, "name": "x", "rssi@1m": -65, "rssi": -67.50, "rxAdj": 0, "rssiVar": 1.2,
            "distance": 1.27, "var": 0.1, "close": true, "int": 1044})
    };
    for (id, mac, read) in [
        (
            "iBeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e-1-65535",
            "4a0011223344",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:65535",
        ),
        (
            "altBeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e-1-7",
            "4a0011223344",
            "altbeacon:f7826da64fa24e988024bc5b71e0893e00010007",
        ),
        // As the firmware writes it, and as it should.
        (
            "eddy:0011223344445566778899-aabbccddeeff",
            "4a0011223344",
            "eddystone:00112233445566778899:aabbccddeeff",
        ),
        (
            "eddy:00112233445566778899-aabbccddeeff",
            "4a0011223344",
            "eddystone:00112233445566778899:aabbccddeeff",
        ),
        ("500011223344", "500011223344", "ble:50:00:11:22:33:44"),
        ("c00011223344", "c00011223344", "ble:~c0:00:11:22:33:44"),
        ("known:500011223344", "500011223344", "ble:50:00:11:22:33:44"),
        ("tile:500011223344", "500011223344", "ble:50:00:11:22:33:44"),
        ("irk:00112233445566778899aabbccddeeff", "4a0011223344", "app:irk:00112233445566778899aabbccddeeff"),
        ("phone:anna", "4a0011223344", "app:phone:anna"),
        ("keys", "4a0011223344", "app:keys"),
        // What many have in common is nobody's name.
        ("apple:1005:9-24", "4a0011223344", "ble:~4a:00:11:22:33:44"),
        ("name:galaxy-s24", "4a0011223344", "ble:~4a:00:11:22:33:44"),
        ("samsung:4a0011223344", "4a0011223344", "ble:~4a:00:11:22:33:44"),
        ("md:0157:26", "800011223344", "ble:80:00:11:22:33:44"),
        // Not of the address that was heard.
        ("tile:510011223344", "4a0011223344", "ble:~4a:00:11:22:33:44"),
    ] {
        assert_eq!(said(&espresense, &message(id, mac)), format!("{read} -68 -65"), "{id}");
    }
    for (id, mac, read) in [
        ("node:hall", "4a0011223344", "nothing"),
        ("iBeacon:e5ca1ade-f007-ba11-0000-000000000000-7-1", "4a0011223344", "nothing"),
        ("iBeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e-1-65536", "4a0011223344", "bad_identifier /id"),
        ("iBeacon:f7826da6", "4a0011223344", "bad_identifier /id"),
        ("eddy:0011223344554466778899-aabbccddeeff", "4a0011223344", "bad_identifier /id"),
        ("known:5000", "4a0011223344", "bad_identifier /id"),
        ("keys of anna", "4a0011223344", "bad_identifier /id"),
        ("", "4a0011223344", "bad_identifier /id"),
        ("apple:1005:9-24", "4a00", "bad_identifier /mac"),
    ] {
        assert_eq!(said(&espresense, &message(id, mac)), read, "{id}");
    }
    assert_eq!(said(&espresense, &json!({"id": "keys"})), "nothing");
    assert_eq!(said(&espresense, &json!({"rssi": -50})), "bad_identifier /id");
    assert_eq!(said(&espresense, &json!({"id": "keys", "rssi": "far"})), "bad_rssi /rssi");
    assert_eq!(said(&espresense, &json!({"id": "keys", "rssi": -50, "rssi@1m": 127})), "app:keys -50 -");
}

#[test]
fn espresense_passes_on_what_devices_say_of_themselves() {
    let espresense = reporter(json!({"format": "espresense"}));
    let message = json!({"mac": "500011223344", "id": "miTherm:500011223344", "rssi": -70, "mV": 2910, "batt": 74,
        "temp": 21.40, "rh": 47.0});
    let expected = BeaconTelemetry {
        battery_mv: Some(2910),
        battery_percent: Some(74),
        temperature_c: Some(21.4),
        ..silent("ble:50:00:11:22:33:44".parse().unwrap(), NOW)
    };
    assert_eq!(read(&espresense, &message).telemetry, [expected]);
    // What is wrong with it is no reason to lose the sighting.
    let message = json!({"id": "keys", "rssi": -70, "mV": -1, "batt": "full", "temp": null});
    let report = read(&espresense, &message);
    assert_eq!((report.pings.len(), report.telemetry.len()), (1, 0));
}

#[test]
fn theengs() {
    let theengs = reporter(json!({"format": "theengs"}));
    let with = |more: Value| {
        let mut message = json!({"id": "4A:00:11:22:33:44", "rssi": -61});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let ibeacon = "4c000215f7826da64fa24e988024bc5b71e0893e00010007c5";
    let uid = "00ed00112233445566778899aabbccddeeff0000";
    let is_uid = "eddystone:00112233445566778899:aabbccddeeff -61 -60";
    let is_ibeacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7 -61 -59";
    for (more, read) in [
        (json!({"manufacturerdata": ibeacon}), is_ibeacon),
        (json!({"manufacturerdata": ibeacon.to_uppercase(), "mac_type": 1, "txpower": 12}), is_ibeacon),
        (
            json!({"model_id": "IBEACON", "type": "BCON", "mfid": "4c00", "uuid": "f7826da64fa24e988024bc5b71e0893e",
                "major": 1, "minor": 7, "txpower": -59}),
            is_ibeacon,
        ),
        (
            json!({"id": "f7826da64fa24e988024bc5b71e0893e", "mac": "4A:00:11:22:33:44", "model_id": "IBEACON",
                "uuid": "f7826da64fa24e988024bc5b71e0893e", "major": 1, "minor": 7, "txpower": -59}),
            is_ibeacon,
        ),
        (json!({"servicedatauuid": "feaa", "servicedata": uid}), is_uid),
        (json!({"servicedatauuid": "0xfeaa", "servicedata": uid}), is_uid),
        (json!({"servicedatauuid": "0000feaa-0000-1000-8000-00805f9b34fb", "servicedata": uid}), is_uid),
        (json!({"manufacturerdata": "5900", "servicedatauuid": "feaa", "servicedata": uid}), is_uid),
        (json!({"servicedatauuid": "feab", "servicedata": uid}), "ble:~4a:00:11:22:33:44 -61 -"),
        // Addresses: as HCI says, as the decoder knows its models, and else by their bits.
        (json!({"mac_type": 0}), "ble:4a:00:11:22:33:44 -61 -"),
        (json!({"mac_type": 1, "txpower": 12}), "ble:~4a:00:11:22:33:44 -61 -"),
        (json!({"mac_type": 1, "model_id": "TILE"}), "ble:~4a:00:11:22:33:44 -61 -"),
        (json!({"model_id": "RuuviTag_RAWv2", "type": "AERQ"}), "ble:4a:00:11:22:33:44 -61 -"),
        (json!({"model_id": "APPLEDEVICE", "type": "TRACK", "prmac": true}), "ble:~4a:00:11:22:33:44 -61 -"),
        (json!({"model_id": "MS-CDP", "type": "RMAC"}), "ble:~4a:00:11:22:33:44 -61 -"),
        (json!({"id": "C0:00:11:22:33:44"}), "ble:~c0:00:11:22:33:44 -61 -"),
        (json!({"id": "80:00:11:22:33:44"}), "ble:80:00:11:22:33:44 -61 -"),
        // Broken data is as if it were not there.
        (
            json!({"manufacturerdata": "4c000215f7", "servicedata": "xx", "servicedatauuid": 7}),
            "ble:~4a:00:11:22:33:44 -61 -",
        ),
        (
            json!({"uuid": "f7826da64fa24e988024bc5b71e0893e", "major": -1, "minor": 7}),
            "ble:~4a:00:11:22:33:44 -61 -",
        ),
        (json!({"id": "hall"}), "bad_identifier /id"),
        (json!({"id": null}), "bad_identifier /id"),
        (json!({"rssi": -200}), "bad_rssi /rssi"),
        // Notices of trackers that are gone.
        (json!({"rssi": null, "presence": "absent"}), "nothing"),
    ] {
        assert_eq!(said(&theengs, &with(more.clone())), read, "{more}");
    }
}

#[test]
fn theengs_passes_on_what_devices_say_of_themselves() {
    let theengs = reporter(json!({"format": "theengs"}));
    let decoded = json!({"id": "A4:C1:38:0A:0B:0C", "rssi": -75, "model_id": "LYWSD03MMC", "tempc": 21.4, "batt": 74,
        "volt": 2.91});
    let expected = BeaconTelemetry {
        battery_mv: Some(2910),
        battery_percent: Some(74),
        temperature_c: Some(21.4),
        ..silent("ble:a4:c1:38:0a:0b:0c".parse().unwrap(), NOW)
    };
    assert_eq!(read(&theengs, &decoded).telemetry, [expected]);
    let tlm = json!({"id": "AC:23:3F:11:22:33", "mac_type": 0, "rssi": -70, "servicedatauuid": "feaa",
        "servicedata": "20000b9415800000000a00000064"});
    let expected = BeaconTelemetry {
        battery_mv: Some(2964),
        temperature_c: Some(21.5),
        advertisements: Some(10),
        uptime_s: Some(10),
        ..silent("ble:ac:23:3f:11:22:33".parse().unwrap(), NOW)
    };
    let report = read(&theengs, &tlm);
    assert_eq!(report.telemetry, [expected]);
    assert_eq!(report.pings.len(), 1, "its address was heard");
}
