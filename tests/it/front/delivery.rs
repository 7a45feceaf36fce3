//! Free topics: who gets a message, how often, in which order and with which quality of service.

use anyhow::Context;

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS};
use crate::world::{Key, World};

#[tokio::test]
async fn the_lower_quality_of_service_wins() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for (publishing, subscribing) in [(4, 4), (4, 5), (5, 4), (5, 5)] {
        let mut publisher =
            Client::connect(&world, Hello::new(publishing, "publisher").with_key(&key)).await?;
        let mut subscriber =
            Client::connect(&world, Hello::new(subscribing, "subscriber").with_key(&key)).await?;
        for granted in 0..=2 {
            assert_eq!(subscriber.subscribe(&[("free/a", granted)]).await?, [granted]);
            for sent in 0..=2 {
                publisher.publish("free/a", "x", sent, false).await?;
                let delivery = subscriber.delivery().await?;
                assert_eq!((delivery.qos, delivery.retain, delivery.dup), (sent.min(granted), false, false));
                assert_eq!((delivery.topic.as_str(), delivery.payload.as_slice()), ("free/a", &b"x"[..]));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_messages_keep_their_order() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    let mut subscribers = Vec::new();
    for (level, qos) in [(4, 0), (4, 1), (5, 0), (5, 1)] {
        let name = format!("subscriber {level} {qos}");
        let mut subscriber = Client::connect(&world, Hello::new(level, &name).with_key(&key)).await?;
        subscriber.subscribe(&[("free/+/order", qos)]).await?;
        subscribers.push((name, subscriber));
    }
    for number in 0..1000_u16 {
        // Qualities of service mixed and two topics: one publisher's order holds across them all the same.
        let topic = if number % 3 == 0 { "free/a/order" } else { "free/b/order" };
        publisher.send(topic, number.to_string(), (number % 2) as u8, false).await?;
    }
    for (name, mut subscriber) in subscribers {
        for number in 0..1000 {
            let delivery = subscriber.delivery().await.with_context(|| format!("{name}, {number}"))?;
            assert_eq!(String::from_utf8(delivery.payload)?, number.to_string(), "{name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn overlapping_filters_deliver_once_with_the_highest_quality() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
        client.subscribe(&[("free/#", 0), ("free/+/x", 1), ("free/a/x", 0), ("free/a/#", 0)]).await?;
        client.publish("free/a/x", "in four", 1, false).await?;
        client.publish("free/b/x", "in two", 1, false).await?;
        client.publish("free/b", "in one", 1, false).await?;
        for (payload, qos) in [("in four", 1), ("in two", 1), ("in one", 0)] {
            let delivery = client.delivery().await?;
            assert_eq!((String::from_utf8(delivery.payload)?.as_str(), delivery.qos), (payload, qos));
        }
    }
    Ok(())
}

#[tokio::test]
async fn wildcards_reach_what_they_should() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let topics = ["free", "free/", "free/a", "free/a/b", "free/a/b/c", "free//b", "free/ä/b", "freedom/a"];
    for level in LEVELS {
        for (filter, expected) in [
            ("free/#", &["free", "free/", "free/a", "free/a/b", "free/a/b/c", "free//b", "free/ä/b"][..]),
            ("free/+", &["free/", "free/a"]),
            ("free/+/b", &["free/a/b", "free//b", "free/ä/b"]),
            ("free/+/#", &["free/", "free/a", "free/a/b", "free/a/b/c", "free//b", "free/ä/b"]),
            ("free/a/b", &["free/a/b"]),
        ] {
            let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
            assert_eq!(client.subscribe(&[(filter, 0), ("free/end/of/it", 0)]).await?, [0, 0], "{filter}");
            let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
            for topic in topics {
                publisher.publish(topic, topic, 1, false).await?;
            }
            publisher.publish("free/end/of/it", "end", 1, false).await?;
            assert_eq!(client.payloads_until("end").await?, expected, "{filter}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_hears_oneself_unless_one_asks_not_to() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut own = Client::connect(&world, Hello::new(5, "own").with_key(&key)).await?;
    let mut other = Client::connect(&world, Hello::new(5, "other").with_key(&key)).await?;
    own.subscribe(&[("free/local", 1), ("free/quiet", 1 | 4)]).await?;
    other.subscribe(&[("free/quiet", 1 | 4)]).await?;
    own.publish("free/quiet", "mine", 1, false).await?;
    own.publish("free/local", "end", 1, false).await?;
    assert_eq!(own.payloads_until("end").await?, [""; 0]);
    assert_eq!(other.delivery().await?.payload, b"mine", "no-local is about one's own messages alone");
    other.publish("free/quiet", "theirs", 1, false).await?;
    assert_eq!(own.delivery().await?.payload, b"theirs");
    Ok(())
}

#[tokio::test]
async fn unsubscribing_ends_it_and_replacing_changes_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
        client.subscribe(&[("free/a", 1), ("free/b", 1), ("free/end", 0)]).await?;
        client.subscribe(&[("free/b", 0)]).await?;
        let codes = client.unsubscribe(&["free/a", "free/never"]).await?;
        assert_eq!(codes, if level == 5 { vec![0, 0x11] } else { vec![] });
        client.publish("free/a", "not any more", 1, false).await?;
        client.publish("free/b", "lower", 1, false).await?;
        let delivery = client.delivery().await?;
        assert_eq!((delivery.payload.as_slice(), delivery.qos), (&b"lower"[..], 0));
        client.publish("free/end", "end", 1, false).await?;
        assert_eq!(client.payloads_until("end").await?, [""; 0]);
    }
    Ok(())
}
