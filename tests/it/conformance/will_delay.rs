//! Wills that wait (section 3.1.3.2.2 of 5.0). To see that a will does not come, a second one is set going later: when
//! that one is there, the first would have been.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::case::{Case, case, equal, v5};
use super::peer::Peer;
use crate::mqtt::{Client, Connect, Property, Will};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(v5("MQTT-3.1.2-8"), "a will waits for its delay", waits),
        case(
            v5("MQTT-3.1.2-8"),
            "a will does not wait beyond the end of its session",
            no_longer_than_the_session,
        ),
        case(
            v5("MQTT-3.1.2-8"),
            "a session that ends with its connection makes no will wait",
            no_session_no_delay,
        ),
        case(
            v5("MQTT-3.1.2-8"),
            "a connection that takes over with a clean start ends the session, and the will is said",
            clean_start_speaks,
        ),
        case(v5("MQTT-3.1.3-9"), "whoever comes back in time takes the will back", back_in_time),
        case(
            v5("MQTT-3.1.3-9"),
            "a connection that takes over and goes on leaves a will unsaid that has a delay",
            taken_over_in_time,
        ),
        case(
            v5("MQTT-3.1.2-8"),
            "a connection that takes over and goes on lets a will be said that has no delay",
            taken_over_without_delay,
        ),
        case(v5("MQTT-3.1.2-10"), "a will that waits is not said for a session that said goodbye", goodbye),
    ]
}

fn with_delay(peer: &Peer, who: &str, seconds: u32, session: u32) -> Connect {
    let will = Will::new(peer.topic("will"), who).with(Property::WillDelay(seconds));
    peer.hello(who).lasting(session).will(will)
}

async fn heir(peer: &Peer) -> anyhow::Result<Client> {
    peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await
}

/// Hears that the next will is somebody's: the wills that were to come before have not come.
async fn next_is(heir: &mut Client, who: &str) -> anyhow::Result<()> {
    equal("will", String::from_utf8(heir.delivery().await?.payload)?, who)
}

async fn waits(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    let mortal = peer.join(with_delay(&peer, "mortal", 2, 3600)).await?;
    let since = Instant::now();
    drop(mortal);
    next_is(&mut heir, "mortal").await?;
    let took = since.elapsed();
    // Where seconds are counted whole, the first one may be short.
    ensure!(took >= Duration::from_millis(900), "already after {took:?}");
    Ok(())
}

async fn no_longer_than_the_session(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    drop(peer.join(with_delay(&peer, "mortal", 3600, 1)).await?);
    next_is(&mut heir, "mortal").await
}

async fn no_session_no_delay(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    drop(peer.join(with_delay(&peer, "mortal", 3600, 0)).await?);
    next_is(&mut heir, "mortal").await
}

async fn clean_start_speaks(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    let _older = peer.join(with_delay(&peer, "mortal", 3600, 3600)).await?;
    let _newer = peer.join(peer.lasting("mortal").clean(true)).await?;
    next_is(&mut heir, "mortal").await
}

async fn back_in_time(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    drop(peer.join(with_delay(&peer, "first", 1, 3600)).await?);
    let _back = peer.resume(&peer.lasting("first")).await?;
    drop(peer.join(with_delay(&peer, "second", 2, 3600)).await?);
    next_is(&mut heir, "second").await
}

async fn taken_over_in_time(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    let _older = peer.join(with_delay(&peer, "first", 1, 3600)).await?;
    let _newer = peer.resume(&peer.lasting("first")).await?;
    drop(peer.join(with_delay(&peer, "second", 2, 3600)).await?);
    next_is(&mut heir, "second").await
}

async fn taken_over_without_delay(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    let _older = peer.join(with_delay(&peer, "mortal", 0, 3600)).await?;
    let _newer = peer.resume(&peer.lasting("mortal")).await?;
    next_is(&mut heir, "mortal").await
}

async fn goodbye(peer: Peer) -> anyhow::Result<()> {
    let mut heir = heir(&peer).await?;
    peer.join(with_delay(&peer, "first", 1, 3600)).await?.leave(None).await?;
    drop(peer.join(with_delay(&peer, "second", 2, 3600)).await?);
    next_is(&mut heir, "second").await
}
