//! What a CONNECT leads to: who is let in under which name, for how long, and who must give way (sections 3.1.2.10 to 3.1.4).

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::case::{Case, Refusals, both, case, equal, rejects, v3, v5};
use super::peer::Peer;
use crate::mqtt::{Connect, Property, Publish, SUBACK, packet, subscribe_to, value_of};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            both("MQTT-3.2.0-1", "MQTT-3.2.0-1"),
            "whatever follows a CONNECT at once is answered after the CONNACK",
            connack_comes_first,
        ),
        case(
            both("MQTT-3.1.3-5", "MQTT-3.1.3-5"),
            "client ids of 1 to 23 letters and digits are let in",
            client_ids,
        ),
        case(
            both("MQTT-3.1.3-6", "MQTT-3.1.3-6"),
            "clients without an id are told apart",
            clients_without_ids,
        ),
        rejects(
            v3("MQTT-3.1.3-8"),
            "a client without an id and without a clean session is refused with the code 2",
            |_| Connect::new(4, "").clean(false).bytes(),
            Refusals { v3: &[2], v5: &[] },
        ),
        case(
            v5("MQTT-3.1.3-7"),
            "a client without an id is told the one it got, and can come back under it",
            assigned_ids,
        ),
        case(
            both("MQTT-3.1.3-2", "MQTT-3.1.3-2"),
            "the client id tells sessions apart: another one finds nothing",
            another_id_another_session,
        ),
        case(
            both("MQTT-3.1.4-2", "MQTT-3.1.4-3"),
            "a second connection with a client id ends the first, which is told why in version 5",
            take_over,
        ),
        case(
            both("MQTT-3.1.4-5", "MQTT-3.1.4-6"),
            "what is sent behind a CONNECT that is refused does nothing",
            nothing_after_a_refusal,
        ),
        case(
            both("MQTT-3.1.2-24", "MQTT-3.1.2-22"),
            "silence beyond one and a half times the keep-alive ends the connection",
            silence,
        ),
        case(
            v5("MQTT-3.2.2-22"),
            "a keep-alive of 0 means that silence is allowed, unless the server says another",
            no_keep_alive,
        ),
        case(both("MQTT-3.12.4-1", "MQTT-3.12.4-1"), "a PINGREQ gets a PINGRESP, each one its own", pings),
    ]
}

async fn connack_comes_first(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut bytes = peer.hello("eager").bytes();
    bytes.extend(subscribe_to(peer.level, 1, &[(&topic, 0)], &[]));
    bytes.extend(Publish::new(&topic, "x").bytes(peer.level));
    let mut wire = peer.open().await?;
    wire.send(&bytes).await?;
    let mut client = peer.let_in(wire).await?;
    client.expect(SUBACK, 1).await?;
    equal("message", client.delivery().await?.payload, b"x")
}

async fn client_ids(peer: Peer) -> anyhow::Result<()> {
    let characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for id in ["a", "Z9", &characters[..23], &characters[23..46], &characters[39..]] {
        // Both versions and every run of the case may hold such a short id at once; being let in is all that counts.
        peer.join(Connect::new(peer.level, id)).await.with_context(|| format!("the client id {id}"))?;
    }
    Ok(())
}

async fn clients_without_ids(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut first = peer.join(Connect::new(peer.level, "")).await?;
    peer.subscribe(&mut first, &[(&topic, 0)]).await?;
    let mut second = peer.join(Connect::new(peer.level, "")).await?;
    peer.subscribe(&mut second, &[(&topic, 0)]).await?;
    peer.tell(&topic, "x", 0).await?;
    equal("the first one's", first.delivery().await?.payload, b"x")?;
    equal("the second one's", second.delivery().await?.payload, b"x")
}

async fn assigned_ids(peer: Peer) -> anyhow::Result<()> {
    let nameless = Connect::new(5, "").lasting(60);
    let client = peer.join(nameless.clone()).await?;
    let id = value_of!(client.connack.properties, AssignedClientId).context("no id was assigned")?;
    let other = peer.join(nameless.clone()).await?;
    ensure!(!other.is_resumed(), "the second nameless client got the first one's session");
    let another = value_of!(other.connack.properties, AssignedClientId).context("no id was assigned")?;
    ensure!(id != another, "both were called {id}");
    client.leave(None).await?;
    let hello = Connect { client_id: id.into_bytes(), ..nameless };
    peer.resume(&hello).await.map(|_| ())
}

async fn another_id_another_session(peer: Peer) -> anyhow::Result<()> {
    let mut one = peer.join(peer.lasting("one")).await?;
    peer.subscribe(&mut one, &[(&peer.topic("t"), 1)]).await?;
    one.leave(None).await?;
    let mut two = peer.join(peer.lasting("two")).await?;
    ensure!(!two.is_resumed(), "another client's session goes on");
    peer.tell(&peer.topic("t"), "for one", 1).await?;
    two.quiet().await?;
    let mut one = peer.resume(&peer.lasting("one")).await?;
    equal("message", one.delivery().await?.payload, b"for one")
}

async fn take_over(peer: Peer) -> anyhow::Result<()> {
    let mut older = peer.client("same").await?;
    let mut newer = peer.client("same").await?;
    equal("the code for the older", older.ended().await?, peer.is_5().then_some(0x8E))?;
    newer.ping().await
}

async fn nothing_after_a_refusal(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 0)]).await?;
    let hello = if peer.is_5() {
        peer.hello("c").with(Property::AuthenticationMethod("nobody knows it".into()))
    } else {
        Connect::new(4, "").clean(false)
    };
    let publish = Publish::new(&topic, "from nobody").bytes(peer.level);
    let bytes = [hello.bytes(), publish].concat();
    peer.not_let_in(&bytes, if peer.is_5() { &[0x8C, 0x87] } else { &[2] }).await?;
    peer.tell(&topic, "end", 0).await?;
    equal("arrived", subscriber.payloads_until("end").await?, [""; 0])
}

async fn silence(peer: Peer) -> anyhow::Result<()> {
    let since = Instant::now();
    let mut silent = peer.join(peer.hello("silent").keep_alive(1)).await?;
    let reason = silent.ended().await?;
    ensure!(matches!(reason, None | Some(0x8D)), "cut off with {reason:?}");
    let took = since.elapsed();
    ensure!(took >= Duration::from_secs(1), "cut off after {took:?}");
    ensure!(took < Duration::from_secs(6), "only cut off after {took:?}");
    Ok(())
}

/// Mosquitto looks at its clock once a second; three seconds of silence are more than any keep-alive of 1 would allow.
async fn no_keep_alive(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.join(peer.hello("c").keep_alive(0)).await?;
    peer.pass(2).await?;
    client.ping().await
}

async fn pings(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.ping().await?;
    client.send_bytes(&packet(0xC0, &[])).await?;
    client.ping().await?;
    let second = client.next().await?;
    equal("the second answer", second, Some(crate::mqtt::Answer::Pong))
}
