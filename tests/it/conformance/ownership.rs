//! What the server owes for a message that it took: all who subscribed, the order, and both versions (sections 4.5, 4.6).

use super::case::{Case, both, case, equal};
use super::peer::Peer;
use crate::mqtt::{Property, Publish};

pub(super) fn cases() -> Vec<Case> {
    let ordered = both("MQTT-4.6.0-6", "MQTT-4.6.0-5");
    let by_default = both("MQTT-4.6.0-5", "MQTT-4.6.0-6");
    vec![
        case(
            both("MQTT-4.5.0-1", "MQTT-4.5.0-1"),
            "every session that subscribed gets the message",
            everybody,
        ),
        case(
            both("MQTT-4.5.0-1", "MQTT-4.5.0-1"),
            "sessions with and without a connection get the message",
            present_and_absent,
        ),
        case(
            both("MQTT-3.3.2-3", "MQTT-3.3.2-3"),
            "a message crosses from one version to the other, without what the other does not have",
            across_versions,
        ),
        case(ordered, "messages of QoS 0 keep their order", |peer| in_order(peer, 0)),
        case(ordered, "messages of QoS 1 keep their order", |peer| in_order(peer, 1)),
        case(ordered, "messages of QoS 2 keep their order", |peer| in_order(peer, 2)),
        case(by_default, "messages through a wildcard keep their order", through_a_wildcard),
        case(
            both("MQTT-4.6.0-6", "MQTT-4.6.0-5"),
            "two publishers at once: the messages of each keep their order",
            each_in_order,
        ),
        case(
            both("MQTT-4.5.0-1", "MQTT-4.5.0-1"),
            "who stayed and who comes back later get a message once each",
            once_each,
        ),
    ]
}

async fn everybody(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("a/b");
    let mut all = Vec::new();
    for (number, filter) in ["a/b", "a/+", "+/b", "#", "a/b/#"].into_iter().enumerate() {
        all.push(peer.subscriber(&format!("s{number}"), &[(&peer.topic(filter), 1)]).await?);
    }
    peer.tell(&topic, "x", 1).await?;
    for subscriber in &mut all {
        equal("topic", &subscriber.delivery().await?.topic, &topic)?;
    }
    Ok(())
}

async fn present_and_absent(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut absent = peer.join(peer.lasting("absent")).await?;
    peer.subscribe(&mut absent, &[(&topic, 1)]).await?;
    absent.leave(None).await?;
    let mut present = peer.subscriber("present", &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("present", present.delivery().await?.payload, b"x")?;
    equal("absent", peer.resume(&peer.lasting("absent")).await?.delivery().await?.payload, b"x")
}

async fn across_versions(peer: Peer) -> anyhow::Result<()> {
    let (topic, other) = (peer.topic("t"), peer.other_version());
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    for qos in 0..=2 {
        let publish = Publish::new(&topic, "x").qos(qos).with(Property::User("name".into(), "value".into()));
        other.say(publish).await?;
        let delivery = subscriber.delivery().await?;
        equal("message", (delivery.payload, delivery.qos), (b"x".to_vec(), qos))?;
        equal("properties", delivery.properties, [])?;
    }
    // The other way round is the same case in the other version, but for the properties: 3.1.1 has no place for them.
    let mut subscriber = other.subscriber("another", &[(&topic, 2)]).await?;
    peer.say(Publish::new(&topic, "y").qos(2).with(Property::ContentType("text".into()))).await?;
    equal("message", subscriber.delivery().await?.payload, b"y")
}

async fn in_order(peer: Peer, qos: u8) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, qos)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let numbers: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    for number in &numbers {
        publisher.publish(&topic, number, qos, false).await?;
    }
    publisher.publish(&topic, "end", qos, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, numbers)
}

async fn through_a_wildcard(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("a/b/c");
    let mut subscriber = peer.subscriber("subscriber", &[(&peer.topic("+/b/#"), 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let numbers: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    for number in &numbers {
        publisher.send(&topic, number, 1, false).await?;
    }
    publisher.send(&topic, "end", 1, false).await?;
    equal("arrived", subscriber.payloads_until("end").await?, numbers)
}

async fn each_in_order(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let (mut one, mut two) = (peer.client("one").await?, peer.client("two").await?);
    for round in 0..5 {
        for (publisher, name) in [(&mut one, "one"), (&mut two, "two")] {
            publisher.publish(&topic, format!("{name} {round}"), 2, false).await?;
        }
    }
    one.publish(&topic, "end", 2, false).await?;
    let arrived = subscriber.payloads_until("end").await?;
    for name in ["one", "two"] {
        let own: Vec<_> = arrived.iter().filter(|payload| payload.starts_with(name)).cloned().collect();
        let expected: Vec<_> = (0..5).map(|round| format!("{name} {round}")).collect();
        equal(name, own, expected)?;
    }
    Ok(())
}

async fn once_each(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut stayed = peer.subscriber("stayed", &[(&topic, 1)]).await?;
    let mut left = peer.join(peer.lasting("left")).await?;
    peer.subscribe(&mut left, &[(&topic, 1)]).await?;
    left.leave(None).await?;
    peer.tell(&topic, "x", 1).await?;
    let mut back = peer.resume(&peer.lasting("left")).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("who stayed", stayed.payloads_until("end").await?, ["x"])?;
    equal("who came back", back.payloads_until("end").await?, ["x"])
}
