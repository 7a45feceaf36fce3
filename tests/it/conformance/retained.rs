//! Retained messages (section 3.3.1.3).

use super::case::{Case, both, case, equal, v3, v5};
use super::peer::Peer;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-3.3.1-5", "MQTT-3.3.1-5"),
            "a retained message is kept with its QoS for those who subscribe later",
            kept_with_its_quality,
        ),
        case(
            both("MQTT-3.3.1-6", "MQTT-3.3.1-5"),
            "the last retained message of a topic is the one that is kept",
            the_last_one,
        ),
        case(
            both("MQTT-3.3.1-6", "MQTT-3.3.1-9"),
            "a filter with wildcards gets the retained message of each topic that it matches",
            of_each_topic,
        ),
        case(
            v3("MQTT-3.3.1-7"),
            "a retained message of QoS 0 takes the place of one with more",
            quality_zero_replaces,
        ),
        case(
            both("MQTT-3.3.1-8", "MQTT-3.3.1-9"),
            "what comes because of a new subscription has RETAIN",
            flag_for_the_new,
        ),
        case(
            both("MQTT-3.3.1-9", "MQTT-3.3.1-12"),
            "what comes through a subscription that was there has no RETAIN",
            no_flag_for_the_old,
        ),
        case(
            both("MQTT-3.3.1-10", "MQTT-3.3.1-6"),
            "a retained message of no bytes removes the one that was kept, and is delivered",
            empty_removes,
        ),
        case(
            both("MQTT-3.3.1-11", "MQTT-3.3.1-7"),
            "a retained message of no bytes is not kept",
            empty_is_not_kept,
        ),
        case(
            both("MQTT-3.3.1-12", "MQTT-3.3.1-8"),
            "a message without RETAIN neither is kept nor replaces nor removes",
            without_the_flag,
        ),
        case(
            both("MQTT-3.8.4-6", "MQTT-3.8.4-8"),
            "a retained message comes with the lower QoS of both",
            the_lower_quality,
        ),
        case(
            both("MQTT-3.8.4-3", "MQTT-3.8.4-4"),
            "subscribing again brings the retained message again",
            again_on_subscribing_again,
        ),
        case(
            both("MQTT-3.3.1-6", "MQTT-3.3.1-9"),
            "a retained message is not sent because a session goes on",
            not_on_resuming,
        ),
        case(v5("MQTT-3.3.1-5"), "a retained message crosses from one version to the other", across_versions),
    ]
}

async fn kept_with_its_quality(peer: Peer) -> anyhow::Result<()> {
    for qos in 0..=2 {
        let topic = peer.topic(&qos.to_string());
        peer.retain(&topic, "kept", qos).await?;
        let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
        let delivery = subscriber.delivery().await?;
        equal("message", (delivery.topic, delivery.qos), (topic, qos))?;
        equal("payload", delivery.payload, b"kept")?;
    }
    Ok(())
}

async fn the_last_one(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    for payload in ["1", "2", "3"] {
        peer.retain(&topic, payload, 1).await?;
    }
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("kept", subscriber.payloads_until("end").await?, ["3"])
}

async fn of_each_topic(peer: Peer) -> anyhow::Result<()> {
    for leaf in ["a", "a/b", "a/b/c", "b/b"] {
        peer.retain(&peer.topic(leaf), leaf, 0).await?;
    }
    let filters: [(&str, &[&str]); 4] = [
        ("#", &["a", "a/b", "a/b/c", "b/b"]),
        ("a/#", &["a", "a/b", "a/b/c"]),
        ("+/b", &["a/b", "b/b"]),
        ("+", &["a"]),
    ];
    for (filter, expected) in filters {
        let mut subscriber = peer.subscriber("subscriber", &[(&peer.topic(filter), 0)]).await?;
        peer.subscribe(&mut subscriber, &[(&peer.topic("the/end"), 0)]).await?;
        peer.tell(&peer.topic("the/end"), "end", 0).await?;
        let mut arrived = subscriber.payloads_until("end").await?;
        arrived.sort_unstable();
        equal(filter, arrived, expected)?;
    }
    Ok(())
}

async fn quality_zero_replaces(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    peer.retain(&topic, "more", 2).await?;
    peer.retain(&topic, "less", 0).await?;
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    peer.tell(&topic, "end", 2).await?;
    let kept = subscriber.payloads_until("end").await?;
    // The newer one should be kept and need not be; the older one must be gone.
    anyhow::ensure!(kept.is_empty() || kept == ["less"], "kept: {kept:?}");
    Ok(())
}

async fn flag_for_the_new(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    for qos in 0..=2 {
        peer.retain(&topic, "kept", qos).await?;
        let mut subscriber = peer.subscriber("subscriber", &[(&topic, qos)]).await?;
        equal("RETAIN", subscriber.delivery().await?.retain, true)?;
    }
    Ok(())
}

async fn no_flag_for_the_old(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    for qos in 0..=2 {
        peer.retain(&topic, "kept", qos).await?;
        equal("RETAIN", subscriber.delivery().await?.retain, false)?;
    }
    Ok(())
}

async fn empty_removes(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    peer.retain(&topic, "kept", 1).await?;
    let mut present = peer.subscriber("present", &[(&topic, 1)]).await?;
    equal("kept", present.delivery().await?.payload, b"kept")?;
    peer.retain(&topic, "", 1).await?;
    let delivery = present.delivery().await?;
    equal("delivered", (delivery.payload, delivery.retain), (Vec::new(), false))?;
    let mut late = peer.subscriber("late", &[(&topic, 1)]).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("kept", late.payloads_until("end").await?, [""; 0])
}

async fn empty_is_not_kept(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    for qos in 0..=2 {
        peer.retain(&topic, "", qos).await?;
        let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
        peer.tell(&topic, "end", 1).await?;
        equal("kept", subscriber.payloads_until("end").await?, [""; 0])?;
    }
    Ok(())
}

async fn without_the_flag(peer: Peer) -> anyhow::Result<()> {
    let (kept, never) = (peer.topic("kept"), peer.topic("never"));
    peer.retain(&kept, "kept", 1).await?;
    for payload in ["passing", ""] {
        peer.tell(&kept, payload, 1).await?;
        peer.tell(&never, payload, 1).await?;
    }
    let mut subscriber = peer.subscriber("subscriber", &[(&kept, 1), (&never, 1)]).await?;
    peer.tell(&never, "end", 1).await?;
    equal("kept", subscriber.payloads_until("end").await?, ["kept"])
}

async fn the_lower_quality(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    for kept in 0..=2 {
        peer.retain(&topic, "kept", kept).await?;
        for granted in 0..=2 {
            let mut subscriber = peer.subscriber("subscriber", &[(&topic, granted)]).await?;
            equal("QoS", subscriber.delivery().await?.qos, kept.min(granted))?;
        }
    }
    Ok(())
}

async fn again_on_subscribing_again(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    peer.retain(&topic, "kept", 1).await?;
    let mut subscriber = peer.client("subscriber").await?;
    for qos in [1, 1, 0, 2] {
        peer.subscribe(&mut subscriber, &[(&topic, qos)]).await?;
        let delivery = subscriber.delivery().await?;
        equal("message", (delivery.payload, delivery.retain), (b"kept".to_vec(), true))?;
    }
    Ok(())
}

async fn not_on_resuming(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    peer.retain(&topic, "kept", 1).await?;
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    equal("kept", client.delivery().await?.payload, b"kept")?;
    client.leave(None).await?;
    let mut client = peer.resume(&hello).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn across_versions(peer: Peer) -> anyhow::Result<()> {
    let other = peer.other_version();
    for (here, there) in [(&peer, &other), (&other, &peer)] {
        let topic = here.topic("t");
        here.retain(&topic, "kept", 2).await?;
        let mut subscriber = there.subscriber("subscriber", &[(&topic, 2)]).await?;
        let delivery = subscriber.delivery().await?;
        equal("message", (delivery.payload, delivery.qos, delivery.retain), (b"kept".to_vec(), 2, true))?;
    }
    Ok(())
}
