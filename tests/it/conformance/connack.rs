//! CONNACK: what it says of the session and of the server (section 3.2).

use anyhow::{Context, anyhow, ensure};

use super::case::{Case, both, case, equal, v3, v5};
use super::peer::Peer;
use crate::mqtt::{Connack, Connect, Property, value_of};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-3.1.4-4", "MQTT-3.1.4-5"),
            "a CONNECT as it should be is acknowledged with 0",
            success,
        ),
        case(
            both("MQTT-3.2.2-1", "MQTT-3.2.2-2"),
            "a clean start finds no session, though there was one",
            clean_start_finds_nothing,
        ),
        case(
            both("MQTT-3.2.2-2", "MQTT-3.2.2-3"),
            "a session that is there is said to be there",
            there_is_a_session,
        ),
        case(
            both("MQTT-3.2.2-3", "MQTT-3.2.2-3"),
            "a session that is not there is not said to be there",
            there_is_no_session,
        ),
        case(
            both("MQTT-3.2.2-4", "MQTT-3.2.2-6"),
            "a refusal says nothing of a session",
            refusal_without_session,
        ),
        case(both("MQTT-3.2.2-5", "MQTT-3.2.2-7"), "a refusal is the end of the connection", refusal_ends),
        case(v3("MQTT-3.1.3-9"), "a client id that is refused is refused with the code 2", refused_id),
        case(v5("MQTT-3.2.0-2"), "there is one CONNACK and no other", one_connack),
        case(
            v5("MQTT-3.2.2-8"),
            "what the server says of itself is what the standard lets it say",
            what_it_says_of_itself,
        ),
        case(
            v5("MQTT-3.2.2-9"),
            "all qualities of service are taken, or the highest one is said",
            highest_quality,
        ),
        case(
            v5("MQTT-3.2.2-16"),
            "an id is assigned to those who have none, and to nobody else",
            assigned_to_the_nameless,
        ),
        case(
            v5("MQTT-3.1.2-28"),
            "response information is not told to whoever does not ask for it",
            no_response_information,
        ),
    ]
}

async fn success(peer: Peer) -> anyhow::Result<()> {
    peer.client("c").await?.ping().await
}

async fn clean_start_finds_nothing(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.lasting("c")).await?.leave(None).await?;
    let client = peer.join(peer.lasting("c").clean(true)).await?;
    ensure!(!client.is_resumed(), "there is a session after a clean start");
    Ok(())
}

async fn there_is_a_session(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.lasting("c")).await?.leave(None).await?;
    peer.resume(&peer.lasting("c")).await.map(|_| ())
}

async fn there_is_no_session(peer: Peer) -> anyhow::Result<()> {
    let client = peer.join(peer.lasting("c")).await?;
    ensure!(!client.is_resumed(), "a session that never was");
    Ok(())
}

/// What each version must refuse: no id and no clean session, and a method that nobody knows.
async fn refused(peer: &Peer, hello: Connect) -> anyhow::Result<Connack> {
    let hello = if peer.is_5() {
        hello.with(Property::AuthenticationMethod("nobody knows it".into()))
    } else {
        Connect { client_id: Vec::new(), ..hello }
    };
    peer.ask(hello).await?.err().ok_or_else(|| anyhow!("let in"))
}

async fn refusal_without_session(peer: Peer) -> anyhow::Result<()> {
    peer.join(peer.lasting("c")).await?.leave(None).await?;
    let connack = refused(&peer, peer.lasting("c")).await?;
    equal("session present", connack.present, false)
}

async fn refusal_ends(peer: Peer) -> anyhow::Result<()> {
    let hello = if peer.is_5() {
        peer.hello("c").with(Property::AuthenticationMethod("nobody knows it".into()))
    } else {
        Connect::new(4, "").clean(false)
    };
    let mut wire = peer.open().await?;
    wire.send(&hello.bytes()).await?;
    let answer = wire.receive().await?.context("no CONNACK")?;
    ensure!(answer.head == 0x20 && answer.body[1] != 0, "no refusal: {answer:?}");
    equal("after the refusal", wire.receive().await?, None)
}

async fn refused_id(peer: Peer) -> anyhow::Result<()> {
    equal("code", refused(&peer, peer.lasting("c")).await?.code, 2)
}

async fn one_connack(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    peer.subscribe(&mut client, &[(&peer.topic("t"), 1)]).await?;
    client.publish(&peer.topic("t"), "x", 1, false).await?;
    client.delivery().await?;
    client.quiet().await
}

/// The reader has looked at flags, codes, names and repetitions; these are the values that must not be 0.
async fn what_it_says_of_itself(peer: Peer) -> anyhow::Result<()> {
    let Connack { properties, .. } = peer.client("c").await?.connack;
    ensure!(value_of!(properties, ReceiveMaximum) != Some(0), "a receive maximum of 0");
    ensure!(value_of!(properties, MaximumPacketSize) != Some(0), "a maximum packet size of 0");
    Ok(())
}

async fn highest_quality(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let highest = value_of!(client.connack.properties, MaximumQos).unwrap_or(2);
    for qos in 0..=highest {
        let code = client.publish(&peer.topic("t"), "x", qos, false).await?;
        ensure!(code < 0x80, "QoS {qos} is answered with {code:#04x}");
    }
    client.ping().await
}

async fn assigned_to_the_nameless(peer: Peer) -> anyhow::Result<()> {
    let named = peer.client("c").await?;
    let assigned = value_of!(named.connack.properties, AssignedClientId);
    ensure!(assigned.is_none(), "{assigned:?} was assigned to a client with an id");
    let nameless = peer.join(Connect::new(5, "")).await?;
    let assigned = value_of!(nameless.connack.properties, AssignedClientId);
    ensure!(assigned.is_some_and(|id| !id.is_empty()), "nothing was assigned");
    Ok(())
}

async fn no_response_information(peer: Peer) -> anyhow::Result<()> {
    for hello in [peer.hello("a"), peer.hello("b").with(Property::RequestResponseInformation(0))] {
        let told = value_of!(peer.join(hello).await?.connack.properties, ResponseInformation);
        ensure!(told.is_none(), "told {told:?}");
    }
    Ok(())
}
