//! Retained messages: set, replaced, cleared, and told to whoever subscribes later.

use std::collections::BTreeSet;

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS};
use crate::world::{Engine, Key, World};

#[tokio::test]
async fn the_last_one_is_kept_until_it_is_cleared() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let mut publisher = Client::connect(&world, Hello::new(level, "publisher").with_key(&key)).await?;
        let mut early = Client::connect(&world, Hello::new(level, "early").with_key(&key)).await?;
        early.subscribe(&[("free/r/+", 1)]).await?;
        publisher.publish("free/r/a", "old", 1, true).await?;
        publisher.publish("free/r/a", "new", 1, true).await?;
        publisher.publish("free/r/a", "passing", 1, false).await?;
        publisher.publish("free/r/b", "low", 0, true).await?;
        publisher.ping().await?; // the one without an acknowledgement is dealt with, too
        for payload in ["old", "new", "passing", "low"] {
            let delivery = early.delivery().await?;
            assert_eq!((String::from_utf8(delivery.payload)?.as_str(), delivery.retain), (payload, false));
        }
        for filter in ["free/r/+", "free/#", "free/r/#"] {
            let mut late = Client::connect(&world, Hello::new(level, "late").with_key(&key)).await?;
            late.subscribe(&[(filter, 1)]).await?;
            let mut kept = [late.delivery().await?, late.delivery().await?];
            kept.sort_by(|one, other| one.topic.cmp(&other.topic));
            let kept: Vec<_> =
                kept.iter().map(|d| (d.topic.as_str(), &d.payload[..], d.qos, d.retain)).collect();
            assert_eq!(kept, [("free/r/a", &b"new"[..], 1, true), ("free/r/b", b"low", 0, true)], "{filter}");
        }
        publisher.publish("free/r/a", "", 1, true).await?;
        publisher.publish("free/r/b", "", 1, true).await?;
        assert_eq!(early.delivery().await?.payload, b"", "clearing is a message like any other");
        let mut later = Client::connect(&world, Hello::new(level, "later").with_key(&key)).await?;
        later.subscribe(&[("free/r/#", 1)]).await?;
        publisher.publish("free/r/c", "end", 1, false).await?;
        assert_eq!(later.payloads_until("end").await?, [""; 0]);
    }
    Ok(())
}

/// Retain handling (MQTT 5 section 3.8.3.1): 0 with every SUBSCRIBE, 1 with a new subscription only, 2 never.
#[tokio::test]
async fn version_5_says_when_it_wants_them() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut publisher = Client::connect(&world, Hello::new(4, "publisher").with_key(&key)).await?;
    publisher.publish("free/r", "kept", 1, true).await?;
    for (handling, first, second) in [(0, true, true), (1, true, false), (2, false, false)] {
        let mut client = Client::connect(&world, Hello::new(5, "c").with_key(&key)).await?;
        client.subscribe(&[("free/end", 0)]).await?;
        for (expected, when) in [(first, "first"), (second, "again")] {
            client.subscribe(&[("free/r", 1 | handling << 4)]).await?;
            publisher.publish("free/end", "end", 1, false).await?;
            let heard = client.payloads_until("end").await?;
            assert_eq!(heard.len(), usize::from(expected), "handling {handling}, {when}: {heard:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_flag_is_seen_as_published_where_it_is_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    let mut client = Client::connect(&world, Hello::new(5, "c").with_key(&key)).await?;
    client.subscribe(&[("free/as/published", 1 | 8), ("free/plain", 1)]).await?;
    for retain in [true, false] {
        publisher.publish("free/as/published", "x", 1, retain).await?;
        assert_eq!(client.delivery().await?.retain, retain);
        publisher.publish("free/plain", "x", 1, retain).await?;
        assert!(!client.delivery().await?.retain);
    }
    Ok(())
}

/// There may be more of them than may wait in a session: a client that reads gets them all.
#[tokio::test]
async fn more_than_may_wait_reaches_a_client_that_reads() -> anyhow::Result<()> {
    const RETAINED: usize = 3000;
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__QUEUES__SESSION_MESSAGES", "100")]).await?;
    let key = Key::free(&world).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    for number in 0..RETAINED {
        publisher.publish(&format!("free/many/{number}"), number.to_string(), 1, true).await?;
    }
    for level in LEVELS {
        for qos in [0, 1] {
            let mut late = Client::connect(&world, Hello::new(level, "late").with_key(&key)).await?;
            late.subscribe(&[("free/many/+", qos), ("free/end", 0)]).await?;
            let mut heard = BTreeSet::new();
            for _ in 0..RETAINED {
                let delivery = late.delivery().await?;
                assert!(delivery.retain && heard.insert(delivery.payload), "once each, and as retained");
            }
            publisher.publish("free/end", "end", 1, false).await?;
            assert_eq!(late.payloads_until("end").await?, [""; 0], "version {level}, QoS {qos}");
        }
    }
    Ok(())
}
