//! Wills: when they are published and how (sections 3.1.2.5 to 3.1.2.7).

use super::case::{Case, both, case, equal, rejects, v3, v5};
use super::connect::MALFORMED;
use super::peer::Peer;
use crate::mqtt::{Client, Property, Publish, Will, packet};

pub(super) fn cases() -> Vec<Case> {
    let published = both("MQTT-3.1.2-8", "MQTT-3.1.2-8");
    let no_topic = both("MQTT-4.7.1-1", "MQTT-4.7.0-1");
    vec![
        case(published, "a will is published when the connection breaks", broken),
        case(published, "a will is published when the keep-alive has passed", silent),
        case(published, "a will is published when the client breaks the protocol", rude),
        case(published, "a will is published when another connection takes over", taken_over),
        case(published, "a will of no bytes is published with no bytes", empty),
        case(
            both("MQTT-3.1.2-10", "MQTT-3.1.2-10"),
            "a will that was published is gone: the session's next connection has none",
            only_once,
        ),
        case(both("MQTT-3.14.4-3", "MQTT-3.14.4-3"), "a goodbye takes the will back", goodbye),
        case(v5("MQTT-3.14.4-3"), "a goodbye with the reason 0 takes the will back", goodbye_with_reason),
        case(published_5(), "a goodbye may ask for the will: reason 4", |peer| asked_for(peer, 0x04)),
        case(published_5(), "a goodbye because of an error leaves the will", |peer| asked_for(peer, 0x80)),
        case(v3("MQTT-3.1.2-12"), "who has no will leaves none", no_will),
        case(
            both("MQTT-3.1.2-16", "MQTT-3.1.2-14"),
            "a will that is not to be retained is not retained",
            not_retained,
        ),
        case(both("MQTT-3.1.2-17", "MQTT-3.1.2-15"), "a will that is to be retained is retained", retained),
        case(
            both("MQTT-3.3.1-10", "MQTT-3.3.1-6"),
            "a retained will of no bytes removes what was retained",
            retained_and_empty,
        ),
        case(both("MQTT-3.1.2-9", "MQTT-3.1.2-12"), "a will of QoS 0 is published with it", |peer| {
            quality(peer, 0)
        }),
        case(both("MQTT-3.1.2-9", "MQTT-3.1.2-12"), "a will of QoS 1 is published with it", |peer| {
            quality(peer, 1)
        }),
        case(both("MQTT-3.1.2-9", "MQTT-3.1.2-12"), "a will of QoS 2 is published with it", |peer| {
            quality(peer, 2)
        }),
        rejects(
            no_topic,
            "a will topic with a wildcard is not let in",
            |peer| peer.hello("c").will(Will::new(peer.topic("+/x"), "x")).bytes(),
            super::case::Refusals { v3: MALFORMED.v3, v5: &[0x80, 0x81, 0x82, 0x90] },
        ),
        rejects(
            both("MQTT-4.7.3-1", "MQTT-4.7.3-1"),
            "an empty will topic is not let in",
            |peer| peer.hello("c").will(Will::new("", "x")).bytes(),
            super::case::Refusals { v3: MALFORMED.v3, v5: &[0x80, 0x81, 0x82, 0x90] },
        ),
        case(v5("MQTT-3.1.3-10"), "a will keeps its properties, user properties in order", properties),
    ]
}

fn published_5() -> super::case::Statements {
    v5("MQTT-3.1.2-8")
}

/// Somebody who hears the will's topic, and a client whose will says so.
async fn heir_and_mortal(peer: &Peer) -> anyhow::Result<(Client, Client)> {
    let heir = peer.subscriber("heir", &[(&peer.topic("will"), 2)]).await?;
    let mortal = peer.join(peer.hello("mortal").will(Will::new(peer.topic("will"), "will"))).await?;
    Ok((heir, mortal))
}

async fn inherits(mut heir: Client) -> anyhow::Result<()> {
    equal("will", heir.delivery().await?.payload, b"will")
}

async fn inherits_nothing(peer: &Peer, mut heir: Client) -> anyhow::Result<()> {
    peer.tell(&peer.topic("will"), "end", 0).await?;
    equal("arrived", heir.payloads_until("end").await?, [""; 0])
}

async fn broken(peer: Peer) -> anyhow::Result<()> {
    let (heir, mortal) = heir_and_mortal(&peer).await?;
    drop(mortal);
    inherits(heir).await
}

async fn silent(peer: Peer) -> anyhow::Result<()> {
    let heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    let hello = peer.hello("mortal").keep_alive(1).will(Will::new(peer.topic("will"), "will"));
    let _silent = peer.join(hello).await?;
    inherits(heir).await
}

async fn rude(peer: Peer) -> anyhow::Result<()> {
    let (heir, mut mortal) = heir_and_mortal(&peer).await?;
    mortal.send_bytes(&packet(0x00, &[])).await?;
    inherits(heir).await
}

async fn taken_over(peer: Peer) -> anyhow::Result<()> {
    let (heir, _mortal) = heir_and_mortal(&peer).await?;
    let _newer = peer.client("mortal").await?;
    inherits(heir).await
}

async fn empty(peer: Peer) -> anyhow::Result<()> {
    let mut heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    drop(peer.join(peer.hello("mortal").will(Will::new(peer.topic("will"), ""))).await?);
    equal("will", heir.delivery().await?.payload, b"")
}

async fn only_once(peer: Peer) -> anyhow::Result<()> {
    let mut heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    let hello = peer.lasting("mortal");
    drop(peer.join(hello.clone().will(Will::new(peer.topic("will"), "will"))).await?);
    equal("will", heir.delivery().await?.payload, b"will")?;
    drop(peer.resume(&hello).await?);
    // A second death of the same session, seen by the server: a later connection finds it and says so.
    peer.resume(&hello).await?.leave(None).await?;
    inherits_nothing(&peer, heir).await
}

async fn goodbye(peer: Peer) -> anyhow::Result<()> {
    let (heir, mortal) = heir_and_mortal(&peer).await?;
    mortal.leave(None).await?;
    inherits_nothing(&peer, heir).await
}

async fn goodbye_with_reason(peer: Peer) -> anyhow::Result<()> {
    let (heir, mortal) = heir_and_mortal(&peer).await?;
    mortal.leave(Some(0)).await?;
    inherits_nothing(&peer, heir).await
}

async fn asked_for(peer: Peer, reason: u8) -> anyhow::Result<()> {
    let (heir, mortal) = heir_and_mortal(&peer).await?;
    mortal.leave(Some(reason)).await?;
    inherits(heir).await
}

async fn no_will(peer: Peer) -> anyhow::Result<()> {
    let heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    drop(peer.join(peer.hello("mortal")).await?);
    peer.client("mortal").await?.leave(None).await?;
    inherits_nothing(&peer, heir).await
}

async fn not_retained(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let (mut heir, mortal) = heir_and_mortal(&peer).await?;
    drop(mortal);
    equal("retained", heir.delivery().await?.retain, false)?;
    let late = peer.subscriber("late", &[(&topic, 0)]).await?;
    inherits_nothing(&peer, late).await
}

async fn retained(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let mut heir = peer.subscriber("heir", &[(&topic, 1)]).await?;
    drop(peer.join(peer.hello("mortal").will(Will::new(&topic, "will").qos(1).retained())).await?);
    heir.delivery().await?;
    let mut late = peer.subscriber("late", &[(&topic, 1)]).await?;
    let delivery = late.delivery().await?;
    equal("retained will", (delivery.payload, delivery.retain), (b"will".to_vec(), true))
}

async fn retained_and_empty(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    peer.retain(&topic, "kept", 1).await?;
    let mut heir = peer.subscriber("heir", &[(&topic, 1)]).await?;
    equal("kept", heir.delivery().await?.payload, b"kept")?;
    drop(peer.join(peer.hello("mortal").will(Will::new(&topic, "").retained())).await?);
    equal("will", heir.delivery().await?.payload, b"")?;
    let late = peer.subscriber("late", &[(&topic, 1)]).await?;
    inherits_nothing(&peer, late).await
}

async fn quality(peer: Peer, qos: u8) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let mut heir = peer.subscriber("heir", &[(&topic, 2)]).await?;
    drop(peer.join(peer.hello("mortal").will(Will::new(&topic, "will").qos(qos))).await?);
    equal("QoS", heir.delivery().await?.qos, qos)?;
    heir.ping().await
}

async fn properties(peer: Peer) -> anyhow::Result<()> {
    let properties = [
        Property::PayloadFormat(1),
        Property::ContentType("text/plain".into()),
        Property::ResponseTopic(peer.topic("response")),
        Property::CorrelationData(vec![0, 1, 2]),
        Property::User("b".into(), "1".into()),
        Property::User("a".into(), "2".into()),
        Property::User("b".into(), "1".into()),
    ];
    let mut heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    let will = Will::new(peer.topic("will"), "will");
    let will = properties.iter().cloned().fold(will, Will::with);
    drop(peer.join(peer.hello("mortal").will(will)).await?);
    super::properties::unaltered(&properties, &heir.delivery().await?.properties)?;
    // A message in between belongs to no will.
    heir.publish_all_of(Publish::new(peer.topic("will"), "x")).await?;
    equal("properties", heir.delivery().await?.properties, [])
}
