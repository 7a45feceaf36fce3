//! The codec against arbitrary bytes, against bytes written down by hand, and against a codec of other people.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rumqttd::protocol as theirs;
use rumqttd::protocol::Protocol;

use super::*;
use crate::message::Message;

const VERSIONS: [Version; 2] = [Version::V4, Version::V5];
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
            assert!(!publish.topic.is_empty() && !publish.topic.contains(['+', '#', '\0']));
            assert_ne!(publish.id, Some(0));
            assert!(version == Version::V5 || publish.properties.raw().is_empty());
            publish.properties.iter().count();
        }
        Packet::Subscribe { id, filters } | Packet::Unsubscribe { id, filters } => {
            assert_ne!(*id, 0);
            assert!(filters.clone().count() > 0, "a list of none is no packet");
        }
        Packet::Connect(connect) => {
            connect.properties.iter().count();
            if let Some(will) = &connect.will {
                let kept = will.properties.without_will_delay();
                assert!(kept.len() <= will.properties.raw().len());
            }
        }
        Packet::PubAck(ack) => assert_ne!(ack.id, 0),
        Packet::PingReq | Packet::Disconnect(_) => {}
    }
}

/// One packet of each kind that a client sends, in both versions.
fn valid() -> Vec<(Version, Vec<u8>)> {
    use Version::{V4, V5};
    let bodies: [(Version, u8, &[u8]); 17] = [
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

    /// Any message that goes out has the size that was announced, and their codec reads what we wrote.
    #[test]
    fn they_read_the_messages_we_write(
        topic in "[a-zé/]{1,40}",
        payload in prop::collection::vec(any::<u8>(), 0..300),
        at_least_once: bool,
        retain: bool,
        dup: bool,
        id in 1_u16..,
    ) {
        let qos = if at_least_once { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        let dup = dup && at_least_once;
        let message = Message::new(&topic, &payload, &[], qos, retain, 0);
        for version in VERSIONS {
            let mut out = Vec::new();
            publish(&mut out, version, &message, Delivery { qos, id, retain, dup });
            prop_assert_eq!(out.len(), publish_size(version, &message, qos));
            prop_assert_eq!(out[0], 0x30 | u8::from(dup) << 3 | u8::from(at_least_once) << 1 | u8::from(retain));
            let theirs::Packet::Publish(read, _) = they_read(version, &out) else { panic!("no PUBLISH") };
            prop_assert_eq!((&read.topic[..], &read.payload[..]), (topic.as_bytes(), &payload[..]));
            prop_assert_eq!(read.retain, retain);
            // And so do we.
            let head = frame(&out, MAX).expect("a length").expect("a whole packet");
            let Ok(Packet::Publish(read)) = decode(&out, head, version) else { panic!("no PUBLISH") };
            prop_assert_eq!((read.topic, read.payload, read.retain), (topic.as_str(), &payload[..], retain));
            prop_assert_eq!(read.id, at_least_once.then_some(id));
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

/// Bytes from the examples and tables of the specifications.
#[test]
fn what_the_server_says_byte_by_byte() {
    let said = |say: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        say(&mut out);
        out
    };
    use Version::{V4, V5};
    assert_eq!(said(&|out| connack(out, V4, true, 0, None)), [0x20, 2, 1, 0]);
    assert_eq!(said(&|out| connack(out, V4, false, 5, None)), [0x20, 2, 0, 5]);
    assert_eq!(said(&|out| connack(out, V5, false, 0x87, None)), [0x20, 3, 0, 0x87, 0]);
    let offer = Offer {
        assigned_client_id: Some("id"),
        receive_maximum: 1024,
        maximum_packet_size: 1 << 20,
        session_expiry: Some(86_400),
    };
    assert_eq!(
        said(&|out| connack(out, V5, true, 0, Some(offer))),
        b"\x20\x1B\x01\0\x18\x21\x04\0\x24\x01\x27\0\x10\0\0\x29\0\x2A\0\x11\0\x01\x51\x80\x12\0\x02id"
    );
    assert_eq!(said(&|out| puback(out, V4, 0x1234, 0x97)), [0x40, 2, 0x12, 0x34]);
    assert_eq!(said(&|out| puback(out, V5, 0x1234, 0)), [0x40, 2, 0x12, 0x34]);
    assert_eq!(said(&|out| puback(out, V5, 0x1234, 0x97)), [0x40, 3, 0x12, 0x34, 0x97]);
    assert_eq!(said(&|out| suback(out, V4, 10, &[0, 1, 0x80])), [0x90, 5, 0, 10, 0, 1, 0x80]);
    assert_eq!(said(&|out| suback(out, V5, 10, &[0, 0x87])), [0x90, 5, 0, 10, 0, 0, 0x87]);
    assert_eq!(said(&|out| unsuback(out, V4, 10, &[0])), [0xB0, 2, 0, 10]);
    assert_eq!(said(&|out| unsuback(out, V5, 10, &[0, 0x11])), [0xB0, 5, 0, 10, 0, 0, 0x11]);
    assert_eq!(said(&|out| disconnect(out, V4, 0x8D)), [0; 0]);
    assert_eq!(said(&|out| disconnect(out, V5, 0x8D)), [0xE0, 1, 0x8D]);
    assert_eq!(said(&|out| pingresp(out)), [0xD0, 0]);
    let message = Message::new("a/b", b"hi", &[0x01, 0x01], Qos::AtLeastOnce, true, 0);
    let delivery = |qos, retain, dup| Delivery { qos, id: 10, retain, dup };
    assert_eq!(
        said(&|out| publish(out, V4, &message, delivery(Qos::AtMostOnce, false, false))),
        b"\x30\x07\0\x03a/bhi"
    );
    assert_eq!(
        said(&|out| publish(out, V4, &message, delivery(Qos::AtLeastOnce, true, true))),
        b"\x3B\x09\0\x03a/b\0\x0Ahi"
    );
    assert_eq!(
        said(&|out| publish(out, V5, &message, delivery(Qos::AtLeastOnce, true, false))),
        b"\x33\x0C\0\x03a/b\0\x0A\x02\x01\x01hi"
    );
    let long = Message::new("t", &[7; 200], &[], Qos::AtMostOnce, false, 0);
    let out = said(&|out| publish(out, V4, &long, delivery(Qos::AtMostOnce, false, false)));
    assert_eq!(out[..6], [0x30, 0xCB, 0x01, 0, 1, b't'], "203 takes two bytes of length");
}

#[test]
fn their_connect_is_read_as_they_mean_it() {
    let connect = theirs::Connect { keep_alive: 30, client_id: "ä/#".to_owned(), clean_session: false };
    let will = theirs::LastWill {
        topic: Bytes::from_static(b"last/will"),
        message: Bytes::from_static(b"gone"),
        qos: theirs::QoS::AtLeastOnce,
        retain: true,
    };
    let login = theirs::Login { username: "user".to_owned(), password: "secret".to_owned() };
    let properties = theirs::ConnectProperties {
        session_expiry_interval: Some(3600),
        receive_maximum: Some(20),
        max_packet_size: Some(4096),
        topic_alias_max: Some(5),
        request_response_info: Some(1),
        request_problem_info: Some(0),
        user_properties: vec![("k".to_owned(), "v".to_owned())],
        authentication_method: None,
        authentication_data: None,
    };
    for version in VERSIONS {
        let properties = (version == Version::V5).then(|| properties.clone());
        let packet = theirs::Packet::Connect(
            connect.clone(),
            properties,
            Some(will.clone()),
            None,
            Some(login.clone()),
        );
        let bytes = they_write(version, packet);
        let head = frame(&bytes, MAX).expect("a length").expect("a whole packet");
        assert_eq!(protocol_version(&bytes, head), Ok(version));
        let Ok(Packet::Connect(read)) = decode(&bytes, head, version) else {
            panic!("{version:?}: no CONNECT")
        };
        assert_eq!((read.client_id, read.keep_alive, read.clean), ("ä/#", 30, false));
        assert_eq!((read.user_name, read.password), (Some("user"), Some(&b"secret"[..])));
        let will = read.will.expect("a will");
        assert_eq!(
            (will.topic, will.payload, will.qos, will.retain),
            ("last/will", &b"gone"[..], Qos::AtLeastOnce, true)
        );
        let asked: Vec<_> = read.properties.iter().collect();
        if version == Version::V5 {
            for property in [
                Property::SessionExpiry(3600),
                Property::ReceiveMaximum(20),
                Property::MaximumPacketSize(4096),
                Property::TopicAliasMaximum(5),
                Property::User("k", "v"),
            ] {
                assert!(asked.contains(&property), "{property:?} is not in {asked:?}");
            }
        } else {
            assert_eq!(asked, []);
        }
    }
}

#[test]
fn their_messages_and_subscriptions_are_read_as_they_mean_them() {
    for version in VERSIONS {
        // Their QoS 1 message cannot be made from outside, only read; so it goes through their reader first.
        let ours = valid().into_iter().find(|(of, bytes)| *of == version && bytes[0] & 0xF2 == 0x32);
        let (_, ours) = ours.expect("a QoS 1 message");
        let bytes = they_write(version, they_read(version, &ours));
        let head = frame(&bytes, MAX).expect("a length").expect("a whole packet");
        let Ok(Packet::Publish(read)) = decode(&bytes, head, version) else {
            panic!("{version:?}: no PUBLISH")
        };
        assert_eq!((read.topic, read.payload, read.id), ("a/b", &b"x"[..], Some(7)));
        if version == Version::V5 {
            let said: Vec<_> = read.properties.iter().collect();
            assert_eq!(
                said,
                [Property::PayloadFormat(1), Property::MessageExpiry(9), Property::User("k", "vv")]
            );
        }

        let filter = |path: &str, qos, rule| theirs::Filter {
            path: path.to_owned(),
            qos,
            nolocal: version == Version::V5,
            preserve_retain: version == Version::V5,
            retain_forward_rule: rule,
        };
        let filters = vec![
            filter("a/+/#", theirs::QoS::AtLeastOnce, theirs::RetainForwardRule::OnEverySubscribe),
            filter("ä", theirs::QoS::AtMostOnce, theirs::RetainForwardRule::OnEverySubscribe),
        ];
        let packet = theirs::Packet::Subscribe(theirs::Subscribe { pkid: 300, filters }, None);
        let bytes = they_write(version, packet);
        let head = frame(&bytes, MAX).expect("a length").expect("a whole packet");
        let Ok(Packet::Subscribe { id, filters }) = decode(&bytes, head, version) else {
            panic!("{version:?}: no SUBSCRIBE")
        };
        let options = if version == Version::V5 { 0x0C } else { 0 };
        let read: Vec<_> = filters.map(|filter| (filter.path, filter.options)).collect();
        assert_eq!((id, read), (300, vec![("a/+/#", 1 | options), ("ä", options)]));
    }
}

fn they_write(version: Version, packet: theirs::Packet) -> Vec<u8> {
    let mut out = BytesMut::new();
    let written = match version {
        Version::V4 => theirs::v4::V4.write(packet, &mut out),
        Version::V5 => theirs::v5::V5.write(packet, &mut out),
    };
    written.expect("a packet of theirs");
    out.to_vec()
}

fn they_read(version: Version, bytes: &[u8]) -> theirs::Packet {
    let mut bytes = BytesMut::from(bytes);
    let read = match version {
        Version::V4 => theirs::v4::V4.read_mut(&mut bytes, MAX),
        Version::V5 => theirs::v5::V5.read_mut(&mut bytes, MAX),
    };
    read.expect("a packet of ours")
}
