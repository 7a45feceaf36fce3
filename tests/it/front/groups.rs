//! Shared subscriptions: what a member leaves to the others when its session ends.

use super::hello::Hello;
use crate::mqtt::Client;
use crate::world::{Key, World};

/// It comes once: the copy that the member got for itself is nobody else's.
#[tokio::test]
async fn what_a_member_did_not_acknowledge_goes_to_another() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let mut publisher = Client::connect(&world, Hello::new(5, "publisher").with_key(&key)).await?;
    let mut leaving = Client::connect(&world, Hello::new(5, "leaving").with_key(&key)).await?;
    leaving.acknowledges = false;
    leaving.subscribe(&[("free/#", 1), ("$share/g/free/+", 1)]).await?;
    publisher.publish("free/a", "left", 1, false).await?;
    for _ in 0..2 {
        assert_eq!(leaving.delivery().await?.payload, b"left");
    }
    let mut staying = Client::connect(&world, Hello::new(5, "staying").with_key(&key)).await?;
    staying.subscribe(&[("$share/g/free/+", 1)]).await?;
    leaving.leave(None).await?;
    assert_eq!(staying.delivery().await?.payload, b"left");
    publisher.publish("free/a", "end", 1, false).await?;
    assert!(staying.payloads_until("end").await?.is_empty(), "it came twice");
    Ok(())
}
