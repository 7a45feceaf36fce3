//! Clients that are silent, slow to come, or that come and go.

use std::time::{Duration, Instant};

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS, Wire};
use crate::world::{Engine, Key, World};

#[tokio::test]
async fn silence_beyond_the_keep_alive_ends_a_connection() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let since = Instant::now();
        let hello = Hello::new(level, "silent").with_key(&key).keep_alive(1);
        let mut client = Client::connect(&world, hello).await?;
        assert_eq!(client.ended().await?, (level == 5).then_some(0x8D), "version {level}");
        let took = since.elapsed();
        assert!(took >= Duration::from_millis(1_400), "one and a half times the keep-alive, not {took:?}");
    }
    assert!(world.metric("promenade_refusals_total{cause=\"keep_alive_timeout\"}").await? >= 2.0);
    Ok(())
}

#[tokio::test]
async fn whoever_never_says_who_they_are_is_closed() -> anyhow::Result<()> {
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__CONNECT_TIMEOUT_S", "1")]).await?;
    let since = Instant::now();
    let mut silent = Wire::open(world.mqtt()).await?;
    let mut slow = Wire::open(world.mqtt()).await?;
    slow.send(&[0x10, 20, 0, 4, b'M']).await?; // a CONNECT that stops in its first word
    assert_eq!(silent.receive().await?, None);
    assert_eq!(slow.receive().await?, None);
    assert!(since.elapsed() >= Duration::from_millis(950), "{:?}", since.elapsed());
    world.metric_reaches("promenade_refusals_total{cause=\"connect_timeout\"}", 2.0).await
}

#[tokio::test]
async fn silent_sockets_delay_nobody() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(Wire::open(world.mqtt()).await?);
    }
    for level in LEVELS {
        let since = Instant::now();
        let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
        client.ping().await?;
        // A silent socket holds its place for ten seconds; a sign-in that waited for one would take as long.
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }
    assert_eq!(silent.len(), 300);
    Ok(())
}

#[tokio::test]
async fn there_are_so_many_places_and_they_become_free_again() -> anyhow::Result<()> {
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__MAXIMUM_CONNECTIONS", "2")]).await?;
    let key = Key::free(&world).await?;
    let first = Client::connect(&world, Hello::new(4, "first").with_key(&key)).await?;
    let mut second = Client::connect(&world, Hello::new(5, "second").with_key(&key)).await?;
    let mut third = Wire::open(world.mqtt()).await?;
    assert_eq!(third.receive().await?, None, "there is no third place");
    world.metric_reaches("promenade_refusals_total{cause=\"connections_limit\"}", 1.0).await?;
    first.leave(None).await?;
    crate::world::eventually("a place becomes free", async || {
        Ok(Client::connect(&world, Hello::new(4, "fourth").with_key(&key)).await.ok().map(|_| ()))
    })
    .await?;
    second.ping().await
}
