//! Frames as real beacons send them, byte by byte from the specifications.

use protocol::beacon::{AltBeacon, BeaconError, Eid, Frame, IBeacon, Tlm, Uid, Url};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The packet holds the frame, and is what the frame is sent as.
fn assert_packet(hex: &str, frame: &Frame, identifier: Option<&str>, tx: Option<i8>) {
    let packet = bytes(hex);
    assert_eq!(Frame::from_advertising(&packet).as_ref(), Ok(frame));
    assert_eq!(frame.to_advertising(), packet);
    assert_eq!(frame.identifier().map(|id| id.to_string()).as_deref(), identifier);
    assert_eq!(frame.tx(), tx);
}

#[test]
fn ibeacon() {
    let uuid = 0xf782_6da6_4fa2_4e98_8024_bc5b_71e0_893e_u128.to_be_bytes();
    assert_packet(
        "020106 1aff 4c00 0215 f7826da64fa24e988024bc5b71e0893e 0001 0007 c5",
        &Frame::IBeacon(IBeacon { uuid, major: 1, minor: 7, power: -59 }),
        Some("ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7"),
        Some(-59),
    );
}

#[test]
fn eddystone_uid() {
    let namespace = [0x8b, 0x0c, 0xa7, 0x50, 0x09, 0x54, 0x77, 0xcb, 0x3e, 0x77];
    assert_packet(
        "020106 0303aafe 1716aafe 00 ee 8b0ca750095477cb3e77 000000000001 0000",
        &Frame::Uid(Uid { power: -18, namespace, instance: [0, 0, 0, 0, 0, 1] }),
        Some("eddystone:8b0ca750095477cb3e77:000000000001"),
        Some(-59),
    );
}

#[test]
fn eddystone_uid_without_the_reserved_bytes() {
    let frame = Frame::from_service_data(0xfeaa, &bytes("00 ee 8b0ca750095477cb3e77 000000000001")).unwrap();
    assert_eq!(frame.identifier().unwrap().to_string(), "eddystone:8b0ca750095477cb3e77:000000000001");
}

#[test]
fn eddystone_url() {
    assert_packet(
        "020106 0303aafe 1016aafe 10 12 03 676f6f2e676c2f 417131", // https://goo.gl/Aq1
        &Frame::Url(Url::new(18, "https://goo.gl/Aq1").unwrap()),
        None,
        Some(-23),
    );
    assert_packet(
        "020106 0303aafe 0e16aafe 10 ee 00 6578616d706c65 00", // http://www.example.com/
        &Frame::Url(Url::new(-18, "http://www.example.com/").unwrap()),
        None,
        Some(-59),
    );
    // A sender may spell out what has a shorter form.
    let spelled = Url::decode(&bytes("10 ee 02 7777772e 6578616d706c65 07 2f")).unwrap();
    assert_eq!(spelled, Url::new(-18, "http://www.example.com/").unwrap());
}

#[test]
fn eddystone_tlm() {
    let tlm = Tlm {
        battery_mv: Some(3000),
        temperature: Some(0x1580),
        advertisements: 0x0102_0304,
        uptime_ds: 36_000,
    };
    assert_packet("020106 0303aafe 1116aafe 20 00 0bb8 1580 01020304 00008ca0", &Frame::Tlm(tlm), None, None);
    assert_eq!(tlm.celsius(), Some(21.5));
    let bare = Tlm::decode(&bytes("20 00 0000 8000 00000001 00000002")).unwrap();
    assert_eq!(bare, Tlm { battery_mv: None, temperature: None, advertisements: 1, uptime_ds: 2 });
    let cold = Tlm::decode(&bytes("20 00 0000 fe80 00000001 00000002")).unwrap();
    assert_eq!(cold.celsius(), Some(-1.5));
}

#[test]
fn eddystone_eid() {
    assert_packet(
        "020106 0303aafe 0d16aafe 30 00 0123456789abcdef",
        &Frame::Eid(Eid { power: 0, eid: 0x0123_4567_89ab_cdef_u64.to_be_bytes() }),
        Some("eid:0123456789abcdef"),
        Some(-41),
    );
}

#[test]
fn altbeacon() {
    let mut id = [0; 20];
    id[..16].copy_from_slice(&0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes());
    assert_packet(
        "020106 1bff 1801 beac 00112233445566778899aabbccddeeff00000000 c5 2a",
        &Frame::AltBeacon(AltBeacon { company: 0x0118, id, power: -59, reserved: 0x2a }),
        Some("altbeacon:00112233445566778899aabbccddeeff00000000"),
        Some(-59),
    );
}

#[test]
fn a_power_that_no_ping_may_have_is_none() {
    let beacon = IBeacon { uuid: [0; 16], major: 0, minor: 0, power: -128 };
    assert_eq!(Frame::IBeacon(beacon).tx(), None);
    assert_eq!(Frame::IBeacon(IBeacon { power: 21, ..beacon }).tx(), None);
    assert_eq!(Frame::Eid(Eid { power: -128, eid: [0; 8] }).tx(), None);
}

#[test]
fn what_is_no_frame() {
    for (hex, error) in [
        ("", BeaconError::Unknown),
        ("020106", BeaconError::Unknown),
        ("00ffff", BeaconError::Unknown),
        ("0201", BeaconError::Length),
        ("ff", BeaconError::Length),
        ("05ff4c001005", BeaconError::Unknown), // another kind of Apple's
        ("05ff4c000215", BeaconError::Length),
        ("1bff4c000215 f7826da64fa24e988024bc5b71e0893e 0001 0007 c5 00", BeaconError::Length),
        ("1bff1801beac 00112233445566778899aabbccddeeff00000000 01 2a", BeaconError::Value),
        ("1aff1801beac 00112233445566778899aabbccddeeff00000000 c5", BeaconError::Length),
        ("0316aafe", BeaconError::Unknown),
        ("0416aafe00", BeaconError::Length),
        ("0616aafe10ee04", BeaconError::Value),
        ("0716aafe10ee020e", BeaconError::Value),
        ("0716aafe10ee0220", BeaconError::Value),
        ("0716aafe10ee02ff", BeaconError::Value),
        ("1316aafe20010bb8158001020304aabbccdd1122", BeaconError::Unknown), // encrypted
        ("1216aafe2000 0bb8 1580 01020304 00008ca0 00", BeaconError::Length),
        ("0c16aafe3000 0123456789abcd", BeaconError::Length),
        ("0416aafe40", BeaconError::Unknown),
        ("0416aafd00", BeaconError::Unknown),
    ] {
        assert_eq!(Frame::from_advertising(&bytes(hex)), Err(error), "{hex}");
    }
    assert_eq!(Url::new(0, "ftp://a"), Err(BeaconError::Value));
    assert_eq!(Url::new(0, "http://a b"), Err(BeaconError::Value));
    assert_eq!(Url::new(0, "http://ä.de"), Err(BeaconError::Value));
    assert_eq!(Url::new(0, "http://abcdefghijklmnopq").map(|url| url.encode().len()), Ok(20));
    assert_eq!(Url::new(0, "http://abcdefghijklmnopqr"), Err(BeaconError::Length));
}

#[test]
fn other_structures_around_a_frame_do_not_matter() {
    let named =
        bytes("020106 0409 616263 0dff ffff 0102030405060708090a 0d16aafe 30 00 0123456789abcdef 0000");
    assert_eq!(
        Frame::from_advertising(&named),
        Ok(Frame::Eid(Eid { power: 0, eid: 0x0123_4567_89ab_cdef_u64.to_be_bytes() })),
    );
}
