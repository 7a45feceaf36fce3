//! Sessions that outlive their connection, and those that do not.

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS, Publish};
use crate::world::{Engine, Key, World};

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn what_was_published_meanwhile_arrives_in_order() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let name = format!("sleeper {level}");
        let hello = Hello::new(level, &name).with_key(&key).resuming();
        let mut client = Client::connect(&world, hello).await?;
        assert!(!client.is_resumed(), "there was none before");
        client.subscribe(&[("free/a", 1)]).await?;
        client.leave(None).await?;
        let mut publisher = Client::connect(&world, Hello::new(level, "publisher").with_key(&key)).await?;
        for number in numbers(0..100) {
            publisher.publish("free/a", &number, 1, false).await?;
        }
        let mut client = Client::connect(&world, hello).await?;
        assert!(client.is_resumed());
        publisher.publish("free/a", "end", 1, false).await?;
        assert_eq!(client.payloads_until("end").await?, numbers(0..100), "version {level}");
        // What was acknowledged does not come again.
        client.leave(None).await?;
        let mut client = Client::connect(&world, hello).await?;
        assert!(client.is_resumed());
        publisher.publish("free/a", "end", 1, false).await?;
        assert_eq!(client.payloads_until("end").await?, [""; 0]);
        // A clean start forgets the subscription with everything else.
        client.leave(None).await?;
        let mut client = Client::connect(&world, Hello::new(level, &name).with_key(&key)).await?;
        assert!(!client.is_resumed());
        client.subscribe(&[("free/end", 1)]).await?;
        publisher.publish("free/a", "forgotten", 1, false).await?;
        publisher.publish("free/end", "end", 1, false).await?;
        assert_eq!(client.payloads_until("end").await?, [""; 0]);
        client.leave(None).await?;
        assert!(!Client::connect(&world, hello).await?.is_resumed(), "a clean one leaves nothing behind");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_as_a_duplicate() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let name = format!("forgetful {level}");
        let hello = Hello::new(level, &name).with_key(&key).resuming();
        let mut client = Client::connect(&world, hello).await?;
        client.subscribe(&[("free/a", 1)]).await?;
        let mut publisher = Client::connect(&world, Hello::new(level, "publisher").with_key(&key)).await?;
        client.acknowledges = false;
        let mut first = Vec::new();
        for number in numbers(0..20) {
            publisher.publish("free/a", &number, 1, false).await?;
            first.push(client.delivery().await?);
        }
        assert!(first.iter().all(|delivery| !delivery.dup));
        drop(client); // the connection breaks
        for number in numbers(20..40) {
            publisher.publish("free/a", &number, 1, false).await?;
        }
        let mut client = Client::connect(&world, hello).await?;
        assert!(client.is_resumed());
        for (number, before) in first.iter().enumerate() {
            let again = client.delivery().await?;
            assert!(again.dup, "{number} is not marked");
            assert_eq!((again.id, &again.payload), (before.id, &before.payload));
        }
        publisher.publish("free/a", "end", 1, false).await?;
        assert_eq!(client.payloads_until("end").await?, numbers(20..40), "version {level}");
        client.leave(None).await?;
    }
    Ok(())
}

/// A resumed session sends no more at once than its client now takes (MQTT-3.3.4-9).
#[tokio::test]
async fn a_resumed_session_keeps_to_the_new_receive_maximum() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let hello = Hello::new(5, "narrow").with_key(&key).resuming();
    let mut client = Client::connect(&world, hello).await?;
    client.subscribe(&[("free/a", 1)]).await?;
    client.acknowledges = false;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    for number in numbers(0..10) {
        publisher.publish("free/a", &number, 1, false).await?;
        client.delivery().await?;
    }
    drop(client);
    let mut client = Client::connect(&world, hello.receive_maximum(3)).await?;
    assert!(client.is_resumed());
    client.acknowledges = false;
    client.ping().await?;
    let ids: Vec<_> = client.taken().map(|delivery| delivery.id).collect();
    assert_eq!(ids.len(), 3, "{ids:?} unacknowledged at once");
    client.acknowledges = true;
    client.acknowledge(&ids).await?;
    publisher.publish("free/a", "end", 1, false).await?;
    assert_eq!(client.payloads_until("end").await?, numbers(3..10));
    Ok(())
}

#[tokio::test]
async fn a_session_of_version_5_ends_when_it_said() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let resuming = Hello::new(5, "c").with_key(&key).resuming();
    // A clean start with an expiry starts anew and yet leaves a session.
    Client::connect(&world, resuming.leaving(3600)).await?.leave(None).await?;
    let client = Client::connect(&world, resuming).await?;
    assert!(client.is_resumed());
    // The goodbye may shorten it to nothing.
    client.leave_with_expiry(0).await?;
    let mut client = Client::connect(&world, resuming).await?;
    assert!(!client.is_resumed());
    // Or to a second, which is over when a client with a keep-alive of a second is called silent.
    client.subscribe(&[("free/a", 1)]).await?;
    client.leave_with_expiry(1).await?;
    let clock = Hello::new(5, "clock").with_key(&key).keep_alive(1);
    assert_eq!(Client::connect(&world, clock).await?.ended().await?, Some(0x8D));
    assert!(!Client::connect(&world, resuming).await?.is_resumed());
    // What was to end with the connection cannot be prolonged by the goodbye (MQTT-3.14.2-2).
    let client = Client::connect(&world, Hello::new(5, "brief").with_key(&key)).await?;
    assert_eq!(client.leave_with_expiry(100).await?, Some(0x82));
    Ok(())
}

#[tokio::test]
async fn the_same_client_id_of_two_identities_is_two_sessions() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (one, other) = (Key::free(&world).await?, Key::free(&world).await?);
    for level in LEVELS {
        let hello = Hello::new(level, "same").resuming();
        let mut first = Client::connect(&world, hello.with_key(&one)).await?;
        first.subscribe(&[("free/a", 1)]).await?;
        let mut second = Client::connect(&world, hello.with_key(&other)).await?;
        assert!(!second.is_resumed(), "another identity's session was taken over");
        second.publish("free/a", "x", 1, false).await?;
        assert_eq!(first.delivery().await?.payload, b"x", "the first is still connected");
        // One's own session is taken over, and the older connection is told.
        let mut third = Client::connect(&world, hello.with_key(&one)).await?;
        assert!(third.is_resumed());
        assert_eq!(first.ended().await?, (level == 5).then_some(0x8E));
        second.publish("free/a", "y", 1, false).await?;
        assert_eq!(third.delivery().await?.payload, b"y");
        second.ping().await?;
        for (client, key) in [(second, &other), (third, &one)] {
            client.leave(None).await?;
            Client::connect(&world, Hello::new(level, "same").with_key(key)).await?.leave(None).await?;
        }
    }
    Ok(())
}

/// A connection that is taken over while its messages are being acknowledged keeps nobody from anything.
#[tokio::test]
async fn taking_over_amid_acknowledgements_blocks_nobody() -> anyhow::Result<()> {
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__EVENT_LOOPS", "2")]).await?;
    let key = Key::free(&world).await?;
    let mut kept = Client::connect(&world, Hello::new(5, "kept").with_key(&key).resuming()).await?;
    kept.subscribe(&[("free/kept", 2)]).await?;
    kept.leave(None).await?;
    for round in 0..40 {
        let hello = Hello::new(5, "same").with_key(&key).resuming();
        let mut client = Client::connect(&world, hello).await?;
        for id in 1..=200 {
            let message = Publish::new("free/kept", round.to_string()).qos(2).id(id);
            client.send_bytes(&message.bytes(5)).await?;
        }
    }
    let mut other = Client::connect(&world, Hello::new(5, "other").with_key(&key)).await?;
    other.publish("free/kept", "end", 2, false).await?;
    Ok(())
}
