//! DISCONNECT, of the client and of the server (sections 3.14 and 4.13).

use anyhow::{bail, ensure};

use super::case::{Case, both, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{Answer, Property, Publish, disconnect, packet, value_of};

pub(super) fn cases() -> Vec<Case> {
    vec![
        breaks(
            both("MQTT-3.14.1-1", "MQTT-3.14.1-1"),
            "a DISCONNECT with flags ends the connection",
            |_| packet(0xE1, &[]),
            BROKEN,
        ),
        case(
            both("MQTT-3.14.1-1", "MQTT-3.14.1-1"),
            "a DISCONNECT with flags is no goodbye: the will is published",
            flags_are_no_goodbye,
        ),
        case(
            both("MQTT-3.14.4-2", "MQTT-3.14.4-1"),
            "what is sent behind a DISCONNECT does nothing",
            nothing_behind_it,
        ),
        case(
            both("MQTT-3.14.4-1", "MQTT-3.14.4-2"),
            "the server closes after a DISCONNECT of the client",
            closes,
        ),
        case(v5("MQTT-3.14.2-1"), "every way to say goodbye is understood", every_way),
        case(
            v5("MQTT-3.14.2-2"),
            "a DISCONNECT of the server says nothing of the session's expiry",
            no_expiry_from_the_server,
        ),
        case(v5("MQTT-4.13.2-1"), "a DISCONNECT of the server is the last thing that it says", the_last_word),
        case(v5("MQTT-3.14.0-1"), "a connection that was not let in gets no DISCONNECT", none_before_connack),
        case(both("MQTT-4.8.0-1", "MQTT-4.13.1-1"), "one client's error is nobody else's", nobody_elses),
    ]
}

async fn flags_are_no_goodbye(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let mut heir = peer.subscriber("heir", &[(&topic, 0)]).await?;
    let will = crate::mqtt::Will::new(&topic, "will");
    let mut mortal = peer.join(peer.hello("mortal").will(will)).await?;
    mortal.send_bytes(&packet(0xE2, &[])).await?;
    equal("will", heir.delivery().await?.payload, b"will")
}

async fn nothing_behind_it(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 0)]).await?;
    let mut client = peer.client("c").await?;
    let bytes = [packet(0xE0, &[]), Publish::new(&topic, "from the grave").bytes(peer.level)].concat();
    client.send_bytes(&bytes).await?;
    client.ended().await?;
    peer.tell(&topic, "end", 0).await?;
    equal("arrived", subscriber.payloads_until("end").await?, [""; 0])
}

async fn closes(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.send_bytes(&packet(0xE0, &[])).await?;
    equal("what comes then", client.next().await?, None)
}

async fn every_way(peer: Peer) -> anyhow::Result<()> {
    let reason = [Property::ReasonString("going home".into()), Property::User("a".into(), "b".into())];
    for bytes in [packet(0xE0, &[]), packet(0xE0, &[0]), packet(0xE0, &[0, 0]), disconnect(0, &reason)] {
        let topic = peer.topic("will");
        let mut heir = peer.subscriber("heir", &[(&topic, 0)]).await?;
        let will = crate::mqtt::Will::new(&topic, "will");
        let mut client = peer.join(peer.hello("c").will(will)).await?;
        client.send_bytes(&bytes).await?;
        equal("what comes then", client.next().await?, None)?;
        peer.tell(&topic, "end", 0).await?;
        equal("arrived", heir.payloads_until("end").await?, [""; 0])?;
    }
    Ok(())
}

/// The reader refuses what does not belong into a DISCONNECT of a server.
async fn no_expiry_from_the_server(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.join(peer.lasting("c")).await?;
    client.send_bytes(&packet(0x00, &[])).await?;
    match client.next().await? {
        Some(Answer::Disconnect(goodbye)) => {
            equal("expiry", value_of!(goodbye.properties, SessionExpiry), None)
        }
        other => bail!("{other:?}"),
    }
}

async fn the_last_word(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.send_bytes(&[packet(0x00, &[]), packet(0xC0, &[])].concat()).await?;
    let code = client.ended().await?;
    ensure!(code.is_some_and(|code| code >= 0x80), "ended with {code:?}");
    Ok(())
}

async fn none_before_connack(peer: Peer) -> anyhow::Result<()> {
    for bytes in [packet(0xC0, &[]), packet(0x10, &[0xFF; 9]), Publish::new("t", "x").bytes(5)] {
        let mut wire = peer.open().await?;
        wire.send(&bytes).await?;
        while let Some(answer) = wire.receive().await? {
            ensure!(answer.head != 0xE0, "a DISCONNECT: {answer:?}");
        }
    }
    Ok(())
}

async fn nobody_elses(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 1)]).await?;
    let mut rude = peer.subscriber("rude", &[(&topic, 1)]).await?;
    rude.send_bytes(&packet(0x00, &[])).await?;
    peer.cut_off(&mut rude, BROKEN).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("message", subscriber.delivery().await?.payload, b"x")
}
