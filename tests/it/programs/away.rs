//! Stopping while the database is away: it takes a few seconds, and what was acknowledged is there afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use protocol::Timestamp;
use store::Clock;

use crate::mqtt::{Answer, Client, Connect, PUBACK, Publish};
use crate::world::{Gateway, Key, Shop, State, World, batch};

/// Batches and sessions that wait for the database are given up after five seconds each, one after the other.
const BOUND: Duration = Duration::from_secs(20);

/// How far what was taken in has come when the database goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Counted and saved.
    Done,
    /// Committed a moment ago; it may not have been counted yet.
    Fresh,
}

#[tokio::test]
async fn a_stop_without_a_database_that_closed() -> anyhow::Result<()> {
    stop_while(State::Closed, Work::Done).await
}

#[tokio::test]
async fn a_stop_without_a_database_that_fell_silent() -> anyhow::Result<()> {
    stop_while(State::Silent, Work::Done).await
}

#[tokio::test]
async fn a_stop_with_work_left_and_a_database_that_closed() -> anyhow::Result<()> {
    stop_while(State::Closed, Work::Fresh).await
}

#[tokio::test]
async fn a_stop_with_work_left_and_a_database_that_fell_silent() -> anyhow::Result<()> {
    stop_while(State::Silent, Work::Fresh).await
}

async fn stop_while(away: State, work: Work) -> anyhow::Result<()> {
    let (mut world, line) = World::on_a_line().await?;
    let shop = Shop::open(&world).await?;
    let key = Key::free(&world).await?;
    let mut device = device(&world, &shop.gateway).await?;
    let mut service = service(&world, &key).await?;
    let at = Clock::System.now();
    service.subscribe(&[("free/a", 1)]).await?;
    ensure!(service.publish("free/kept", "before", 1, true).await? == 0);
    send(&mut device, &shop.gateway, 0, at).await?;
    device.expect(PUBACK, 1).await?;
    if work == Work::Done {
        world.metric_reaches("promenade_checkpoints_total", 1.0).await?;
    }

    line.becomes(away);
    send(&mut device, &shop.gateway, 1, at).await?;
    service.send("free/kept", "after", 1, true).await?;
    service.send("free/a", "after", 1, false).await?;
    let since = Instant::now();
    let status = world.end().await?;
    let took = since.elapsed();
    ensure!(status.success(), "it ended with {status}");
    ensure!(took < BOUND, "it took {took:?}");
    promised_nothing(&mut device).await.context("the device")?;
    promised_nothing(&mut service).await.context("the service")?;

    line.becomes(State::Carrying);
    world.restart().await?;
    is_as_before(&world, &shop.gateway, &key, at).await?;
    world.stop().await
}

/// Nobody is told that something is safe which is not.
async fn promised_nothing(client: &mut Client) -> anyhow::Result<()> {
    client.acknowledges = false;
    let mut said = None;
    while let Some(answer) = client.next().await? {
        match answer {
            Answer::Ack(ack) => ensure!(ack.head != PUBACK, "{ack:?}"),
            Answer::Disconnect(goodbye) => said = Some(goodbye.code),
            _ => {}
        }
    }
    ensure!(said == Some(0x8B), "{said:x?} and not that the server stops");
    Ok(())
}

/// What was acknowledged is there, and what was not can come again.
async fn is_as_before(world: &World, gateway: &Gateway, key: &Key, at: Timestamp) -> anyhow::Result<()> {
    let mut device = device(world, gateway).await?;
    for seq in [0, 1] {
        send(&mut device, gateway, seq, at).await?;
        ensure!(device.expect(PUBACK, seq + 1).await?.codes == [0], "batch {seq}");
    }
    world.metric_reaches("promenade_batches_total", 1.0).await?;
    let mut service = service(world, key).await?;
    ensure!(service.is_resumed(), "the session is gone");
    service.publish("free/a", "again", 1, false).await?;
    ensure!(service.payloads_until("again").await?.is_empty(), "what nobody took came all the same");
    service.subscribe(&[("free/kept", 1)]).await?;
    ensure!(service.delivery().await?.payload == b"before", "another message is retained");
    Ok(())
}

async fn device(world: &World, gateway: &Gateway) -> anyhow::Result<Client> {
    let hello = Connect::new(5, "device").user(gateway.device.to_string()).password(&gateway.secret);
    Client::connect(world, hello).await
}

async fn service(world: &World, key: &Key) -> anyhow::Result<Client> {
    let hello = Connect::new(5, "service").lasting(3600).user("service").password(&key.secret);
    Client::connect(world, hello).await
}

/// Sends a batch with its number as packet id, counted from 1.
async fn send(device: &mut Client, gateway: &Gateway, seq: u16, at: Timestamp) -> anyhow::Result<()> {
    let body = batch(u64::from(seq), [at]).to_json();
    device.begin(Publish::new(gateway.pings_topic(), body).qos(1).id(seq + 1)).await.map(drop)
}
