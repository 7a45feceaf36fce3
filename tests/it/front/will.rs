//! Wills: spoken for whoever goes without a word, and not for whoever says goodbye.

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS};
use crate::world::{Key, World};

#[tokio::test]
async fn a_will_is_for_those_who_go_without_a_word() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut heir = Client::connect(&world, Hello::new(5, "heir").with_key(&key)).await?;
    heir.subscribe(&[("free/will/+", 1)]).await?;
    for level in LEVELS {
        for qos in [0, 1] {
            let hello = Hello::new(level, "mortal").with_key(&key);
            // Said goodbye: nothing, and what comes next on the topic is somebody else's.
            let polite = hello.will("free/will/polite", b"never", qos);
            Client::connect(&world, polite).await?.leave(None).await?;
            // Broken connection.
            drop(Client::connect(&world, hello.will("free/will/broken", b"broken", qos)).await?);
            let will = heir.delivery().await?;
            assert_eq!((will.topic.as_str(), will.qos, will.retain), ("free/will/broken", qos, false));
            // Silence.
            let silent = hello.will("free/will/silent", b"silent", qos).keep_alive(1);
            let mut client = Client::connect(&world, silent).await?;
            assert_eq!(client.ended().await?, (level == 5).then_some(0x8D));
            assert_eq!(heir.delivery().await?.payload, b"silent");
            // A broken protocol.
            let rude = hello.will("free/will/rude", b"rude", qos);
            let mut client = Client::connect(&world, rude).await?;
            client.send("free/with/#", "x", 0, false).await?;
            client.ended().await?;
            assert_eq!(heir.delivery().await?.payload, b"rude");
            // Taken over by another connection of the same session.
            let replaced = hello.will("free/will/replaced", b"replaced", qos);
            let mut older = Client::connect(&world, replaced).await?;
            let newer = Client::connect(&world, hello).await?;
            older.ended().await?;
            assert_eq!(heir.delivery().await?.payload, b"replaced");
            newer.leave(None).await?;
        }
    }
    Ok(())
}

/// Version 5 may say goodbye and want its will spoken all the same; any other reason means what it says.
#[tokio::test]
async fn a_goodbye_may_ask_for_the_will() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut heir = Client::connect(&world, Hello::new(5, "heir").with_key(&key)).await?;
    heir.subscribe(&[("free/will", 1)]).await?;
    let hello = Hello::new(5, "mortal").with_key(&key);
    Client::connect(&world, hello.will("free/will", b"not", 1)).await?.leave(Some(0)).await?;
    Client::connect(&world, hello.will("free/will", b"asked for", 1)).await?.leave(Some(4)).await?;
    assert_eq!(heir.delivery().await?.payload, b"asked for");
    Ok(())
}

/// The operator's stop is not the client's doing, but its word was given: the will is spoken.
#[tokio::test]
async fn a_will_needs_the_right_to_publish_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::with_topics(&world, &["mqtt:publish:free/mine", "mqtt:subscribe:free/#"]).await?;
    for (level, code) in [(4, 5), (5, 0x87)] {
        for topic in ["free/theirs", "v1/x", "$SYS/x"] {
            let hello = Hello::new(level, "mortal").with_key(&key).will(topic, b"x", 0);
            assert_eq!(Client::refusal(&world, hello).await?, Some(code), "{topic} in version {level}");
        }
        let hello = Hello::new(level, "mortal").with_key(&key).will("free/mine", b"x", 0);
        Client::connect(&world, hello).await?;
    }
    Ok(())
}
