//! How much at once: receive maximum and maximum packet size (sections 3.1.2.11, 3.3.4 and 4.9 of 5.0). Messages of QoS 0
//! are free to pass or to wait, so that no case counts on either.

use anyhow::{Context, ensure};

use super::case::{Case, case, equal, v5};
use super::peer::Peer;
use crate::mqtt::{Client, PUBACK, PUBCOMP, PUBREC, PUBREL, Property, Publish, value_of};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(v5("MQTT-3.3.4-9"), "no more messages of QoS 1 are under way than the client takes", |peer| {
            no_more_than(peer, 1)
        }),
        case(v5("MQTT-3.3.4-9"), "no more messages of QoS 2 are under way than the client takes", |peer| {
            no_more_than(peer, 2)
        }),
        case(v5("MQTT-4.9.0-1"), "a receive maximum of 1 is one message at a time", one_at_a_time),
        case(
            v5("MQTT-4.9.0-2"),
            "a message of QoS 2 makes room with PUBCOMP and not before",
            room_with_pubcomp,
        ),
        case(v5("MQTT-4.9.0-2"), "a message that is refused with PUBREC makes room", room_with_refusal),
        case(v5("MQTT-4.9.0-3"), "a subscriber without room is answered all the same", answered_without_room),
        case(
            v5("MQTT-3.3.4-10"),
            "a publisher that takes no more messages has its own acknowledged",
            acknowledged_without_room,
        ),
        case(
            v5("MQTT-3.3.4-9"),
            "a session that goes on keeps to the new receive maximum, with what is sent again",
            again_within_the_maximum,
        ),
        case(
            v5("MQTT-4.13.1-1"),
            "more messages under way than the server takes end the connection",
            more_than_the_server_takes,
        ),
        case(v5("MQTT-3.1.2-24"), "a message that is larger than the client takes is not sent", too_large),
        case(
            v5("MQTT-3.1.2-24"),
            "a retained message that is larger than the client takes is not sent",
            too_large_and_retained,
        ),
        case(
            v5("MQTT-3.1.2-25"),
            "a message that was too large to send takes no room: the next one comes",
            too_large_takes_no_room,
        ),
        case(
            v5("MQTT-4.13.1-1"),
            "a packet that is much larger than the server takes ends the connection",
            |peer| larger_than_the_server_takes(peer, 1000),
        ),
        case(
            v5("MQTT-4.13.1-1"),
            "a packet that is one byte larger than the server takes ends the connection",
            |peer| larger_than_the_server_takes(peer, 1),
        ),
    ]
}

/// A subscriber that takes so many messages at once and acknowledges none of itself.
async fn narrow(peer: &Peer, maximum: u16, qos: u8) -> anyhow::Result<Client> {
    let hello = peer.lasting("narrow").with(Property::ReceiveMaximum(maximum));
    let mut client = peer.join(hello).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&peer.topic("t"), qos)]).await?;
    Ok(client)
}

async fn publish(peer: &Peer, count: u8, qos: u8) -> anyhow::Result<()> {
    let mut publisher = peer.client("publisher").await?;
    for number in 1..=count {
        publisher.publish(&peer.topic("t"), number.to_string(), qos, false).await?;
    }
    Ok(())
}

/// Gets the next message, which must be that number, and answers its packet id.
async fn next_is(client: &mut Client, number: u8) -> anyhow::Result<u16> {
    let delivery = client.delivery().await?;
    equal("message", String::from_utf8(delivery.payload)?, number.to_string())?;
    Ok(delivery.id)
}

/// Acknowledges a message to its end.
async fn complete(client: &mut Client, id: u16, qos: u8) -> anyhow::Result<()> {
    if qos == 1 {
        return client.acknowledge(&[id]).await;
    }
    client.acknowledge_with(PUBREC, id, None).await?;
    client.expect(PUBREL, id).await?;
    client.acknowledge_with(PUBCOMP, id, None).await
}

async fn no_more_than(peer: Peer, qos: u8) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 3, qos).await?;
    publish(&peer, 8, qos).await?;
    let mut under_way = Vec::new();
    for number in 1..=3 {
        under_way.push(next_is(&mut client, number).await?);
    }
    for number in 4..=8 {
        client.quiet().await?;
        complete(&mut client, under_way.remove(0), qos).await?;
        under_way.push(next_is(&mut client, number).await?);
    }
    client.quiet().await
}

async fn one_at_a_time(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 1, 2).await?;
    let mut publisher = peer.client("publisher").await?;
    for (number, qos) in [1, 2, 2, 1, 1].into_iter().enumerate() {
        publisher.publish(&peer.topic("t"), number.to_string(), qos, false).await?;
    }
    for number in 0..5 {
        let delivery = client.delivery().await?;
        equal("message", String::from_utf8(delivery.payload)?, number.to_string())?;
        client.quiet().await?;
        complete(&mut client, delivery.id, delivery.qos).await?;
    }
    client.quiet().await
}

async fn room_with_pubcomp(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 1, 2).await?;
    publish(&peer, 2, 2).await?;
    let id = next_is(&mut client, 1).await?;
    client.acknowledge_with(PUBREC, id, None).await?;
    client.expect(PUBREL, id).await?;
    client.quiet().await?;
    client.acknowledge_with(PUBCOMP, id, None).await?;
    next_is(&mut client, 2).await.map(|_| ())
}

async fn room_with_refusal(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 1, 2).await?;
    publish(&peer, 2, 2).await?;
    let id = next_is(&mut client, 1).await?;
    client.quiet().await?;
    client.acknowledge_with(PUBREC, id, Some(0x97)).await?;
    next_is(&mut client, 2).await.map(|_| ())
}

async fn answered_without_room(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 1, 1).await?;
    publish(&peer, 2, 1).await?;
    let id = next_is(&mut client, 1).await?;
    client.ping().await?;
    equal("SUBACK", client.subscribe(&[(&peer.topic("other"), 1)]).await?, [1])?;
    equal("UNSUBACK", client.unsubscribe(&[&peer.topic("other")]).await?, [0])?;
    client.quiet().await?;
    client.acknowledge(&[id]).await?;
    next_is(&mut client, 2).await.map(|_| ())
}

async fn acknowledged_without_room(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 1, 1).await?;
    publish(&peer, 2, 1).await?;
    next_is(&mut client, 1).await?;
    for qos in [1, 2] {
        client.publish(&peer.topic("other"), "mine", qos, false).await?;
    }
    client.quiet().await
}

async fn again_within_the_maximum(peer: Peer) -> anyhow::Result<()> {
    let mut client = narrow(&peer, 5, 1).await?;
    publish(&peer, 7, 1).await?;
    for number in 1..=5 {
        next_is(&mut client, number).await?;
    }
    drop(client);
    let hello = peer.lasting("narrow").with(Property::ReceiveMaximum(2));
    let mut client = peer.resume(&hello).await?;
    client.acknowledges = false;
    let mut under_way = vec![next_is(&mut client, 1).await?, next_is(&mut client, 2).await?];
    for number in 3..=7 {
        client.quiet().await?;
        client.acknowledge(&[under_way.remove(0)]).await?;
        under_way.push(next_is(&mut client, number).await?);
    }
    client.quiet().await
}

/// Without PUBREL no message of QoS 2 is complete (section 3.2.2.3.3: DISCONNECT with the code 0x93).
async fn more_than_the_server_takes(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let maximum = value_of!(client.connack.properties, ReceiveMaximum).unwrap_or(u16::MAX);
    for id in 1..=maximum {
        client.begin(Publish::new(peer.topic("t"), "x").qos(2).id(id)).await?;
        client.expect(PUBREC, id).await?;
    }
    client.begin(Publish::new(peer.topic("t"), "x").qos(2).id(maximum.wrapping_add(1).max(1))).await?;
    peer.cut_off(&mut client, &[0x93]).await
}

async fn small(peer: &Peer, maximum: u16) -> anyhow::Result<Client> {
    let hello = peer.hello("small").with(Property::MaximumPacketSize(200));
    peer.join(hello.with(Property::ReceiveMaximum(maximum))).await
}

async fn too_large(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = small(&peer, 10).await?;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    // All that is left for the payload of the largest packet: a head of two or three bytes, the topic, the id, no properties.
    let room = 200 - 3 - (2 + topic.len()) - 2 - 1;
    for qos in 0..=2 {
        peer.tell(&topic, &"x".repeat(200), qos).await?;
        peer.tell(&topic, &"x".repeat(room), qos).await?;
        peer.tell(&topic, "end", qos).await?;
        let lengths: Vec<_> =
            client.until("end").await?.iter().map(|delivery| delivery.payload.len()).collect();
        equal("lengths", lengths, [room])?;
    }
    Ok(())
}

async fn too_large_and_retained(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    peer.retain(&topic, &"x".repeat(200), 1).await?;
    let mut client = small(&peer, 10).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn too_large_takes_no_room(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = small(&peer, 1).await?;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    for qos in [1, 2] {
        for _ in 0..3 {
            peer.tell(&topic, &"x".repeat(200), qos).await?;
        }
        peer.tell(&topic, "end", qos).await?;
        equal("arrived", client.payloads_until("end").await?, [""; 0])?;
    }
    Ok(())
}

async fn larger_than_the_server_takes(peer: Peer, by: usize) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let maximum =
        value_of!(client.connack.properties, MaximumPacketSize).context("no maximum packet size")?;
    let of_payload = |length| Publish::new(peer.topic("t"), vec![b'x'; length]).qos(1);
    let around = of_payload(maximum as usize).bytes(5).len() - maximum as usize;
    let largest = maximum as usize - around;
    ensure!(of_payload(largest).bytes(5).len() == maximum as usize, "the case counts wrong");
    let id = client.begin(of_payload(largest)).await?;
    client.expect(PUBACK, id).await?;
    client.begin(of_payload(largest + by)).await?;
    peer.cut_off(&mut client, &[0x95]).await
}
