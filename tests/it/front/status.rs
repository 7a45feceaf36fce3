//! Whether a device is connected, as its organization hears it.

use anyhow::Context;
use protocol::{OrganizationId, Status, VenueId};

use super::hello::Hello;
use crate::mqtt::{Client, Delivery, LEVELS};
use crate::world::{Key, Shop, World};

/// The organization that a venue belongs to.
pub(super) async fn organization(world: &World, venue: VenueId) -> anyhow::Result<OrganizationId> {
    let venue = world.api().get(&format!("/venues/{venue}")).await?;
    venue["organization"].as_str().and_then(|id| id.parse().ok()).context("an organization")
}

fn connected(delivery: &Delivery) -> anyhow::Result<bool> {
    Ok(serde_json::from_slice::<Status>(&delivery.payload)?.connected)
}

#[tokio::test]
async fn a_device_that_comes_and_goes_is_told_and_remembered() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let organization = organization(&world, shop.venue).await?;
    let filter = format!("v1/organizations/{organization}/devices/+/status");
    let topic = format!("v1/organizations/{organization}/devices/{}/status", shop.gateway.device);
    let key = Key::make(&world, &["devices:read"]).await?;
    for level in LEVELS {
        let mut watcher = Client::connect(&world, Hello::new(level, "watcher").with_key(&key)).await?;
        watcher.subscribe(&[(&filter, 1)]).await?;
        let device = super::device(&world, level, &shop.gateway).await?;
        // It is told a moment after the device is in; what is remembered of an earlier one may come first.
        while !connected(&watcher.delivery().await?)? {}
        watcher.leave(None).await?;
        let mut service = Client::connect(&world, Hello::new(level, "service").with_key(&key)).await?;
        assert_eq!(service.subscribe(&[(&filter, 1)]).await?, [1]);
        let here = service.delivery().await?;
        assert_eq!((here.topic.as_str(), here.retain, connected(&here)?), (topic.as_str(), true, true));

        // A second connection with a client id of its own: the device is there until both are gone.
        let name = shop.gateway.device.to_string();
        let second = Hello::new(level, "second").as_user(&name, &shop.gateway.secret);
        let second = Client::connect(&world, second).await?;
        device.leave(None).await?;
        second.leave(None).await?;
        let gone = service.delivery().await?;
        assert_eq!((gone.retain, connected(&gone)?), (false, false), "told once, after the last has gone");

        let mut later = Client::connect(&world, Hello::new(level, "later").with_key(&key)).await?;
        later.subscribe(&[(&topic, 0)]).await?;
        let remembered = later.delivery().await?;
        assert_eq!((remembered.retain, remembered.qos, connected(&remembered)?), (true, 0, false));
    }
    Ok(())
}

/// Version 5 may ask to see the flag as it was published.
#[tokio::test]
async fn the_flag_is_kept_where_it_is_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let organization = organization(&world, shop.venue).await?;
    let key = Key::make(&world, &["devices:read"]).await?;
    let mut service = Client::connect(&world, Hello::new(5, "service").with_key(&key)).await?;
    let filter = format!("v1/organizations/{organization}/devices/+/status");
    service.subscribe(&[(&filter, 1 | 8)]).await?;
    let device = super::device(&world, 4, &shop.gateway).await?;
    let here = service.delivery().await?;
    assert_eq!((here.retain, connected(&here)?), (true, true));
    drop(device); // without a word: the socket breaks
    let gone = service.delivery().await?;
    assert_eq!((gone.retain, connected(&gone)?), (true, false));
    let shown = world.api().get(&format!("/devices/{}", shop.gateway.device)).await?;
    assert_eq!(shown["connected"], false);
    Ok(())
}
