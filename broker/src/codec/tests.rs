//! The codec against arbitrary bytes, against bytes written down by hand, and against a codec of other people.

mod others;

use proptest::prelude::*;

use super::Version::{V4, V5};
use super::*;
use crate::access::NOBODY;
use crate::message::{Draft, Message};

const VERSIONS: [Version; 2] = [V4, V5];
const MAX: usize = 1 << 20;

/// Reads what a connection would read of these bytes, and looks at every part of it.
fn read_all(mut bytes: &[u8], version: Version) -> Result<usize, DecodeError> {
    let mut count = 0;
    while let Some(frame) = frame(bytes, MAX)? {
        assert!(frame.len >= 2 && frame.len <= bytes.len(), "{frame:?} of {}", bytes.len());
        if frame.head == 0x10 {
            protocol_version(bytes, frame)?;
        }
        look_at(&decode(bytes, frame, version)?, version);
        bytes = &bytes[frame.len..];
        count += 1;
    }
    Ok(count)
}

/// What is promised of every packet that was decoded.
fn look_at(packet: &Packet<'_>, version: Version) {
    match packet {
        Packet::Publish(publish) => {
            assert!(!publish.topic.is_empty() || publish.alias.is_some());
            assert!(!publish.topic.contains(['+', '#', '\0']));
            assert_ne!(publish.id, Some(0));
            assert_eq!(publish.id.is_none(), publish.qos == Qos::AtMostOnce);
            assert_ne!(publish.alias, Some(0));
            assert!(version == V5 || publish.properties.iter().next().is_none());
            publish.properties.forwarded();
        }
        Packet::Subscribe { id, filters, .. } | Packet::Unsubscribe { id, filters } => {
            assert_ne!(*id, 0);
            assert!(filters.clone().count() > 0, "a list of none is no packet");
        }
        Packet::Connect(connect) => {
            connect.properties.iter().count();
            if let Some(will) = &connect.will {
                will.properties.forwarded();
            }
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            assert_ne!(ack.id, 0);
        }
        Packet::PingReq | Packet::Disconnect(_) => {}
    }
}

/// One packet of each kind that a client sends, in both versions.
fn valid() -> Vec<(Version, Vec<u8>)> {
    let bodies: [(Version, u8, &[u8]); 25] = [
        (V4, 0x10, b"\0\x04MQTT\x04\x02\0\x3C\0\x01c"),
        (V4, 0x10, b"\0\x04MQTT\x04\xCE\0\x0A\0\x01c\0\x01w\0\x02hi\0\x01u\0\x02pw"),
        (V5, 0x10, b"\0\x04MQTT\x05\x02\0\x3C\x05\x11\0\0\x0E\x10\0\x01c"),
        (
            V5,
            0x10,
            b"\0\x04MQTT\x05\xCE\0\x0A\x0B\x21\0\x14\x27\0\0\x10\0\x22\0\0\0\x01c\
              \x0B\x18\0\0\0\x05\x03\0\x03a/b\0\x01w\0\x02hi\0\x01u\0\x02pw",
        ),
        (V4, 0x30, b"\0\x03a/bx"),
        (V4, 0x3B, b"\0\x03a/b\0\x07x"),
        (V5, 0x30, b"\0\x03a/b\0x"),
        (V5, 0x32, b"\0\x03a/b\0\x07\x0F\x01\x01\x02\0\0\0\x09\x26\0\x01k\0\x02vvx"),
        (V4, 0x40, b"\0\x07"),
        (V5, 0x40, b"\0\x07\x10\0"),
        (V4, 0x3D, b"\0\x03a/b\0\x07x"),
        (V5, 0x34, b"\0\0\0\x07\x03\x23\0\x01x"),
        (V4, 0x50, b"\0\x07"),
        (V5, 0x50, b"\0\x07\x87"),
        (V4, 0x62, b"\0\x07"),
        (V5, 0x62, b"\0\x07\0\0"),
        (V5, 0x70, b"\0\x07"),
        (V5, 0x82, b"\0\x01\x02\x0B\x07\0\x01a\x02"),
        (V4, 0x82, b"\0\x01\0\x03a/+\x01\0\x01b\0"),
        (V5, 0x82, b"\0\x01\0\0\x05a/+/#\x2D"),
        (V4, 0xA2, b"\0\x01\0\x03a/b"),
        (V5, 0xA2, b"\0\x01\0\0\x01a\0\x02b+"),
        (V4, 0xC0, b""),
        (V4, 0xE0, b""),
        (V5, 0xE0, b"\x04\x05\x11\0\0\0\x0A"),
    ];
    bodies.map(|(version, head, body)| (version, [&[head, body.len() as u8], body].concat())).into()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        for version in VERSIONS {
            let _ = read_all(&bytes, version);
        }
    }

    /// A first byte and a length that fit bring the bytes behind them to the decoders of each packet.
    #[test]
    fn arbitrary_bodies_never_panic(head: u8, body in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut bytes = vec![head, body.len() as u8];
        bytes.extend(&body);
        for version in VERSIONS {
            let _ = read_all(&bytes, version);
        }
    }

    #[test]
    fn mutated_packets_never_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        insert in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let packets = valid();
        let mut bytes = which.get(&packets).1.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some((at, value)) = insert {
            bytes.insert(at.index(bytes.len()), value);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for version in VERSIONS {
            let _ = read_all(&bytes, version);
        }
    }
}

#[test]
fn every_valid_packet_is_read_and_none_of_its_beginnings() {
    for (version, bytes) in valid() {
        assert_eq!(read_all(&bytes, version), Ok(1), "{bytes:02x?}");
        for length in 0..bytes.len() {
            assert_eq!(read_all(&bytes[..length], version), Ok(0), "{length} bytes of {bytes:02x?}");
        }
        // A CONNECT whose length says that it ends earlier is broken, wherever that is.
        for length in (2..bytes.len()).filter(|_| bytes[0] == 0x10) {
            let mut short = bytes[..length].to_vec();
            short[1] = (length - 2) as u8;
            assert!(read_all(&short, version).is_err(), "{short:02x?}");
        }
    }
}

#[test]
fn a_packet_that_is_too_large_is_known_by_its_length() {
    assert_eq!(frame(&[0x30, 0xFF, 0x7F], 16_386).expect("it fits").map(|frame| frame.len), None);
    assert!(matches!(frame(&[0x30, 0xFF, 0x7F], 16_385), Err(DecodeError::TooLarge)));
    assert!(matches!(frame(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], MAX), Err(DecodeError::Malformed)));
    assert!(frame(&[0x30, 0x80, 0x80], MAX).expect("not yet").is_none());
}

/// What version 5 refuses and 3.1.1 does not speak of.
#[test]
fn version_5_is_strict() {
    for (wrong, error) in [
        (&b"\xC0\x80\0"[..], DecodeError::Malformed), // a length in two bytes that needs one: MQTT-1.5.5-1
        (b"\x30\x05\0\x01a\x80\0", DecodeError::Malformed),
        (b"\xE0\x01\x05", DecodeError::Protocol), // no such code: MQTT-3.14.2-1
        (b"\xE0\x01\x8E", DecodeError::Protocol), // one that only a server gives
        (b"\x30\x07\0\x01a\x03\x08\0\0", DecodeError::Protocol), // a response topic of no character
    ] {
        assert_eq!(read_all(wrong, V5), Err(error), "{wrong:02x?}");
    }
    assert_eq!(read_all(b"\xC0\x80\0", V4), Ok(1));
}

/// Bytes from the examples and tables of the specifications.
#[test]
fn what_the_server_says_byte_by_byte() {
    let said = |say: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        say(&mut out);
        out
    };
    assert_eq!(said(&|out| connack(out, V4, true, 0, None, None)), [0x20, 2, 1, 0]);
    assert_eq!(said(&|out| connack(out, V4, false, 5, None, None)), [0x20, 2, 0, 5]);
    assert_eq!(said(&|out| connack(out, V5, false, 0x87, None, None)), [0x20, 3, 0, 0x87, 0]);
    let offer = Offer {
        assigned_client_id: Some("id"),
        receive_maximum: 1024,
        maximum_packet_size: 1 << 20,
        topic_alias_maximum: 7,
        session_expiry: Some(86_400),
        server_keep_alive: Some(60),
        response_information: Some("r"),
    };
    assert_eq!(
        said(&|out| connack(out, V5, true, 0, Some(offer), None)),
        b"\x20\x1F\x01\0\x1C\x21\x04\0\x27\0\x10\0\0\x22\0\x07\x11\0\x01\x51\x80\x13\0\x3C\x12\0\x02id\x1A\0\x01r"
    );
    let detail = Some(Detail { reason: "no", limit: Some("x") });
    assert_eq!(
        said(&|out| connack(out, V5, false, 0x97, None, detail)),
        b"\x20\x13\0\x97\x10\x1F\0\x02no\x26\0\x05limit\0\x01x"
    );
    assert_eq!(said(&|out| ack(out, V4, Ack::Puback, 0x1234, 0x97, detail)), [0x40, 2, 0x12, 0x34]);
    assert_eq!(said(&|out| ack(out, V5, Ack::Puback, 0x1234, 0, None)), [0x40, 2, 0x12, 0x34]);
    assert_eq!(said(&|out| ack(out, V5, Ack::Pubrec, 0x1234, 0x97, None)), [0x50, 3, 0x12, 0x34, 0x97]);
    assert_eq!(said(&|out| ack(out, V4, Ack::Pubrel, 0x1234, 0x92, None)), [0x62, 2, 0x12, 0x34]);
    assert_eq!(said(&|out| ack(out, V5, Ack::Pubcomp, 0x1234, 0x92, None)), [0x70, 3, 0x12, 0x34, 0x92]);
    assert_eq!(
        said(&|out| ack(out, V5, Ack::Puback, 10, 0x97, detail)),
        b"\x40\x14\0\x0A\x97\x10\x1F\0\x02no\x26\0\x05limit\0\x01x"
    );
    assert_eq!(said(&|out| suback(out, V4, 10, &[0, 1, 0x80], None)), [0x90, 5, 0, 10, 0, 1, 0x80]);
    assert_eq!(said(&|out| suback(out, V5, 10, &[0, 0x87], None)), [0x90, 5, 0, 10, 0, 0, 0x87]);
    assert_eq!(said(&|out| unsuback(out, V4, 10, &[0])), [0xB0, 2, 0, 10]);
    assert_eq!(said(&|out| unsuback(out, V5, 10, &[0, 0x11])), [0xB0, 5, 0, 10, 0, 0, 0x11]);
    assert_eq!(said(&|out| disconnect(out, V4, 0x8D, None)), [0; 0]);
    assert_eq!(said(&|out| disconnect(out, V5, 0x8D, None)), [0xE0, 1, 0x8D]);
    assert_eq!(said(&|out| disconnect(out, V5, 0x97, detail))[..4], [0xE0, 0x12, 0x97, 0x10]);
    assert_eq!(said(&|out| pingresp(out)), [0xD0, 0]);
}

fn message(topic: &str, payload: &[u8], properties: &[u8]) -> Message {
    Message::new(Draft {
        organization: NOBODY,
        publisher: 0,
        topic,
        properties,
        payload,
        qos: Qos::AtLeastOnce,
        retain: true,
        expires_at: None,
    })
}

#[test]
fn deliveries_byte_by_byte() {
    let said = |message: &Message, version, delivery: Delivery<'_>| {
        let mut out = Vec::new();
        publish(&mut out, version, message, &delivery);
        assert_eq!(out.len(), publish_size(version, message, &delivery));
        out
    };
    let plain = Delivery {
        qos: Qos::AtMostOnce,
        id: 10,
        retain: false,
        dup: false,
        alias: Alias::None,
        expiry: None,
        identifiers: &[],
    };
    let message = message("a/b", b"hi", &[0x01, 0x01]);
    assert_eq!(said(&message, V4, plain), b"\x30\x07\0\x03a/bhi");
    let again = Delivery { qos: Qos::AtLeastOnce, retain: true, dup: true, ..plain };
    assert_eq!(said(&message, V4, again), b"\x3B\x09\0\x03a/b\0\x0Ahi");
    let retained = Delivery { qos: Qos::AtLeastOnce, retain: true, ..plain };
    assert_eq!(said(&message, V5, retained), b"\x33\x0C\0\x03a/b\0\x0A\x02\x01\x01hi");
    let named = Delivery {
        qos: Qos::ExactlyOnce,
        alias: Alias::Set(3),
        expiry: Some(9),
        identifiers: &[1, 200],
        ..plain
    };
    assert_eq!(
        said(&message, V5, named),
        b"\x34\x19\0\x03a/b\0\x0A\x0F\x01\x01\x23\0\x03\x02\0\0\0\x09\x0B\x01\x0B\xC8\x01hi"
    );
    let by_alias = Delivery { alias: Alias::Known(3), ..plain };
    assert_eq!(said(&message, V5, by_alias), b"\x30\x0A\0\0\x05\x01\x01\x23\0\x03hi");
    let out = said(&self::message("t", &[7; 200], &[]), V4, plain);
    assert_eq!(out[..6], [0x30, 0xCB, 0x01, 0, 1, b't'], "203 takes two bytes of length");
}
