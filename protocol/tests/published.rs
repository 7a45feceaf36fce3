//! Packets that others published with what is in them: recorded from beacons, or from the tests of other decoders.
//!
//! `protocol/tests/beacon.rs` has what the specifications say byte by byte.

use protocol::beacon::{AltBeacon, BeaconError, Eid, Frame, IBeacon, Tlm, Uid, Url};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn assert_frame(hex: &str, frame: Frame) {
    assert_eq!(Frame::from_advertising(&bytes(hex)), Ok(frame), "{hex}");
}

/// A Blue Charm BC011 with its scan response behind each packet, from Android's own tests (`ScanRecordTest`).
#[test]
fn a_beacon_of_blue_charm() {
    const RESPONSE: &str = "09168020691e0efe1355 1109426c7565436861726d5f313639363835 000000";
    let name: [u8; 15] = *b"BlueCharmBeacon";
    let mut uuid = [b's'; 16];
    uuid[..15].copy_from_slice(&name);
    assert_frame(
        &format!("020106 1aff4c000215 426c7565436861726d426561636f6e73 0efe 1355 c5 {RESPONSE}"),
        Frame::IBeacon(IBeacon { uuid, major: 3_838, minor: 4_949, power: -59 }),
    );
    assert_frame(
        &format!("020106 0303aafe 1716aafe 00ee 626c7565636861726d31 000000000001 0000 {RESPONSE}"),
        Frame::Uid(Uid { power: -18, namespace: *b"bluecharm1", instance: [0, 0, 0, 0, 0, 1] }),
    );
    assert_frame(
        &format!("020106 0303aafe 1716aafe 10ee 01 626c7565636861726d626561636f6e73 00 {RESPONSE}"),
        Frame::Url(Url::new(-18, "https://www.bluecharmbeacons.com/").unwrap()),
    );
    let tlm = Tlm {
        battery_mv: Some(3_056),
        temperature: Some(23 * 256),
        advertisements: 558_920,
        uptime_ds: 66_818_900,
    };
    assert_frame(
        "020106 0303aafe 1116aafe 2000 0bf0 1700 00088748 03fb9354 0916802069080efe1355",
        Frame::Tlm(tlm),
    );
}

/// As `MikroTik` shows it in the manual of its receivers: 2.928 V, 21.285 °C, 37,040,856 packets in 3,724,474.2 s.
#[test]
fn telemetry_of_a_tag_of_mikrotik() {
    let packet = bytes("020106 0303aafe 1116aafe 2000 0b70 1549 023532d8 02384f46");
    let Ok(Frame::Tlm(tlm)) = Frame::from_advertising(&packet) else { panic!("no telemetry") };
    assert_eq!(tlm.battery_mv, Some(2_928));
    assert!((tlm.celsius().unwrap() - 21.285).abs() < 0.001);
    assert_eq!((tlm.advertisements, tlm.uptime_ds), (37_040_856, 37_244_742));
}

/// A Bluno by `DFRobot` that sends the UUID of Apple's `AirLocate`, from the tests of `ble_monitor` (`test_ibeacon`).
#[test]
fn an_ibeacon_of_dfrobot() {
    assert_frame(
        "02011a 1aff4c000215 e2c56db5dffb48d2b060d0f5a71096e0 0064 0000 c5",
        Frame::IBeacon(IBeacon {
            uuid: 0xe2c5_6db5_dffb_48d2_b060_d0f5_a710_96e0_u128.to_be_bytes(),
            major: 100,
            minor: 0,
            power: -59,
        }),
    );
}

/// From the tests of the Android Beacon Library, whose authors wrote the specification of `AltBeacon`
/// (`AltBeaconParserTest`, `GattBeaconTest`).
#[test]
fn packets_of_the_android_beacon_library() {
    let mut id = [0; 20];
    id[..16].copy_from_slice(&0x2f23_4454_cf6d_4a0f_adf2_f491_1ba9_ffa6_u128.to_be_bytes());
    id[16..].copy_from_slice(&[0, 1, 0, 2]);
    assert_frame(
        "02011a 1bff1801 beac 2f234454cf6d4a0fadf2f4911ba9ffa6 0001 0002 c5 09 00",
        Frame::AltBeacon(AltBeacon { company: 0x0118, id, power: -59, reserved: 9 }),
    );
    // Without the two reserved bytes, which old beacons leave out.
    assert_frame(
        "020106 0303aafe 1516aafe 00e7 00010203040506070809 010203040506 0000000000000000",
        Frame::Uid(Uid {
            power: -25,
            namespace: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            instance: [1, 2, 3, 4, 5, 6],
        }),
    );
}

/// From the tests of `ruuvitag-sensor`: a `RuuviTag` that shows its measurements as an address.
#[test]
fn an_address_of_a_ruuvitag() {
    assert_frame(
        "020106 0303aafe 1616aafe 10ee 03 7275752e76692f23416a7759414d4663",
        Frame::Url(Url::new(-18, "https://ruu.vi/#AjwYAMFc").unwrap()),
    );
}

/// From the tests of `kontaktparser`, which reads beacons of Kontakt.io.
#[test]
fn packets_of_kontakt() {
    let uuid = 0xf782_6da6_4fa2_4e98_8024_bc5b_71e0_893e_u128.to_be_bytes();
    assert_frame(
        "1aff4c000215 f7826da64fa24e988024bc5b71e0893e 0102 0304 b3",
        Frame::IBeacon(IBeacon { uuid, major: 0x0102, minor: 0x0304, power: -77 }),
    );
    assert_frame("0b16aafe 1004 03 746573740c", Frame::Url(Url::new(4, "https://test.biz").unwrap()));
    assert_frame(
        "0f16aafe 1004 00 746573740674657374",
        Frame::Url(Url::new(4, "http://www.test.gov/test").unwrap()),
    );
    assert_frame("0d16aafe 3004 5152535455565758", Frame::Eid(Eid { power: 4, eid: *b"QRSTUVWX" }));
    // Telemetry that cannot be read without a key, and Kontakt's own format.
    for hex in ["1516aafe 2001 0102030405060708090a0b0c 0102 1112", "0f166afe 0206010f64 04616263646566"] {
        assert_eq!(Frame::from_advertising(&bytes(hex)), Err(BeaconError::Unknown), "{hex}");
    }
}
