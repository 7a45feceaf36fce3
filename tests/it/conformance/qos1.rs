//! QoS 1, at least once (sections 4.3.2 and 4.4).

use anyhow::ensure;

use super::case::{Case, both, case, equal, v3, v5};
use super::peer::Peer;
use crate::mqtt::{PUBACK, Publish};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-4.3.2-2", "MQTT-4.3.2-4"),
            "a message is acknowledged and delivered",
            acknowledged_and_delivered,
        ),
        case(
            both("MQTT-4.3.2-2", "MQTT-4.3.2-5"),
            "an acknowledged packet id is free again: what comes with it is new, DUP or not",
            a_free_id_is_new,
        ),
        case(
            both("MQTT-4.3.2-1", "MQTT-4.3.2-2"),
            "a message goes out with a packet id and without DUP",
            goes_out_without_dup,
        ),
        case(
            both("MQTT-4.4.0-1", "MQTT-4.4.0-1"),
            "what was not acknowledged is sent again with its packet id when the session goes on",
            sent_again,
        ),
        case(both("MQTT-3.3.1-1", "MQTT-3.3.1-1"), "what is sent again has DUP", sent_again_with_dup),
        case(
            v5("MQTT-4.3.2-3"),
            "what was acknowledged is not sent again when the session goes on",
            acknowledged_is_done,
        ),
        case(v3("MQTT-4.6.0-1"), "messages that are sent again keep their order", again_in_order),
        case(
            v5("MQTT-4.6.0-5"),
            "messages that are sent again keep their order, in front of those that came meanwhile",
            again_in_order,
        ),
        case(v5("MQTT-4.4.0-1"), "nothing is sent again while the connection lasts", not_again_meanwhile),
        case(v5("MQTT-4.4.0-2"), "a message that the subscriber refused is not sent again", refused_is_done),
    ]
}

async fn acknowledged_and_delivered(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let id = publisher.begin(Publish::new(&topic, "x").qos(1)).await?;
    publisher.expect(PUBACK, id).await?;
    let delivery = subscriber.delivery().await?;
    equal("message", (delivery.payload, delivery.qos), (b"x".to_vec(), 1))
}

async fn a_free_id_is_new(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    for publish in [Publish::new(&topic, "1"), Publish::new(&topic, "2"), Publish::new(&topic, "3").again()] {
        publisher.publish_all_of(publish.qos(1).id(7)).await?;
    }
    publisher.publish(&topic, "end", 1, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, ["1", "2", "3"])
}

async fn goes_out_without_dup(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    let delivery = subscriber.delivery().await?;
    ensure!(delivery.id > 0 && !delivery.dup && delivery.qos == 1, "{delivery:?}");
    Ok(())
}

async fn sent_again(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    let mut first = client.delivery().await?;
    // More than once: it stays unacknowledged.
    for _ in 0..2 {
        drop(client);
        client = peer.resume(&hello).await?;
        client.acknowledges = false;
        let again = client.delivery().await?;
        equal("id and payload", (again.id, &again.payload), (first.id, &first.payload))?;
        first = again;
    }
    client.acknowledge(&[first.id]).await?;
    client.quiet().await
}

async fn sent_again_with_dup(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("DUP at first", client.delivery().await?.dup, false)?;
    drop(client);
    let mut client = peer.resume(&hello).await?;
    equal("DUP", client.delivery().await?.dup, true)
}

async fn acknowledged_is_done(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    client.delivery().await?;
    client.ping().await?;
    drop(client);
    let mut client = peer.resume(&hello).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn again_in_order(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    let numbers: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    let mut publisher = peer.client("publisher").await?;
    for number in &numbers[..8] {
        publisher.publish(&topic, number, 1, false).await?;
        equal("at first", client.delivery().await?.payload.as_slice(), number.as_bytes())?;
    }
    drop(client);
    for number in &numbers[8..] {
        publisher.publish(&topic, number, 1, false).await?;
    }
    let mut client = peer.resume(&hello).await?;
    publisher.publish(&topic, "end", 1, false).await?;
    equal("arrived", client.payloads_until("end").await?, numbers)
}

async fn not_again_meanwhile(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    client.acknowledges = false;
    peer.tell(&topic, "x", 1).await?;
    client.delivery().await?;
    peer.pass(2).await?;
    client.quiet().await
}

async fn refused_is_done(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    peer.tell(&topic, "refused", 1).await?;
    let delivery = client.delivery().await?;
    client.acknowledge_with(PUBACK, delivery.id, Some(0x83)).await?;
    client.quiet().await?;
    drop(client);
    let mut client = peer.resume(&hello).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}
