//! The fixed header of every packet: types, flags, lengths and packet ids (sections 2.2 and 2.3; 2.1 and 2.2 in 5.0).

use super::case::{Case, both, breaks, case, equal, v3, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{
    PUBACK, PUBCOMP, PUBREC, PUBREL, Publish, SUBACK, UNSUBACK, acknowledgement, packet, subscribe_to, text,
    unsubscribe_from,
};

pub(super) fn cases() -> Vec<Case> {
    let flags = both("MQTT-2.2.2-2", "MQTT-4.13.1-1");
    let violation = both("MQTT-4.8.0-1", "MQTT-4.13.1-1");
    let packet_ids = both("MQTT-2.3.1-1", "MQTT-2.2.1-3");
    vec![
        breaks(flags, "a PINGREQ with flags ends the connection", |_| packet(0xC1, &[]), BROKEN),
        breaks(flags, "a PUBACK with flags ends the connection", |_| acknowledgement(0x42, 1, None), BROKEN),
        breaks(flags, "a PUBREC with flags ends the connection", |_| acknowledgement(0x51, 1, None), BROKEN),
        breaks(flags, "a PUBCOMP with flags ends the connection", |_| acknowledgement(0x78, 1, None), BROKEN),
        breaks(violation, "a packet of the type 0 ends the connection", |_| packet(0x00, &[]), BROKEN),
        breaks(
            v3("MQTT-4.8.0-1"),
            "the type 15, not used yet, ends the connection",
            |_| packet(0xF0, &[]),
            BROKEN,
        ),
        breaks(
            violation,
            "a CONNACK from a client ends the connection",
            |peer| packet(0x20, &[0; 3][..if peer.is_5() { 3 } else { 2 }]),
            BROKEN,
        ),
        breaks(
            violation,
            "a SUBACK from a client ends the connection",
            |peer| packet(SUBACK, &[0, 1, 0, 0][..if peer.is_5() { 4 } else { 3 }]),
            BROKEN,
        ),
        breaks(
            violation,
            "an UNSUBACK from a client ends the connection",
            |peer| packet(UNSUBACK, &[0, 1, 0, 0][..if peer.is_5() { 4 } else { 2 }]),
            BROKEN,
        ),
        breaks(violation, "a PINGRESP from a client ends the connection", |_| packet(0xD0, &[]), BROKEN),
        breaks(
            violation,
            "a length of five bytes ends the connection",
            |_| vec![0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
            BROKEN,
        ),
        breaks(
            violation,
            "a packet that is shorter than its fields ends the connection",
            |_| packet(0x30, &[0, 9, b'x']),
            BROKEN,
        ),
        breaks(
            packet_ids,
            "a PUBLISH of QoS 1 with the packet id 0 ends the connection",
            |peer| Publish::new(peer.topic("t"), "x").qos(1).id(0).bytes(peer.level),
            BROKEN,
        ),
        breaks(
            packet_ids,
            "a PUBLISH of QoS 2 with the packet id 0 ends the connection",
            |peer| Publish::new(peer.topic("t"), "x").qos(2).id(0).bytes(peer.level),
            BROKEN,
        ),
        breaks(
            packet_ids,
            "a SUBSCRIBE with the packet id 0 ends the connection",
            |peer| subscribe_to(peer.level, 0, &[(peer.topic("t"), 0)], &[]),
            BROKEN,
        ),
        breaks(
            packet_ids,
            "an UNSUBSCRIBE with the packet id 0 ends the connection",
            |peer| unsubscribe_from(peer.level, 0, &[peer.topic("t")], &[]),
            BROKEN,
        ),
        case(
            both("MQTT-2.3.1-6", "MQTT-2.2.1-5"),
            "acknowledgements of a message have its packet id, whatever it is",
            ids_come_back,
        ),
        case(
            both("MQTT-2.3.1-7", "MQTT-2.2.1-6"),
            "SUBACK and UNSUBACK have the packet id of what they answer",
            ids_of_subscriptions_come_back,
        ),
        case(
            both("MQTT-2.3.1-4", "MQTT-2.2.1-4"),
            "the server's packet ids are in use until they are acknowledged",
            ids_in_use_differ,
        ),
        case(
            both("MQTT-2.3.1-5", "MQTT-2.2.1-2"),
            "a message of QoS 0 has no packet id, and its payload begins where it would be",
            no_id_without_quality,
        ),
        case(
            both("MQTT-4.3.2-1", "MQTT-4.3.2-1"),
            "the same packet id may be under way in both directions",
            both_directions,
        ),
        case(v5("MQTT-1.5.5-1"), "lengths are written in as few bytes as they need", lengths),
    ]
}

async fn ids_come_back(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for id in [1, 0x00FF, 0x0100, 0xFFFF] {
        client.begin(Publish::new(peer.topic("t"), "x").qos(1).id(id)).await?;
        client.expect(PUBACK, id).await?;
        client.begin(Publish::new(peer.topic("t"), "x").qos(2).id(id)).await?;
        client.expect(PUBREC, id).await?;
        client.acknowledge_with(PUBREL, id, None).await?;
        client.expect(PUBCOMP, id).await?;
    }
    Ok(())
}

async fn ids_of_subscriptions_come_back(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for id in [0xFFFF, 0x0100, 1] {
        client.send_bytes(&subscribe_to(peer.level, id, &[(peer.topic("t"), 0)], &[])).await?;
        client.expect(SUBACK, id).await?;
        client.send_bytes(&unsubscribe_from(peer.level, id, &[peer.topic("t")], &[])).await?;
        client.expect(UNSUBACK, id).await?;
    }
    Ok(())
}

async fn ids_in_use_differ(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    subscriber.acknowledges = false;
    let mut publisher = peer.client("publisher").await?;
    for number in 0..10 {
        publisher.publish(&topic, "x", 1 + number % 2, false).await?;
    }
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(subscriber.delivery().await?.id);
    }
    ids.sort_unstable();
    ids.dedup();
    equal("different ids of ten messages under way", ids.len(), 10)
}

async fn no_id_without_quality(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    peer.tell(&topic, "\u{1}\u{2}payload", 0).await?;
    let delivery = subscriber.delivery().await?;
    equal("payload", delivery.payload.as_slice(), "\u{1}\u{2}payload".as_bytes())?;
    equal("QoS", delivery.qos, 0)
}

async fn both_directions(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    client.acknowledges = false;
    peer.tell(&topic, "theirs", 1).await?;
    let theirs = client.delivery().await?;
    client.begin(Publish::new(peer.topic("other"), "mine").qos(1).id(theirs.id)).await?;
    client.expect(PUBACK, theirs.id).await?;
    client.acknowledge(&[theirs.id]).await?;
    client.quiet().await
}

/// The reader takes no length that is longer than it must be; the sizes are around those where it grows.
async fn lengths(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let around = text(&topic).len() + 1;
    for length in [127, 128, 16_383, 16_384] {
        let payload = vec![b'x'; length - around];
        publisher.publish(&topic, &payload, 0, false).await?;
        equal("payload", subscriber.delivery().await?.payload.len(), payload.len())?;
    }
    Ok(())
}
