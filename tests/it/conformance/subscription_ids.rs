//! Subscription identifiers of 5.0 (sections 3.3.4 and 3.8.2.1.2).

use super::case::{Case, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Client, Delivery, Property, subscribe_to};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(v5("MQTT-3.3.4-3"), "a message comes with the identifier of its subscription", comes_with_it),
        case(v5("MQTT-3.3.4-3"), "identifiers of one to four bytes come back as they were", of_every_length),
        case(
            v5("MQTT-3.3.4-4"),
            "through overlapping subscriptions the identifiers of all come, in one copy or several",
            of_all_that_overlap,
        ),
        case(
            v5("MQTT-3.3.4-5"),
            "a subscription without an identifier adds none to the others'",
            with_and_without,
        ),
        case(v5("MQTT-3.3.4-3"), "several subscriptions may have the same identifier", the_same_for_several),
        case(
            v5("MQTT-3.3.4-4"),
            "the same identifier of two subscriptions that overlap comes twice",
            the_same_of_two_that_overlap,
        ),
        case(
            v5("MQTT-3.8.4-3"),
            "a subscription that takes the place of another brings its identifier",
            replaced,
        ),
        case(
            v5("MQTT-3.8.4-3"),
            "a subscription that takes the place of another may bring no identifier",
            taken_away,
        ),
        case(v5("MQTT-3.3.4-3"), "a retained message comes with the identifier", retained),
        case(v5("MQTT-3.3.4-3"), "a queued message comes with the identifier", queued),
        case(v5("MQTT-3.3.4-3"), "a subscription keeps its identifier when the session goes on", resumed),
        breaks(
            v5("MQTT-4.13.1-1"),
            "the identifier 0 ends the connection",
            |peer| subscribe_to(5, 1, &[(peer.topic("t"), 0)], &[Property::SubscriptionIdentifier(0)]),
            BROKEN,
        ),
    ]
}

async fn subscribe(client: &mut Client, filter: &str, id: u32) -> anyhow::Result<()> {
    let suback = client.subscribe_with(&[(filter, 1)], &[Property::SubscriptionIdentifier(id)]).await?;
    equal("granted", suback.codes, [1])
}

fn ids(delivery: &Delivery) -> Vec<u32> {
    let id = |property: &Property| match property {
        Property::SubscriptionIdentifier(id) => Some(*id),
        _ => None,
    };
    delivery.properties.iter().filter_map(id).collect()
}

/// The identifiers of all copies of a message, in their order.
async fn ids_of_copies(peer: &Peer, client: &mut Client, topic: &str) -> anyhow::Result<Vec<u32>> {
    peer.tell(topic, "x", 1).await?;
    peer.tell(topic, "end", 1).await?;
    let mut all: Vec<_> = client.until("end").await?.iter().flat_map(ids).collect();
    client.unsubscribe(&[topic]).await?;
    client.taken().for_each(drop);
    all.sort_unstable();
    Ok(all)
}

async fn comes_with_it(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    subscribe(&mut client, &peer.topic("t"), 7).await?;
    peer.tell(&peer.topic("t"), "x", 1).await?;
    equal("identifiers", ids(&client.delivery().await?), [7])
}

async fn of_every_length(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for id in [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
        subscribe(&mut client, &peer.topic("t"), id).await?;
        peer.tell(&peer.topic("t"), "x", 1).await?;
        equal("identifiers", ids(&client.delivery().await?), [id])?;
    }
    Ok(())
}

async fn of_all_that_overlap(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for (filter, id) in [("a/b", 1), ("a/+", 2), ("#", 3), ("other", 4)] {
        subscribe(&mut client, &peer.topic(filter), id).await?;
    }
    equal("identifiers", ids_of_copies(&peer, &mut client, &peer.topic("a/b")).await?, [1, 2, 3])
}

async fn with_and_without(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.subscriber("c", &[(&peer.topic("a/+"), 1)]).await?;
    subscribe(&mut client, &peer.topic("a/b"), 9).await?;
    equal("identifiers", ids_of_copies(&peer, &mut client, &peer.topic("a/b")).await?, [9])
}

async fn the_same_for_several(peer: Peer) -> anyhow::Result<()> {
    let (a, b) = (peer.topic("a"), peer.topic("b"));
    let mut client = peer.client("c").await?;
    client.subscribe_with(&[(&a, 1), (&b, 1)], &[Property::SubscriptionIdentifier(5)]).await?;
    for topic in [a, b] {
        peer.tell(&topic, "x", 1).await?;
        equal("identifiers", ids(&client.delivery().await?), [5])?;
    }
    Ok(())
}

async fn the_same_of_two_that_overlap(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for filter in ["a/b", "a/+"] {
        subscribe(&mut client, &peer.topic(filter), 5).await?;
    }
    equal("identifiers", ids_of_copies(&peer, &mut client, &peer.topic("a/b")).await?, [5, 5])
}

async fn replaced(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for id in [1, 2] {
        subscribe(&mut client, &peer.topic("t"), id).await?;
    }
    peer.tell(&peer.topic("t"), "x", 1).await?;
    equal("identifiers", ids(&client.delivery().await?), [2])
}

async fn taken_away(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    subscribe(&mut client, &peer.topic("t"), 1).await?;
    peer.subscribe(&mut client, &[(&peer.topic("t"), 1)]).await?;
    peer.tell(&peer.topic("t"), "x", 1).await?;
    equal("identifiers", ids(&client.delivery().await?), [0; 0])
}

async fn retained(peer: Peer) -> anyhow::Result<()> {
    peer.retain(&peer.topic("t"), "kept", 1).await?;
    let mut client = peer.client("c").await?;
    subscribe(&mut client, &peer.topic("t"), 3).await?;
    equal("identifiers", ids(&client.delivery().await?), [3])
}

async fn queued(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.join(peer.lasting("c")).await?;
    subscribe(&mut client, &peer.topic("t"), 3).await?;
    client.leave(None).await?;
    peer.tell(&peer.topic("t"), "x", 1).await?;
    let mut client = peer.resume(&peer.lasting("c")).await?;
    equal("identifiers", ids(&client.delivery().await?), [3])
}

async fn resumed(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.join(peer.lasting("c")).await?;
    subscribe(&mut client, &peer.topic("t"), 3).await?;
    client.leave(None).await?;
    let mut client = peer.resume(&peer.lasting("c")).await?;
    peer.tell(&peer.topic("t"), "x", 1).await?;
    equal("identifiers", ids(&client.delivery().await?), [3])
}
