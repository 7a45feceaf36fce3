//! How many are where: told when it changes, kept for those who come later, and announced as sensors.

use anyhow::ensure;
use protocol::{Batch, Identifier, Occupancy, Timestamp};
use reqwest::Method;
use store::Clock;

use super::{ANNOUNCEMENTS, Home, json_of, next_on, switch, topic_of};
use crate::mqtt::{Client, Connect};
use crate::world::{Shop, World, batch};

/// Something that nobody counts is heard at `at`: event time moves on, and the venue stays as it was.
fn passing(at: Timestamp, seq: u64) -> Batch {
    let nobody: Identifier =
        "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().expect("an identifier");
    let mut batch = batch(seq, [at]);
    batch.pings[0].id = nobody;
    batch
}

/// Waits until that many are told to be inside.
async fn inside(client: &mut Client, topic: &str, total: u32) -> anyhow::Result<Occupancy> {
    loop {
        let told: Occupancy = serde_json::from_slice(&next_on(client, topic).await?.payload)?;
        if told.total == total {
            return Ok(told);
        }
    }
}

#[tokio::test]
async fn how_many_are_in_each_zone_is_told_kept_and_announced() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let home = Home::open(&world).await?;
    let mut announced = home.listen(&world, "announced", ANNOUNCEMENTS).await?;
    switch(&world, Method::PUT).await?;
    let body = json_of(&next_on(&mut announced, &topic_of(shop.venue)).await?)?;
    let floor = &body["components"][format!("zone_{}", shop.interior)];
    ensure!(floor["name"] == "Floor" && body["components"]["total"]["name"] == "Inside", "{body}");
    let topic = floor["state_topic"].as_str().unwrap_or_default().to_owned();
    let mut told = home.listen(&world, "told", &topic).await?;

    let start = Timestamp(Clock::System.now().minus(2 * 3_600_000).0 / 1000 * 1000);
    let at = |seconds: i64| start.plus(seconds * 1000);
    let (user, secret) = (shop.gateway.device.to_string(), &shop.gateway.secret);
    let mut gateway = Client::connect(&world, Connect::new(5, "g").user(user).password(secret)).await?;
    let pings = shop.gateway.pings_topic();
    let staying = batch(0, (0..=20).map(|step| at(step * 10)));
    ensure!(gateway.publish(&pings, staying.to_json(), 1, false).await? == 0);
    // The watermark is a minute behind, in the middle of the stay.
    let one = inside(&mut told, &topic, 1).await?;
    ensure!(one.zones[&shop.interior] == 1 && one.zones[&shop.entrance] == 0, "{one:?}");
    let mut later = home.listen(&world, "later", &topic).await?;
    ensure!(later.delivery().await?.retain);
    ensure!(gateway.publish(&pings, passing(at(3_600), 1).to_json(), 1, false).await? == 0);
    inside(&mut told, &topic, 0).await?;

    world.api().delete(&format!("/devices/{}", shop.gateway.device)).await?;
    for zone in [shop.entrance, shop.interior] {
        world.api().delete(&format!("/venues/{}/zones/{zone}", shop.venue)).await?;
    }
    world.api().delete(&format!("/venues/{}", shop.venue)).await?;
    while !next_on(&mut told, &topic).await?.payload.is_empty() {}
    while !next_on(&mut announced, &topic_of(shop.venue)).await?.payload.is_empty() {}
    home.listen(&world, "latest", &topic).await?.quiet().await?;
    world.stop().await
}
