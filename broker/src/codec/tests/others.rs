//! The codec against the one of `rumqttd`: each reads what the other writes.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rumqttd::protocol as theirs;
use rumqttd::protocol::Protocol;

use super::*;

proptest! {
    /// Any message that goes out has the size that was announced, and their codec reads what we wrote.
    #[test]
    fn they_read_the_messages_we_write(
        topic in "[a-zé/]{1,40}",
        payload in prop::collection::vec(any::<u8>(), 0..300),
        level in 0_u8..3,
        retain: bool,
        dup: bool,
        id in 1_u16..,
        identifiers in prop::collection::vec(1_u32..268_435_455, 0..3),
        expiry: Option<u32>,
    ) {
        let qos = Qos::of(level);
        let dup = dup && level > 0;
        let message = message(&topic, &payload, &[]);
        for version in VERSIONS {
            let mut out = Vec::new();
            let alias = Alias::None;
            let delivery = Delivery { qos, id, retain, dup, alias, expiry, identifiers: &identifiers };
            publish(&mut out, version, &message, &delivery);
            prop_assert_eq!(out.len(), publish_size(version, &message, &delivery));
            prop_assert_eq!(out[0], 0x30 | u8::from(dup) << 3 | level << 1 | u8::from(retain));
            let theirs::Packet::Publish(read, _) = they_read(version, &out) else { panic!("no PUBLISH") };
            prop_assert_eq!((&read.topic[..], &read.payload[..]), (topic.as_bytes(), &payload[..]));
            prop_assert_eq!(read.retain, retain);
            if version == V5 && !identifiers.is_empty() {
                continue; // only a server may send them, so we do not read them
            }
            // And so do we.
            let head = frame(&out, MAX).expect("a length").expect("a whole packet");
            let Ok(Packet::Publish(read)) = decode(&out, head, version) else { panic!("no PUBLISH") };
            prop_assert_eq!((read.topic, read.payload, read.retain), (topic.as_str(), &payload[..], retain));
            prop_assert_eq!((read.id, read.qos), ((level > 0).then_some(id), qos));
        }
    }
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
        let properties = (version == V5).then(|| properties.clone());
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
        if version == V5 {
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
        if version == V5 {
            let said: Vec<_> = read.properties.iter().collect();
            assert_eq!(
                said,
                [Property::PayloadFormat(1), Property::MessageExpiry(9), Property::User("k", "vv")]
            );
        }

        let filter = |path: &str, qos, rule| theirs::Filter {
            path: path.to_owned(),
            qos,
            nolocal: version == V5,
            preserve_retain: version == V5,
            retain_forward_rule: rule,
        };
        let filters = vec![
            filter("a/+/#", theirs::QoS::AtLeastOnce, theirs::RetainForwardRule::OnEverySubscribe),
            filter("ä", theirs::QoS::AtMostOnce, theirs::RetainForwardRule::OnEverySubscribe),
        ];
        let packet = theirs::Packet::Subscribe(theirs::Subscribe { pkid: 300, filters }, None);
        let bytes = they_write(version, packet);
        let head = frame(&bytes, MAX).expect("a length").expect("a whole packet");
        let Ok(Packet::Subscribe { id, filters, identifier: None }) = decode(&bytes, head, version) else {
            panic!("{version:?}: no SUBSCRIBE")
        };
        let options = if version == V5 { 0x0C } else { 0 };
        let read: Vec<_> = filters.map(|filter| (filter.path, filter.options)).collect();
        assert_eq!((id, read), (300, vec![("a/+/#", 1 | options), ("ä", options)]));
    }
}

fn they_write(version: Version, packet: theirs::Packet) -> Vec<u8> {
    let mut out = BytesMut::new();
    let written = match version {
        V4 => theirs::v4::V4.write(packet, &mut out),
        V5 => theirs::v5::V5.write(packet, &mut out),
    };
    written.expect("a packet of theirs");
    out.to_vec()
}

fn they_read(version: Version, bytes: &[u8]) -> theirs::Packet {
    let mut bytes = BytesMut::from(bytes);
    let read = match version {
        V4 => theirs::v4::V4.read_mut(&mut bytes, MAX),
        V5 => theirs::v5::V5.read_mut(&mut bytes, MAX),
    };
    read.expect("a packet of ours")
}
