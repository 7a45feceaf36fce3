//! Sessions and messages that live for so long (sections 3.1.2.11.2, 3.14.2.2.2 and 3.3.2.3.3 of 5.0). Seconds must pass
//! here; the smallest number that both servers tell apart from none is one, and Mosquitto counts in whole ones.

use anyhow::{Context, ensure};

use super::case::{Case, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{PUBCOMP, PUBREC, PUBREL, Property, Publish, Will, disconnect, value_of};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            v5("MQTT-4.1.0-2"),
            "a session without an expiry ends with its connection, clean start or not",
            no_expiry,
        ),
        case(v5("MQTT-4.1.0-2"), "a session ends when its expiry has passed", expiry_passes),
        case(v5("MQTT-3.1.2-23"), "a session without end is kept", without_end),
        case(
            v5("MQTT-3.1.2-23"),
            "the expiry of the last CONNECT counts: a longer one keeps the session",
            last_expiry_counts,
        ),
        case(v5("MQTT-4.1.0-2"), "a DISCONNECT may end the session at once", ended_by_disconnect),
        case(v5("MQTT-3.1.2-23"), "a DISCONNECT may make the session last longer", longer_by_disconnect),
        case(
            v5("MQTT-4.13.1-1"),
            "a DISCONNECT that wants a session to last which was to end is an error",
            lasting_after_all,
        ),
        case(v5("MQTT-3.3.2-5"), "a message that expired in a queue is not delivered", expired_in_a_queue),
        case(v5("MQTT-3.3.2-5"), "a retained message that expired is not delivered", expired_and_retained),
        case(v5("MQTT-3.3.2-5"), "a will that expired in a queue is not delivered", expired_will),
        case(
            v5("MQTT-3.3.2-6"),
            "a message that waited is delivered with what is left of its expiry",
            what_is_left,
        ),
        case(
            v5("MQTT-3.3.2-6"),
            "a message that did not wait is delivered with its expiry",
            nothing_gone_yet,
        ),
        case(v5("MQTT-3.3.2-6"), "a message without an expiry is delivered without one", none_given),
        case(
            v5("MQTT-4.3.3-7"),
            "a message of QoS 2 that was sent once does not expire before it is complete",
            sent_does_not_expire,
        ),
        case(
            v5("MQTT-4.3.3-13"),
            "a message of QoS 2 is acknowledged to its end, expired or not",
            expired_and_acknowledged,
        ),
    ]
}

async fn no_expiry(peer: Peer) -> anyhow::Result<()> {
    for clean in [true, false] {
        let mut client = peer.join(peer.hello("c").clean(clean)).await?;
        peer.subscribe(&mut client, &[(&peer.topic("t"), 1)]).await?;
        client.leave(None).await?;
        let client = peer.join(peer.lasting("c")).await?;
        ensure!(!client.is_resumed(), "the session is still there");
        client.leave_with_expiry(0).await?;
    }
    Ok(())
}

/// The will with a much longer delay is spoken when the session ends, which tells that it did.
async fn expiry_passes(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let mut heir = peer.subscriber("heir", &[(&topic, 0)]).await?;
    let will = Will::new(&topic, "gone").with(Property::WillDelay(3600));
    drop(peer.join(peer.hello("c").lasting(1).will(will)).await?);
    equal("will", heir.delivery().await?.payload, b"gone")?;
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "the session is still there");
    Ok(())
}

async fn without_end(peer: Peer) -> anyhow::Result<()> {
    let hello = peer.hello("c").lasting(u32::MAX);
    peer.join(hello.clone()).await?.leave(None).await?;
    peer.resume(&hello).await?.leave_with_expiry(0).await.map(|_| ())
}

async fn last_expiry_counts(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.hello("c").lasting(1)).await?.leave(None).await?;
    peer.resume(&peer.lasting("c")).await?.leave(None).await?;
    peer.pass(2).await?;
    peer.resume(&peer.lasting("c")).await.map(|_| ())
}

async fn ended_by_disconnect(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.lasting("c")).await?.leave_with_expiry(0).await?;
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "the session is still there");
    Ok(())
}

async fn longer_by_disconnect(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.hello("c").lasting(1)).await?.leave_with_expiry(3600).await?;
    peer.pass(2).await?;
    peer.resume(&peer.lasting("c")).await.map(|_| ())
}

/// Section 3.14.2.2.2: with an expiry of 0 in CONNECT, one in DISCONNECT is a protocol error, and the goodbye is none.
async fn lasting_after_all(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.send_bytes(&disconnect(0, &[Property::SessionExpiry(3600)])).await?;
    peer.cut_off(&mut client, BROKEN).await?;
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "the session is there after all");
    Ok(())
}

async fn expired_in_a_queue(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.leave(None).await?;
    peer.say(Publish::new(&topic, "expires").qos(1).with(Property::MessageExpiry(1))).await?;
    peer.say(Publish::new(&topic, "stays").qos(1).with(Property::MessageExpiry(3600))).await?;
    peer.pass(2).await?;
    peer.tell(&topic, "end", 1).await?;
    let mut client = peer.resume(&hello).await?;
    equal("arrived", client.payloads_until("end").await?, ["stays"])
}

async fn expired_and_retained(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    peer.say(Publish::new(&topic, "expires").qos(1).retained().with(Property::MessageExpiry(1))).await?;
    peer.pass(2).await?;
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", subscriber.payloads_until("end").await?, [""; 0])
}

async fn expired_will(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.leave(None).await?;
    let mut witness = peer.subscriber("witness", &[(&topic, 1)]).await?;
    let will = Will::new(&topic, "will").qos(1).with(Property::MessageExpiry(1));
    drop(peer.join(peer.hello("mortal").will(will)).await?);
    equal("will", witness.delivery().await?.payload, b"will")?;
    peer.pass(2).await?;
    peer.tell(&topic, "end", 1).await?;
    let mut client = peer.resume(&hello).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn what_is_left(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.leave(None).await?;
    peer.say(Publish::new(&topic, "x").qos(1).with(Property::MessageExpiry(100))).await?;
    peer.pass(1).await?;
    let delivery = peer.resume(&hello).await?.delivery().await?;
    let left = value_of!(delivery.properties, MessageExpiry).context("no expiry")?;
    ensure!((80..100).contains(&left), "{left} of 100 seconds are left");
    Ok(())
}

async fn nothing_gone_yet(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 0)]).await?;
    peer.say(Publish::new(&topic, "x").with(Property::MessageExpiry(100))).await?;
    let left = value_of!(subscriber.delivery().await?.properties, MessageExpiry).context("no expiry")?;
    ensure!((80..=100).contains(&left), "{left} of 100 seconds are left");
    Ok(())
}

async fn none_given(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("properties", subscriber.delivery().await?.properties, [])
}

async fn sent_does_not_expire(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    peer.say(Publish::new(&topic, "x").qos(2).with(Property::MessageExpiry(1))).await?;
    let first = client.delivery().await?;
    drop(client);
    peer.pass(2).await?;
    let mut client = peer.resume(&hello).await?;
    let again = client.delivery().await?;
    equal("sent again", (again.id, again.dup, again.payload), (first.id, true, first.payload))
}

async fn expired_and_acknowledged(peer: Peer) -> anyhow::Result<()> {
    let mut publisher = peer.client("publisher").await?;
    let publish = Publish::new(peer.topic("t"), "x").qos(2).with(Property::MessageExpiry(1));
    let id = publisher.begin(publish).await?;
    publisher.expect(PUBREC, id).await?;
    peer.pass(2).await?;
    publisher.acknowledge_with(PUBREL, id, None).await?;
    equal("PUBCOMP", publisher.expect(PUBCOMP, id).await?.codes, [0])
}
