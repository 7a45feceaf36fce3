//! PUBLISH: flags, topics and who gets what (section 3.3).

use super::case::{Case, both, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Property, Publish, packet, value_of};

const NO_TOPIC: &[u8] = &[0x81, 0x82, 0x90];

pub(super) fn cases() -> Vec<Case> {
    let wildcard = both("MQTT-3.3.2-2", "MQTT-3.3.2-2");
    vec![
        breaks(
            both("MQTT-3.3.1-4", "MQTT-3.3.1-4"),
            "a PUBLISH with a QoS of 3 ends the connection",
            |peer| Publish::new(peer.topic("t"), "x").qos(3).bytes(peer.level),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.3.1-2", "MQTT-3.3.1-2"),
            "DUP with a QoS of 0 ends the connection",
            |peer| Publish::new(peer.topic("t"), "x").again().bytes(peer.level),
            BROKEN,
        ),
        breaks(
            wildcard,
            "a topic with a + ends the connection",
            |peer| Publish::new(peer.topic("+"), "x").bytes(peer.level),
            NO_TOPIC,
        ),
        breaks(
            wildcard,
            "a topic with a # ends the connection",
            |peer| Publish::new(peer.topic("#"), "x").bytes(peer.level),
            NO_TOPIC,
        ),
        breaks(
            both("MQTT-4.7.1-1", "MQTT-4.7.0-1"),
            "a wildcard in the middle of a level is in a topic, too",
            |peer| Publish::new(peer.topic("a+b"), "x").qos(1).bytes(peer.level),
            NO_TOPIC,
        ),
        breaks(
            both("MQTT-4.7.3-1", "MQTT-4.7.3-1"),
            "an empty topic ends the connection",
            |peer| Publish::new("", "x").bytes(peer.level),
            NO_TOPIC,
        ),
        breaks(
            both("MQTT-3.3.2-1", "MQTT-3.3.2-1"),
            "a PUBLISH without a topic field ends the connection",
            |_| packet(0x30, &[]),
            BROKEN,
        ),
        case(
            both("MQTT-3.3.2-3", "MQTT-3.3.2-3"),
            "a message comes with the topic it went to",
            the_topic_it_went_to,
        ),
        case(
            both("MQTT-3.3.1-3", "MQTT-3.3.1-3"),
            "DUP of the publisher is not passed on",
            dup_is_not_passed_on,
        ),
        case(
            both("MQTT-3.3.1-2", "MQTT-4.3.1-1"),
            "a message that goes out with QoS 0 goes without DUP, however it came",
            no_dup_without_quality,
        ),
        case(
            both("MQTT-3.3.4-1", "MQTT-3.3.4-1"),
            "QoS 0 gets no answer, QoS 1 PUBACK, QoS 2 PUBREC",
            an_answer_for_each_quality,
        ),
        case(
            both("MQTT-3.3.5-1", "MQTT-3.3.4-2"),
            "overlapping subscriptions deliver with the highest QoS of them",
            highest_of_the_overlapping,
        ),
        case(
            both("MQTT-3.8.4-6", "MQTT-3.8.4-8"),
            "the lower QoS of message and subscription is delivered",
            the_lower_quality,
        ),
        case(
            v5("MQTT-3.4.2-1"),
            "PUBACK and PUBREC say 0 or that nobody was there",
            codes_of_acknowledgements,
        ),
        case(
            v5("MQTT-3.1.2-29"),
            "who wants no problem information gets none with acknowledgements",
            no_problem_information,
        ),
        breaks(
            v5("MQTT-3.3.4-6"),
            "a PUBLISH of a client with a subscription identifier ends the connection",
            |peer| with(peer, Property::SubscriptionIdentifier(1)),
            BROKEN,
        ),
        breaks(
            v5("MQTT-3.3.2-14"),
            "a response topic with a wildcard ends the connection",
            |peer| with(peer, Property::ResponseTopic(peer.topic("+/x"))),
            NO_TOPIC,
        ),
    ]
}

fn with(peer: &Peer, property: Property) -> Vec<u8> {
    Publish::new(peer.topic("t"), "x").with(property).bytes(peer.level)
}

async fn the_topic_it_went_to(peer: Peer) -> anyhow::Result<()> {
    let filters = [peer.topic("+/x"), peer.topic("b/#")];
    let mut subscriber = peer.subscriber("subscriber", &[(&filters[0], 0), (&filters[1], 0)]).await?;
    for leaf in ["a/x", "b/y", "b", "/x"] {
        peer.tell(&peer.topic(leaf), "x", 0).await?;
        equal("topic", subscriber.delivery().await?.topic, peer.topic(leaf))?;
    }
    Ok(())
}

async fn dup_is_not_passed_on(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    for qos in [1, 2] {
        peer.say(Publish::new(&topic, "x").qos(qos).again()).await?;
        let delivery = subscriber.delivery().await?;
        equal("QoS and DUP", (delivery.qos, delivery.dup), (qos, false))?;
    }
    Ok(())
}

async fn no_dup_without_quality(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 0)]).await?;
    peer.say(Publish::new(&topic, "x").qos(1).again()).await?;
    let delivery = subscriber.delivery().await?;
    equal("QoS and DUP", (delivery.qos, delivery.dup), (0, false))
}

async fn an_answer_for_each_quality(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.publish(&peer.topic("t"), "x", 0, false).await?;
    client.quiet().await?;
    client.publish(&peer.topic("t"), "x", 1, false).await?;
    client.quiet().await?;
    client.publish(&peer.topic("t"), "x", 2, false).await?;
    client.quiet().await
}

/// Further copies, one for each subscription, are allowed; the highest must be among them.
async fn highest_of_the_overlapping(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("a/b");
    let filters = [peer.topic("#"), peer.topic("+/b"), peer.topic("a/b")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut subscriber = peer.client("subscriber").await?;
        for (index, qos) in order.into_iter().zip([0, 2, 1]) {
            peer.subscribe(&mut subscriber, &[(&filters[index], qos)]).await?;
        }
        peer.tell(&topic, "x", 2).await?;
        peer.tell(&topic, "end", 2).await?;
        let highest = subscriber.until("end").await?.iter().map(|delivery| delivery.qos).max();
        equal("the highest QoS", highest, Some(2))?;
    }
    Ok(())
}

async fn the_lower_quality(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    for granted in 0..=2 {
        let mut subscriber = peer.subscriber("subscriber", &[(&topic, granted)]).await?;
        for sent in 0..=2 {
            peer.tell(&topic, "x", sent).await?;
            equal("QoS", subscriber.delivery().await?.qos, sent.min(granted))?;
        }
    }
    Ok(())
}

async fn codes_of_acknowledgements(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for qos in [1, 2] {
        let code = client.publish(&peer.topic("nobody"), "x", qos, false).await?;
        anyhow::ensure!(matches!(code, 0 | 0x10), "{code:#04x} with nobody there");
    }
    peer.subscribe(&mut client, &[(&peer.topic("t"), 0)]).await?;
    for qos in [1, 2] {
        equal("code", client.publish(&peer.topic("t"), "x", qos, false).await?, 0)?;
    }
    Ok(())
}

async fn no_problem_information(peer: Peer) -> anyhow::Result<()> {
    let hello = peer.hello("c").with(Property::RequestProblemInformation(0));
    let mut client = peer.join(hello).await?;
    let suback = client.subscribe_with(&[("$share//x", 0), ("a/#/b", 0), (&peer.topic("t"), 0)], &[]).await;
    // A server may also end the connection over such filters; then there is nothing to look at.
    let Ok(suback) = suback else { return Ok(()) };
    equal("reason string", value_of!(suback.properties, ReasonString), None)?;
    equal("properties", suback.properties, [])?;
    let id = client.begin(Publish::new(peer.topic("nobody"), "x").qos(1)).await?;
    equal("properties", client.expect(crate::mqtt::PUBACK, id).await?.properties, [])
}
