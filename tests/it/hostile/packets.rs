//! Hostile packets, each with the answer it gets and the cause it is counted under.

use protocol::Topic;

use crate::mqtt::{Property, Publish, connect, packet, publish, subscribe, text};
use crate::world::Gateway;

/// What the server must do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// Close, saying nothing.
    Close,
    /// DISCONNECT with this reason, then close.
    Goodbye(u8),
    /// CONNACK with this code, then close.
    Refuse(u8),
    /// A packet with this first byte and this last byte.
    Say(u8, u8),
}
use Answer::{Close, Goodbye, Refuse, Say};

/// A hostile input: what it is called, whether it comes after a sign-in with which version, the bytes, the answer, and the
/// cause under which it is counted.
pub(super) type Case = (&'static str, Option<u8>, Vec<u8>, Answer, &'static str);

/// What a stranger may try before signing in.
pub(super) fn before_signing_in(gateway: &Gateway) -> Vec<Case> {
    let device = gateway.device.to_string();
    let named = |level, user: &str, secret: &str| connect(level, "c", Some((user, secret)));
    let mut bad_name = connect(4, "c", None);
    bad_name[4..8].copy_from_slice(b"MQTX");
    let mut reserved_flag = connect(4, "c", None);
    reserved_flag[9] |= 1;
    let mut bad_client_id = text("MQTT");
    bad_client_id.extend([4, 2, 0, 60, 0, 2, 0xC3, 0x28]);
    let mut will_elsewhere = text("MQTT");
    will_elsewhere.extend([4, 0xC6, 0, 60]);
    for part in ["c", "someone/else", "gone", &device, &gateway.secret] {
        will_elsewhere.extend(text(part));
    }
    let mut enhanced = text("MQTT");
    let method = [&[0x15][..], &text("SCRAM-SHA-1")].concat();
    enhanced.extend([5, 2, 0, 60, method.len() as u8]);
    enhanced.extend(method);
    enhanced.extend(text("c"));
    vec![
        ("an HTTP request", None, b"GET / HTTP/1.1\r\n\r\n".to_vec(), Close, "protocol_error"),
        ("PUBLISH before CONNECT", None, publish(4, "a", None, b"x"), Close, "protocol_error"),
        ("a protocol name of its own", None, bad_name, Refuse(1), "unsupported_version"),
        (
            "MQTT 3.1",
            None,
            packet(0x10, &[0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 60, 0, 1, b'c']),
            Refuse(1),
            "unsupported_version",
        ),
        ("MQTT 6", None, connect(6, "c", None), Refuse(0x84), "unsupported_version"),
        ("a reserved CONNECT flag", None, reserved_flag, Close, "malformed_packet"),
        (
            "a length that never ends",
            None,
            vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            Close,
            "malformed_packet",
        ),
        ("a CONNECT of 200 MB", None, vec![0x10, 0x80, 0xC2, 0xD7, 0x5F], Close, "packet_too_large"),
        ("a client id that is not UTF-8", None, packet(0x10, &bad_client_id), Close, "bad_utf8"),
        ("no credentials", None, connect(4, "c", None), Refuse(5), "sign_in_missing"),
        ("no credentials, version 5", None, connect(5, "c", None), Refuse(0x87), "sign_in_missing"),
        ("a wrong secret", None, named(4, &device, "nonsense"), Refuse(4), "bad_credentials"),
        ("a wrong secret, version 5", None, named(5, &device, "nonsense"), Refuse(0x86), "bad_credentials"),
        (
            "an unknown device",
            None,
            named(4, "01890000-0000-7000-8000-000000000000", &gateway.secret),
            Refuse(4),
            "bad_credentials",
        ),
        (
            "a service with a made-up key",
            None,
            named(5, "service", "pk_none"),
            Refuse(0x86),
            "bad_credentials",
        ),
        (
            "a device with an API key's name",
            None,
            named(4, "service", &gateway.secret),
            Refuse(4),
            "bad_credentials",
        ),
        ("a will on another's topic", None, packet(0x10, &will_elsewhere), Refuse(5), "will_not_authorized"),
        (
            "an authentication method nobody knows",
            None,
            packet(0x10, &enhanced),
            Refuse(0x8C),
            "authentication_method",
        ),
    ]
}

/// Packets that break the protocol once signed in.
pub(super) fn broken(gateway: &Gateway) -> Vec<Case> {
    let mut huge = vec![0x30];
    huge.extend([0x80, 0x80, 0x80, 0x01]);
    let alias = |topic: &str, alias| Publish::new(topic, "x").with(Property::TopicAlias(alias)).bytes(5);
    let mut twice = text(gateway.pings_topic());
    twice.extend([0, 1, 4, 0x01, 0, 0x01, 0]);
    vec![
        ("a second CONNECT", Some(4), connect(4, "c", None), Close, "protocol_error"),
        ("a second CONNECT, version 5", Some(5), connect(5, "c", None), Goodbye(0x82), "protocol_error"),
        ("CONNACK from a client", Some(5), packet(0x20, &[0, 0, 0]), Goodbye(0x82), "server_packet"),
        ("UNSUBACK from a client", Some(5), packet(0xB0, &[0, 1, 0, 0]), Goodbye(0x82), "server_packet"),
        ("SUBACK from a client", Some(4), packet(0x90, &[0, 1, 0]), Close, "server_packet"),
        ("a packet of no type", Some(4), vec![0x00, 0x00], Close, "malformed_packet"),
        ("PINGREQ with a body", Some(5), packet(0xC0, &[1]), Goodbye(0x81), "malformed_packet"),
        ("QoS 3", Some(4), packet(0x36, b"\0\x01a\0\x01x"), Close, "malformed_packet"),
        ("a publish of more than the maximum", Some(5), huge, Goodbye(0x95), "packet_too_large"),
        (
            "a topic that is not UTF-8",
            Some(5),
            packet(0x30, &[0, 2, 0xFF, 0xFE, 0]),
            Goodbye(0x81),
            "bad_utf8",
        ),
        ("a topic with U+0000", Some(4), publish(4, "a\0b", None, b"x"), Close, "bad_utf8"),
        ("a topic with a wildcard", Some(5), publish(5, "a/#", None, b"x"), Goodbye(0x90), "bad_topic"),
        ("the topic alias 0", Some(5), alias("a", 0), Goodbye(0x94), "topic_alias"),
        ("a topic alias beyond the last", Some(5), alias("a", 0xFFFF), Goodbye(0x94), "topic_alias"),
        ("a topic alias that was never said", Some(5), alias("", 1), Goodbye(0x82), "protocol_error"),
        (
            "a subscription identifier in a PUBLISH",
            Some(5),
            Publish::new("a", "x").with(Property::SubscriptionIdentifier(1)).bytes(5),
            Goodbye(0x82),
            "protocol_error",
        ),
        ("QoS 0 and DUP", Some(4), Publish::new("a", "x").again().bytes(4), Close, "malformed_packet"),
        ("a property twice", Some(5), packet(0x32, &twice), Goodbye(0x82), "protocol_error"),
        ("a SUBSCRIBE of nothing", Some(5), packet(0x82, &[0, 1, 0]), Goodbye(0x82), "protocol_error"),
        ("a packet id of 0", Some(5), publish(5, "a", Some(0), b"x"), Goodbye(0x82), "protocol_error"),
    ]
}

/// Well-formed packets that ask for what the identity may not have.
pub(super) fn forbidden(gateway: &Gateway, other: &Gateway) -> Vec<Case> {
    vec![
        (
            "a topic that starts with a non-ASCII letter",
            Some(5),
            publish(5, "ünder/x", Some(1), b"x"),
            Say(0x40, 0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, QoS 0, version 5",
            Some(5),
            publish(5, other.pings_topic(), None, b"x"),
            Goodbye(0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, QoS 1, version 5",
            Some(5),
            publish(5, other.pings_topic(), Some(1), b"x"),
            Say(0x40, 0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, QoS 2, version 5",
            Some(5),
            Publish::new(other.pings_topic(), "x").qos(2).bytes(5),
            Say(0x50, 0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, version 3.1.1",
            Some(4),
            publish(4, other.pings_topic(), Some(1), b"x"),
            Close,
            "publish_not_authorized",
        ),
        (
            "a device that writes its own receipts",
            Some(4),
            publish(4, Topic::Receipts(gateway.device).to_string(), Some(1), b"x"),
            Close,
            "publish_not_authorized",
        ),
        (
            "a subscription to everything",
            Some(4),
            subscribe(4, 1, "#"),
            Say(0x90, 0x80),
            "subscribe_not_authorized",
        ),
        (
            "a subscription to everything, version 5",
            Some(5),
            subscribe(5, 1, "#"),
            Say(0x90, 0x87),
            "subscribe_not_authorized",
        ),
        (
            "a subscription across devices",
            Some(4),
            subscribe(4, 1, "v1/+/receipts"),
            Say(0x90, 0x80),
            "subscribe_not_authorized",
        ),
        ("a malformed filter", Some(5), subscribe(5, 1, "a/#/b"), Say(0x90, 0x8F), "bad_filter"),
        (
            "a shared subscription to what one may not have",
            Some(5),
            subscribe(5, 1, "$share/g/a"),
            Say(0x90, 0x87),
            "subscribe_not_authorized",
        ),
        (
            "a shared subscription to somebody else's receipts",
            Some(5),
            subscribe(5, 1, &format!("$share/g/{}", Topic::Receipts(other.device))),
            Say(0x90, 0x87),
            "subscribe_not_authorized",
        ),
        ("a group without a name", Some(5), subscribe(5, 1, "$share//a"), Say(0x90, 0x8F), "bad_filter"),
        (
            "the platform's own topics",
            Some(5),
            subscribe(5, 1, "$SYS/#"),
            Say(0x90, 0x87),
            "subscribe_not_authorized",
        ),
    ]
}
