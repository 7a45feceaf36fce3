//! Topic aliases of 5.0, both ways (section 3.3.2.3.4).

use anyhow::{Context, ensure};

use super::case::{Case, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Client, Property, Publish, value_of};

/// Section 3.3.4 has a code for an alias out of range, and another for one that stands for nothing.
const INVALID: &[u8] = &[0x94];
const UNKNOWN: &[u8] = &[0x82];

pub(super) fn cases() -> Vec<Case> {
    vec![
        breaks(
            v5("MQTT-3.3.2-8"),
            "the alias 0 ends the connection",
            |peer| aliased(&peer.topic("t"), "x", 0).bytes(5),
            INVALID,
        ),
        breaks(
            v5("MQTT-4.13.1-1"),
            "an alias that was never said ends the connection",
            |_| aliased("", "x", 1).bytes(5),
            UNKNOWN,
        ),
        breaks(
            v5("MQTT-4.13.1-1"),
            "an empty topic without an alias ends the connection",
            |_| Publish::new("", "x").qos(1).with(Property::PayloadFormat(0)).bytes(5),
            &[0x81, 0x82, 0x90],
        ),
        case(v5("MQTT-3.3.2-9"), "an alias above the maximum ends the connection", above_the_maximum),
        case(v5("MQTT-3.3.2-12"), "every alias up to the maximum is taken", every_alias),
        case(v5("MQTT-3.3.2-12"), "an alias stands for its topic in every QoS", in_every_quality),
        case(v5("MQTT-3.3.2-12"), "an alias may be given to another topic", given_to_another),
        case(
            v5("MQTT-3.3.2-7"),
            "aliases of a client end with the connection, session or not",
            end_with_connection,
        ),
        case(
            v5("MQTT-3.1.2-27"),
            "who offers no aliases gets none, though the publisher used one",
            none_where_none_are_offered,
        ),
        case(
            v5("MQTT-3.1.2-26"),
            "the server's aliases keep within what the client offers, and mean the right topics",
            within_what_is_offered,
        ),
        case(
            v5("MQTT-3.3.2-7"),
            "aliases of the server end with the connection, session or not",
            servers_end,
        ),
        breaks(
            v5("MQTT-4.13.1-1"),
            "two aliases in one PUBLISH end the connection",
            |peer| aliased(&peer.topic("t"), "x", 1).with(Property::TopicAlias(1)).bytes(5),
            BROKEN,
        ),
    ]
}

fn aliased(topic: &str, payload: &str, alias: u16) -> Publish {
    Publish::new(topic, payload).with(Property::TopicAlias(alias))
}

/// How many aliases the server takes. The cases have nothing to show where it takes none.
fn maximum(client: &Client) -> anyhow::Result<u16> {
    let maximum = value_of!(client.connack.properties, TopicAliasMaximum);
    maximum.filter(|&maximum| maximum > 0).context("the server takes no aliases")
}

async fn above_the_maximum(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let above = maximum(&client)?.saturating_add(1);
    client.begin(aliased(&peer.topic("t"), "x", above)).await?;
    peer.cut_off(&mut client, INVALID).await
}

async fn every_alias(peer: Peer) -> anyhow::Result<()> {
    let mut subscriber = peer.subscriber("subscriber", &[(&peer.topic("#"), 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let all: Vec<_> = (1..=maximum(&publisher)?.min(1_000)).collect();
    for alias in &all {
        publisher.begin(aliased(&peer.topic(&alias.to_string()), "named", *alias)).await?;
    }
    for alias in &all {
        publisher.begin(aliased("", "by its alias", *alias)).await?;
    }
    for payload in ["named", "by its alias"] {
        for alias in &all {
            let delivery = subscriber.delivery().await?;
            equal("topic", delivery.topic, peer.topic(&alias.to_string()))?;
            equal("payload", delivery.payload.as_slice(), payload.as_bytes())?;
        }
    }
    Ok(())
}

async fn in_every_quality(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    let mut publisher = peer.client("publisher").await?;
    maximum(&publisher)?;
    for (name, qos) in [(topic.as_str(), 2), ("", 0), ("", 1), ("", 2)] {
        publisher.publish_all_of(aliased(name, "x", 1).qos(qos)).await?;
        let delivery = subscriber.delivery().await?;
        equal("topic and QoS", (delivery.topic.as_str(), delivery.qos), (topic.as_str(), qos))?;
    }
    Ok(())
}

async fn given_to_another(peer: Peer) -> anyhow::Result<()> {
    let (first, second) = (peer.topic("first"), peer.topic("second"));
    let mut subscriber = peer.subscriber("subscriber", &[(&first, 0), (&second, 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    maximum(&publisher)?;
    for (name, expected) in [(first.as_str(), &first), ("", &first), (&second, &second), ("", &second)] {
        publisher.begin(aliased(name, "x", 1)).await?;
        equal("topic", &subscriber.delivery().await?.topic, expected)?;
    }
    Ok(())
}

async fn end_with_connection(peer: Peer) -> anyhow::Result<()> {
    let hello = peer.lasting("publisher");
    let mut publisher = peer.join(hello.clone()).await?;
    maximum(&publisher)?;
    publisher.publish_all_of(aliased(&peer.topic("t"), "x", 1).qos(1)).await?;
    publisher.leave(None).await?;
    let mut publisher = peer.resume(&hello).await?;
    publisher.begin(aliased("", "x", 1).qos(1)).await?;
    peer.cut_off(&mut publisher, UNKNOWN).await
}

async fn none_where_none_are_offered(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut without = peer.subscriber("without", &[(&topic, 1)]).await?;
    let mut zero = peer.join(peer.hello("zero").with(Property::TopicAliasMaximum(0))).await?;
    peer.subscribe(&mut zero, &[(&topic, 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    maximum(&publisher)?;
    publisher.publish_all_of(aliased(&topic, "x", 1).qos(1)).await?;
    publisher.publish_all_of(aliased("", "x", 1).qos(1)).await?;
    for _ in 0..2 {
        equal("properties", without.delivery().await?.properties, [])?;
        equal("properties", zero.delivery().await?.properties, [])?;
    }
    Ok(())
}

async fn within_what_is_offered(peer: Peer) -> anyhow::Result<()> {
    let mut subscriber = peer.join(peer.hello("subscriber").with(Property::TopicAliasMaximum(2))).await?;
    peer.subscribe(&mut subscriber, &[(&peer.topic("+"), 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    for round in 0..4 {
        for leaf in ["a", "b", "c", "d"] {
            let topic = peer.topic(leaf);
            publisher.publish(&topic, round.to_string(), 1, false).await?;
            let delivery = subscriber.delivery().await?;
            equal("topic", delivery.topic, topic)?;
            let alias = value_of!(delivery.properties, TopicAlias);
            ensure!(alias.is_none_or(|alias| (1..=2).contains(&alias)), "the alias {alias:?}");
        }
    }
    Ok(())
}

/// The client forgets what aliases stood for when it connects anew, so one that is used without being said fails.
async fn servers_end(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c").with(Property::TopicAliasMaximum(5)));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    for _ in 0..3 {
        for _ in 0..2 {
            peer.tell(&topic, "x", 1).await?;
            equal("topic", &client.delivery().await?.topic, &topic)?;
        }
        client.leave(None).await?;
        client = peer.resume(&hello).await?;
    }
    Ok(())
}
