//! QoS 2, exactly once (sections 4.3.3 and 4.4).

use anyhow::ensure;

use super::case::{Case, both, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Client, PUBCOMP, PUBREC, PUBREL, Publish, acknowledgement};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-8"),
            "a message is answered with PUBREC, its release with PUBCOMP, and it is delivered",
            received_and_released,
        ),
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-10"),
            "a message that comes again before its release is answered again and delivered once",
            again_before_release,
        ),
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-12"),
            "a packet id that was completed is free again: what comes with it is new",
            a_completed_id_is_new,
        ),
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-11"),
            "a PUBREL for nothing is answered with PUBCOMP",
            release_of_nothing,
        ),
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-11"),
            "a PUBREL that comes again is answered again",
            release_again,
        ),
        case(
            both("MQTT-4.3.3-2", "MQTT-4.3.3-10"),
            "what was received is remembered when the session goes on: sent again, it is delivered once",
            received_before_the_break,
        ),
        case(
            both("MQTT-4.3.3-1", "MQTT-4.3.3-2"),
            "a message goes out with a packet id and without DUP",
            goes_out_without_dup,
        ),
        case(
            both("MQTT-4.3.3-1", "MQTT-4.3.3-4"),
            "the server answers PUBREC with PUBREL for the same packet id",
            release_of_the_server,
        ),
        case(
            both("MQTT-4.4.0-1", "MQTT-4.3.3-3"),
            "a message without PUBREC is sent again with its packet id and DUP when the session goes on",
            message_again,
        ),
        case(
            both("MQTT-4.3.3-1", "MQTT-4.3.3-6"),
            "after PUBREC it is the PUBREL that is sent again, and not the message",
            release_again_by_the_server,
        ),
        case(
            v5("MQTT-4.4.0-2"),
            "a message that the subscriber refused with PUBREC is neither released nor sent again",
            refused_is_done,
        ),
        case(
            v5("MQTT-4.3.3-5"),
            "what was completed is not sent again when the session goes on",
            completed_is_done,
        ),
        breaks(
            both("MQTT-3.6.1-1", "MQTT-3.6.1-1"),
            "a PUBREL with the flags of the others ends the connection",
            |_| acknowledgement(0x60, 1, None),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.6.1-1", "MQTT-3.6.1-1"),
            "a PUBREL with too many flags ends the connection",
            |_| acknowledgement(0x6F, 1, None),
            BROKEN,
        ),
    ]
}

async fn received_and_released(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let id = publisher.begin(Publish::new(&topic, "x").qos(2)).await?;
    publisher.expect(PUBREC, id).await?;
    publisher.acknowledge_with(PUBREL, id, None).await?;
    publisher.expect(PUBCOMP, id).await?;
    let delivery = subscriber.delivery().await?;
    equal("message", (delivery.payload, delivery.qos), (b"x".to_vec(), 2))
}

async fn complete(publisher: &mut Client, id: u16) -> anyhow::Result<()> {
    publisher.acknowledge_with(PUBREL, id, None).await?;
    publisher.expect(PUBCOMP, id).await.map(|_| ())
}

async fn again_before_release(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let publish = Publish::new(&topic, "once").qos(2).id(7);
    for publish in [publish.clone(), publish.again()] {
        publisher.begin(publish).await?;
        publisher.expect(PUBREC, 7).await?;
    }
    complete(&mut publisher, 7).await?;
    publisher.publish(&topic, "end", 2, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, ["once"])
}

async fn a_completed_id_is_new(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let mut publisher = peer.client("publisher").await?;
    for publish in [Publish::new(&topic, "1"), Publish::new(&topic, "2"), Publish::new(&topic, "3").again()] {
        publisher.publish_all_of(publish.qos(2).id(7)).await?;
    }
    publisher.publish(&topic, "end", 2, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, ["1", "2", "3"])
}

/// Version 5 may say that it knows nothing of it [section 3.7.2.1].
async fn release_of_nothing(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.acknowledge_with(PUBREL, 99, None).await?;
    client.expect(PUBCOMP, 99).await?;
    client.ping().await
}

async fn release_again(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let id = client.begin(Publish::new(peer.topic("t"), "x").qos(2)).await?;
    client.expect(PUBREC, id).await?;
    complete(&mut client, id).await?;
    complete(&mut client, id).await
}

async fn received_before_the_break(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("publisher"));
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let mut publisher = peer.join(hello.clone()).await?;
    let publish = Publish::new(&topic, "once").qos(2).id(7);
    publisher.begin(publish.clone()).await?;
    publisher.expect(PUBREC, 7).await?;
    drop(publisher);
    let mut publisher = peer.resume(&hello).await?;
    publisher.begin(publish.again()).await?;
    publisher.expect(PUBREC, 7).await?;
    drop(publisher);
    let mut publisher = peer.resume(&hello).await?;
    complete(&mut publisher, 7).await?;
    publisher.publish(&topic, "end", 2, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, ["once"])
}

async fn goes_out_without_dup(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    peer.tell(&topic, "x", 2).await?;
    let delivery = subscriber.delivery().await?;
    ensure!(delivery.id > 0 && !delivery.dup && delivery.qos == 2, "{delivery:?}");
    Ok(())
}

async fn release_of_the_server(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    subscriber.acknowledges = false;
    peer.tell(&topic, "x", 2).await?;
    let id = subscriber.delivery().await?.id;
    subscriber.acknowledge_with(PUBREC, id, None).await?;
    subscriber.expect(PUBREL, id).await?;
    subscriber.acknowledge_with(PUBCOMP, id, None).await?;
    subscriber.quiet().await
}

/// A subscriber with a session that got a message and has not said so.
async fn with_a_message(peer: &Peer) -> anyhow::Result<(Client, u16)> {
    let topic = peer.topic("t");
    let mut client = peer.join(peer.lasting("c")).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    peer.tell(&topic, "x", 2).await?;
    let id = client.delivery().await?.id;
    Ok((client, id))
}

/// The session goes on, and there is nothing left over from before.
async fn nothing_is_left(peer: &Peer) -> anyhow::Result<()> {
    let mut client = peer.resume(&peer.lasting("c")).await?;
    peer.tell(&peer.topic("t"), "end", 2).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn message_again(peer: Peer) -> anyhow::Result<()> {
    let (client, id) = with_a_message(&peer).await?;
    drop(client);
    let mut client = peer.resume(&peer.lasting("c")).await?;
    let again = client.delivery().await?;
    equal("sent again", (again.id, again.dup, again.payload), (id, true, b"x".to_vec()))
}

async fn release_again_by_the_server(peer: Peer) -> anyhow::Result<()> {
    let (mut client, id) = with_a_message(&peer).await?;
    client.acknowledge_with(PUBREC, id, None).await?;
    client.expect(PUBREL, id).await?;
    drop(client);
    let mut client = peer.resume(&peer.lasting("c")).await?;
    client.acknowledges = false;
    client.expect(PUBREL, id).await?;
    client.acknowledge_with(PUBCOMP, id, None).await?;
    client.quiet().await?;
    drop(client);
    nothing_is_left(&peer).await
}

async fn refused_is_done(peer: Peer) -> anyhow::Result<()> {
    let (mut client, id) = with_a_message(&peer).await?;
    client.acknowledge_with(PUBREC, id, Some(0x83)).await?;
    client.quiet().await?;
    drop(client);
    nothing_is_left(&peer).await
}

async fn completed_is_done(peer: Peer) -> anyhow::Result<()> {
    let (mut client, id) = with_a_message(&peer).await?;
    client.acknowledge_with(PUBREC, id, None).await?;
    client.expect(PUBREL, id).await?;
    client.acknowledge_with(PUBCOMP, id, None).await?;
    client.ping().await?;
    drop(client);
    nothing_is_left(&peer).await
}
