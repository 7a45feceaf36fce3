//! What a session keeps while its client is away (sections 3.1.2.4 and 4.1).

use anyhow::ensure;

use super::case::{Case, both, case, equal, v3};
use super::peer::Peer;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-3.1.2-4", "MQTT-3.1.2-5"),
            "a session that goes on has its subscriptions",
            subscriptions_stay,
        ),
        case(
            both("MQTT-3.1.2-4", "MQTT-3.1.2-6"),
            "a client that wants to go on and has no session gets a new one, which stays",
            a_new_one_where_none_was,
        ),
        case(
            both("MQTT-3.1.2-6", "MQTT-3.1.2-4"),
            "a clean start forgets subscriptions and messages of the session before",
            clean_start_forgets,
        ),
        case(
            both("MQTT-3.1.2-5", "MQTT-3.1.2-23"),
            "messages of QoS 1 that come meanwhile are kept, in their order",
            |peer| kept_meanwhile(peer, 1),
        ),
        case(
            both("MQTT-4.5.0-1", "MQTT-4.5.0-1"),
            "messages of QoS 2 that come meanwhile are kept, in their order",
            |peer| kept_meanwhile(peer, 2),
        ),
        case(
            both("MQTT-4.1.0-1", "MQTT-4.1.0-1"),
            "a session without a connection keeps to its subscriptions: unsubscribed is unsubscribed",
            unsubscribed_stays,
        ),
        case(
            both("MQTT-3.1.4-3", "MQTT-3.1.4-4"),
            "a connection that takes over with a clean start begins with nothing",
            clean_take_over,
        ),
        case(
            both("MQTT-4.1.0-2", "MQTT-4.1.0-1"),
            "a connection that takes over and goes on has the subscriptions",
            take_over_goes_on,
        ),
        case(v3("MQTT-3.1.2-6"), "a clean session ends with its connection", clean_session_ends),
        case(v3("MQTT-3.1.2-7"), "retained messages outlive the session that left them", retained_outlive),
    ]
}

async fn subscriptions_stay(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.leave(None).await?;
    let mut client = peer.resume(&hello).await?;
    peer.tell(&topic, "x", 1).await?;
    let delivery = client.delivery().await?;
    equal("message", (delivery.payload, delivery.qos), (b"x".to_vec(), 1))
}

async fn a_new_one_where_none_was(peer: Peer) -> anyhow::Result<()> {
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "a session that never was");
    client.leave(None).await?;
    peer.resume(&peer.lasting("c")).await.map(|_| ())
}

async fn clean_start_forgets(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.join(peer.lasting("c")).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.leave(None).await?;
    peer.tell(&topic, "queued", 1).await?;
    let mut client = peer.join(peer.lasting("c").clean(true)).await?;
    peer.tell(&topic, "not subscribed", 1).await?;
    peer.subscribe(&mut client, &[(&peer.topic("end"), 0)]).await?;
    client.publish(&peer.topic("end"), "end", 0, false).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn kept_meanwhile(peer: Peer, qos: u8) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, qos)]).await?;
    client.leave(None).await?;
    let mut publisher = peer.client("publisher").await?;
    let numbers: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    for number in &numbers {
        publisher.publish(&topic, number, qos, false).await?;
    }
    let mut client = peer.resume(&hello).await?;
    publisher.publish(&topic, "end", qos, false).await?;
    equal("kept", client.payloads_until("end").await?, numbers)
}

async fn unsubscribed_stays(peer: Peer) -> anyhow::Result<()> {
    let (left, kept, hello) = (peer.topic("left"), peer.topic("kept"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&left, 1), (&kept, 1)]).await?;
    client.unsubscribe(&[&left]).await?;
    client.leave(None).await?;
    peer.tell(&left, "not wanted any more", 1).await?;
    peer.tell(&kept, "end", 1).await?;
    let mut client = peer.resume(&hello).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn clean_take_over(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut older = peer.join(hello.clone()).await?;
    peer.subscribe(&mut older, &[(&topic, 1)]).await?;
    let mut newer = peer.join(hello.clean(true)).await?;
    peer.tell(&topic, "not subscribed", 1).await?;
    peer.subscribe(&mut newer, &[(&peer.topic("end"), 1)]).await?;
    peer.tell(&peer.topic("end"), "end", 1).await?;
    equal("arrived", newer.payloads_until("end").await?, [""; 0])
}

async fn take_over_goes_on(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut older = peer.join(hello.clone()).await?;
    peer.subscribe(&mut older, &[(&topic, 1)]).await?;
    let mut newer = peer.resume(&hello).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("message", newer.delivery().await?.payload, b"x")
}

async fn clean_session_ends(peer: Peer) -> anyhow::Result<()> {
    peer.subscriber("c", &[(&peer.topic("t"), 1)]).await?.leave(None).await?;
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "the clean session is still there");
    Ok(())
}

async fn retained_outlive(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut keeper = peer.client("keeper").await?;
    keeper.publish(&topic, "kept", 1, true).await?;
    keeper.leave(None).await?;
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    equal("message", subscriber.delivery().await?.payload, b"kept")
}
