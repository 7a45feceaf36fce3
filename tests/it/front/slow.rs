//! Subscribers that do not keep up, or go while they are being told something, and everybody else.

use super::hello::Hello;
use crate::mqtt::Client;
use crate::world::{Key, World, eventually};

/// Above the queue's bound, messages for a subscriber that does not read are dropped and counted; nobody else notices.
#[tokio::test]
async fn a_subscriber_that_never_reads_holds_nobody_up() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut stuck = Client::connect(&world, Hello::new(5, "stuck").with_key(&key)).await?;
    let mut reader = Client::connect(&world, Hello::new(5, "reader").with_key(&key)).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    stuck.subscribe(&[("free/flood", 1)]).await?;
    reader.subscribe(&[("free/flood", 1)]).await?;
    // More than the socket's buffers and the queue's four megabytes hold together.
    let payload = vec![b'x'; 256 * 1024];
    for number in 0..100 {
        assert_eq!(publisher.publish("free/flood", &payload, 1, false).await?, 0);
        let delivery = reader.delivery().await?;
        assert_eq!(delivery.payload.len(), payload.len(), "message {number}");
    }
    world.metric_reaches("promenade_mqtt_dropped_total", 1.0).await?;
    drop(stuck);
    publisher.ping().await
}

/// What waits for an absent session is bounded, too.
#[tokio::test]
async fn an_absent_session_keeps_so_much_and_no_more() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let hello = Hello::new(5, "absent").with_key(&key).resuming();
    let mut absent = Client::connect(&world, hello).await?;
    absent.subscribe(&[("free/flood", 1)]).await?;
    absent.leave(None).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    let payload = vec![b'x'; 512 * 1024];
    for number in 0..12_u8 {
        let numbered = [&[number][..], &payload].concat();
        assert_eq!(publisher.publish("free/flood", &numbered, 1, false).await?, 0);
    }
    world.metric_reaches("promenade_mqtt_dropped_total", 5.0).await?;
    let mut absent = Client::connect(&world, hello).await?;
    assert!(absent.is_resumed());
    for number in 0..7 {
        assert_eq!(absent.delivery().await?.payload.first(), Some(&number), "the oldest are kept, in order");
    }
    publisher.publish("free/flood", "end", 1, false).await?;
    assert_eq!(absent.delivery().await?.payload, b"end");
    Ok(())
}

/// A client that takes everything and acknowledges nothing is bounded like one that takes nothing.
#[tokio::test]
async fn a_subscriber_that_never_acknowledges_is_bounded() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut silent = Client::connect(&world, Hello::new(4, "silent").with_key(&key)).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    silent.subscribe(&[("free/flood", 1)]).await?;
    silent.acknowledges = false;
    let payload = vec![b'x'; 512 * 1024];
    let reading = async {
        while silent.delivery().await?.payload != b"end" {}
        anyhow::Ok(())
    };
    let publishing = async {
        for _ in 0..24 {
            publisher.publish("free/flood", &payload, 1, false).await?;
        }
        world.metric_reaches("promenade_mqtt_dropped_total", 1.0).await?;
        publisher.publish("free/flood", "end", 0, false).await?;
        anyhow::Ok(())
    };
    tokio::try_join!(reading, publishing)?;
    Ok(())
}

/// Sessions end while messages are on their way to them, many times over, and everybody is still served.
#[tokio::test]
async fn sessions_may_end_while_messages_reach_them() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut flood = Client::connect(&world, Hello::new(5, "flood").with_key(&key)).await?;
    let coming_and_going = async {
        for round in 0..400 {
            let name = format!("brief {}", round % 4);
            let mut client = Client::connect(&world, Hello::new(5, &name).with_key(&key)).await?;
            client.subscribe(&[("free/a", 1), ("free/+", 1), ("free/#", 0), ("free/a/#", 1)]).await?;
            match round % 3 {
                0 => client.leave(None).await?,
                1 => drop(client),
                _ => drop(Client::connect(&world, Hello::new(5, &name).with_key(&key)).await?), // taken over
            }
        }
        anyhow::Ok(())
    };
    let flooding = async {
        loop {
            for _ in 0..200 {
                flood.send("free/a", "x", 0, false).await?;
            }
            flood.publish("free/a", "x", 1, false).await?;
        }
    };
    let flooded: anyhow::Result<()> = tokio::select! {
        done = coming_and_going => done,
        ended = flooding => ended,
    };
    flooded?;
    eventually("somebody new is served", async || {
        let mut client = Client::connect(&world, Hello::new(4, "new").with_key(&key)).await?;
        client.subscribe(&[("free/new", 1)]).await?;
        client.publish("free/new", "hello", 1, false).await?;
        Ok((client.delivery().await?.payload == b"hello").then_some(()))
    })
    .await
}
