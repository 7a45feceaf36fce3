//! Text in packets: UTF-8, without U+0000, and nothing changed on the way (section 1.5).

use super::case::{Case, both, breaks, case, equal, rejects, v5};
use super::connect::MALFORMED;
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Connect, Property, Publish, Will, subscribe_to, text, unsubscribe_from};

/// Topic names and filters that are not what they must be; version 5 has codes of its own for both.
const NO_TOPIC: &[u8] = &[0x81, 0x82, 0x90];
const NO_FILTER: &[u8] = &[0x81, 0x82, 0x8F];

pub(super) fn cases() -> Vec<Case> {
    let ill_formed = both("MQTT-1.5.3-1", "MQTT-1.5.4-1");
    let null = both("MQTT-1.5.3-2", "MQTT-1.5.4-2");
    vec![
        breaks(ill_formed, "a topic with a lone continuation byte", |peer| to(peer, b"a\x80b"), NO_TOPIC),
        breaks(ill_formed, "a topic with an encoded surrogate", |peer| to(peer, b"a\xED\xA0\x80b"), NO_TOPIC),
        breaks(ill_formed, "a topic with an overlong form", |peer| to(peer, b"a\xC0\xAFb"), NO_TOPIC),
        breaks(ill_formed, "a topic that ends within a character", |peer| to(peer, b"a\xE2\x82"), NO_TOPIC),
        breaks(ill_formed, "a topic above U+10FFFF", |peer| to(peer, b"a\xF4\x90\x80\x80b"), NO_TOPIC),
        breaks(null, "a topic with U+0000", |peer| to(peer, b"a\0b"), NO_TOPIC),
        breaks(
            both("MQTT-3.8.3-1", "MQTT-3.8.3-1"),
            "a filter that is not UTF-8 ends the connection",
            |peer| subscribe_to(peer.level, 1, &[(b"a\xFF", 0)], &[]),
            NO_FILTER,
        ),
        breaks(
            both("MQTT-4.7.3-2", "MQTT-4.7.3-2"),
            "a filter with U+0000 ends the connection",
            |peer| subscribe_to(peer.level, 1, &[(b"a\0b", 0)], &[]),
            NO_FILTER,
        ),
        breaks(
            both("MQTT-3.10.3-1", "MQTT-3.10.3-1"),
            "a filter to unsubscribe from that is not UTF-8 ends the connection",
            |peer| unsubscribe_from(peer.level, 1, &[b"a\xFF"], &[]),
            NO_FILTER,
        ),
        rejects(
            both("MQTT-3.1.3-4", "MQTT-3.1.3-4"),
            "a client id that is not UTF-8 is not let in",
            |peer| Connect::new(peer.level, b"id\xFF").bytes(),
            MALFORMED,
        ),
        rejects(
            null,
            "a client id with U+0000 is not let in",
            |peer| Connect::new(peer.level, b"i\0d").bytes(),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.3-10", "MQTT-3.1.3-11"),
            "a will topic that is not UTF-8 is not let in",
            |peer| peer.hello("c").will(Will::new(b"will\xFF", "x")).bytes(),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.3-11", "MQTT-3.1.3-12"),
            "a user name that is not UTF-8 is not let in",
            |peer| peer.hello("c").user(b"name\xFF").bytes(),
            MALFORMED,
        ),
        breaks(
            v5("MQTT-1.5.7-1"),
            "a user property whose name is not UTF-8 ends the connection",
            |peer| with_raw(peer, &[&[0x26][..], &text(b"\xFF"), &text("value")].concat()),
            BROKEN,
        ),
        breaks(
            v5("MQTT-1.5.7-1"),
            "a user property whose value has U+0000 ends the connection",
            |peer| with_raw(peer, &[&[0x26][..], &text("name"), &text(b"a\0b")].concat()),
            BROKEN,
        ),
        breaks(
            v5("MQTT-3.3.2-13"),
            "a response topic that is not UTF-8 ends the connection",
            |peer| with_raw(peer, &[&[0x08][..], &text(b"\xFF")].concat()),
            NO_TOPIC,
        ),
        breaks(
            v5("MQTT-3.3.2-19"),
            "a content type that is not UTF-8 ends the connection",
            |peer| with_raw(peer, &[&[0x03][..], &text(b"\xFF")].concat()),
            BROKEN,
        ),
        case(
            both("MQTT-1.5.3-3", "MQTT-1.5.4-3"),
            "U+FEFF is a character of a topic like any other, at its beginning, too",
            byte_order_marks_stay,
        ),
        case(
            both("MQTT-4.7.3-4", "MQTT-4.7.3-4"),
            "a character and its decomposed form are different topics",
            no_normal_form,
        ),
    ]
}

fn to(peer: &Peer, topic: &[u8]) -> Vec<u8> {
    Publish::new(topic, "x").bytes(peer.level)
}

fn with_raw(peer: &Peer, property: &[u8]) -> Vec<u8> {
    Publish::new(peer.topic("t"), "x").with(Property::Raw(property.to_vec())).bytes(peer.level)
}

async fn byte_order_marks_stay(peer: Peer) -> anyhow::Result<()> {
    let (plain, marked) = (peer.topic("t"), format!("\u{FEFF}{}/\u{FEFF}", peer.topic("t")));
    let mut subscriber = peer.subscriber("subscriber", &[(&marked, 0), (&plain, 0)]).await?;
    peer.tell(&marked, "marked", 0).await?;
    equal("topic", subscriber.delivery().await?.topic, &*marked)?;
    peer.tell(&plain, "plain", 0).await?;
    equal("topic", subscriber.delivery().await?.topic, &*plain)
}

async fn no_normal_form(peer: Peer) -> anyhow::Result<()> {
    let (composed, decomposed) = (peer.topic("\u{E4}"), peer.topic("a\u{308}"));
    let mut subscriber = peer.subscriber("subscriber", &[(&composed, 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    publisher.publish(&decomposed, "another topic", 0, false).await?;
    publisher.publish(&composed, "end", 0, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, [""; 0])
}
