//! Retain handling and retain as published, the options of a subscription in 5.0 (sections 3.3.1.3 and 3.8.3.1).

use super::case::{Case, case, equal, v5};
use super::peer::Peer;
use crate::mqtt::Client;

/// Bits of the options byte.
const AS_PUBLISHED: u8 = 0x08;
const IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(v5("MQTT-3.3.1-9"), "retain handling 0 sends what is retained, every time", every_time),
        case(
            v5("MQTT-3.3.1-10"),
            "retain handling 1 sends what is retained to a new subscription",
            to_a_new_one,
        ),
        case(
            v5("MQTT-3.3.1-10"),
            "retain handling 1 sends nothing to a subscription that was there",
            not_to_an_old_one,
        ),
        case(
            v5("MQTT-3.3.1-10"),
            "retain handling 1 knows the subscriptions of a session that goes on",
            not_to_an_old_one_of_the_session,
        ),
        case(
            v5("MQTT-3.3.1-10"),
            "retain handling 1 takes what was unsubscribed for new",
            to_one_that_was_unsubscribed,
        ),
        case(v5("MQTT-3.3.1-11"), "retain handling 2 sends nothing that is retained", never),
        case(v5("MQTT-3.3.1-12"), "without retain as published RETAIN is taken away", taken_away),
        case(v5("MQTT-3.3.1-13"), "with retain as published RETAIN stays as it was", as_published),
        case(
            v5("MQTT-3.3.1-13"),
            "with retain as published a message of no bytes has RETAIN, too",
            empty_as_published,
        ),
        case(
            v5("MQTT-3.3.1-12"),
            "what is retained comes with RETAIN to a new subscription, as published or not",
            flag_for_the_new,
        ),
    ]
}

async fn with_retained(peer: &Peer) -> anyhow::Result<Client> {
    peer.retain(&peer.topic("t"), "kept", 1).await?;
    peer.client("subscriber").await
}

/// What a subscription with these options brings.
async fn brings(peer: &Peer, client: &mut Client, options: u8) -> anyhow::Result<Vec<String>> {
    let topic = peer.topic("t");
    peer.subscribe(client, &[(&topic, 1 | options)]).await?;
    peer.tell(&topic, "end", 1).await?;
    client.payloads_until("end").await
}

async fn every_time(peer: Peer) -> anyhow::Result<()> {
    let mut client = with_retained(&peer).await?;
    for _ in 0..3 {
        equal("brought", brings(&peer, &mut client, 0).await?, ["kept"])?;
    }
    Ok(())
}

async fn to_a_new_one(peer: Peer) -> anyhow::Result<()> {
    let mut client = with_retained(&peer).await?;
    equal("brought", brings(&peer, &mut client, IF_NEW).await?, ["kept"])
}

async fn not_to_an_old_one(peer: Peer) -> anyhow::Result<()> {
    let mut client = with_retained(&peer).await?;
    for (options, expected) in [(NEVER, &[][..]), (IF_NEW, &[]), (0, &["kept"]), (IF_NEW, &[])] {
        equal("brought", brings(&peer, &mut client, options).await?, expected)?;
    }
    Ok(())
}

async fn not_to_an_old_one_of_the_session(peer: Peer) -> anyhow::Result<()> {
    peer.retain(&peer.topic("t"), "kept", 1).await?;
    let mut client = peer.join(peer.lasting("c")).await?;
    equal("brought", brings(&peer, &mut client, IF_NEW).await?, ["kept"])?;
    client.leave(None).await?;
    let mut client = peer.resume(&peer.lasting("c")).await?;
    equal("brought", brings(&peer, &mut client, IF_NEW).await?, [""; 0])
}

async fn to_one_that_was_unsubscribed(peer: Peer) -> anyhow::Result<()> {
    let mut client = with_retained(&peer).await?;
    for _ in 0..2 {
        equal("brought", brings(&peer, &mut client, IF_NEW).await?, ["kept"])?;
        client.unsubscribe(&[&peer.topic("t")]).await?;
    }
    Ok(())
}

async fn never(peer: Peer) -> anyhow::Result<()> {
    let mut client = with_retained(&peer).await?;
    for _ in 0..2 {
        equal("brought", brings(&peer, &mut client, NEVER).await?, [""; 0])?;
    }
    Ok(())
}

async fn taken_away(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    for retain in [true, false] {
        client.publish(&topic, "x", 1, retain).await?;
        equal("RETAIN", client.delivery().await?.retain, false)?;
    }
    Ok(())
}

async fn as_published(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("subscriber", &[(&topic, 2 | AS_PUBLISHED)]).await?;
    for qos in 0..=2 {
        for retain in [true, false] {
            client.publish(&topic, "x", qos, retain).await?;
            equal("RETAIN", client.delivery().await?.retain, retain)?;
        }
    }
    Ok(())
}

async fn empty_as_published(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("subscriber", &[(&topic, 1 | AS_PUBLISHED)]).await?;
    client.publish(&topic, "", 1, true).await?;
    equal("RETAIN", client.delivery().await?.retain, true)
}

async fn flag_for_the_new(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = with_retained(&peer).await?;
    for options in [1, 1 | AS_PUBLISHED] {
        peer.subscribe(&mut client, &[(&topic, options)]).await?;
        equal("RETAIN", client.delivery().await?.retain, true)?;
    }
    Ok(())
}
