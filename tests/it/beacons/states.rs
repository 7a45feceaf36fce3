//! Never heard, heard, moved, silent: told by those who hear it, at the times when they heard it.

use anyhow::ensure;
use protocol::Topic;
use serde_json::{Value, json};

use super::{BEACON, HOUR, MINUTE, Reporter, Scene, found};
use crate::mqtt::{Client, Connect};
use crate::world::{Engine, Key, World};

/// Something else that the gateway hears, so that it goes on reporting.
const OTHER: &str = "ble:00:11:22:33:44:55";

#[tokio::test]
async fn a_beacon_is_heard_moved_and_missed_on_sqlite() -> anyhow::Result<()> {
    a_beacon_is_heard_moved_and_missed(Engine::Sqlite).await
}

#[tokio::test]
async fn a_beacon_is_heard_moved_and_missed_on_postgres() -> anyhow::Result<()> {
    a_beacon_is_heard_moved_and_missed(Engine::Postgres).await
}

async fn a_beacon_is_heard_moved_and_missed(engine: Engine) -> anyhow::Result<()> {
    let mut scene = Scene::open(World::on(engine).await?).await?;
    let said = scene.explained("never_heard").await?;
    ensure!(said == "Nobody has ever heard it.", "{said}");

    // Two hours as usual, five hours ago.
    let start = scene.began.minus(5 * HOUR);
    let moved = start.plus(2 * HOUR);
    scene.reporter.report_every_minute(BEACON, -60, (start, moved)).await?;
    let part = scene.part("it is heard", |part| part["state"] == "ok").await?;
    ensure!(part["heard_by"] == json!(scene.reporter.id) && part["heard_at"].is_i64(), "{part}");
    // Then far weaker.
    let gone = moved.plus(30 * MINUTE);
    scene.reporter.report_every_minute(BEACON, -84, (moved, gone)).await?;
    let part = scene.part("it was moved", |part| part["state"] == "moved").await?;
    let since = part["since"].as_i64().unwrap_or_default();
    ensure!((moved.0..moved.plus(10 * MINUTE).0).contains(&since), "{part}");
    ensure!(found(&scene.world, "reported.beacon.state = \"moved\"").await? == [scene.beacon]);
    let said = scene.explained("heard_otherwise").await?;
    ensure!(said.contains("at -84 dBm by \"Gateway\""), "{said}");

    // That outlives the server, and ends when somebody says where it stands: here, where it stood.
    scene.world.stop().await?;
    scene.world.restart().await?;
    let seq = scene.reporter.seq;
    scene.reporter = Reporter { seq, ..Reporter::connect(&scene.world, &scene.shop.gateway).await? };
    scene.part("it is still moved", |part| part["state"] == "moved").await?;
    let path = format!("/devices/{}", scene.beacon);
    scene.world.api().patch(&path, json!({"zone": scene.shop.interior})).await?;
    scene.part("it stands there", |part| part["state"] == "ok").await?;

    // The gateway goes on without it: services hear of that.
    let mut service = service(&scene).await?;
    scene.reporter.report(&[(OTHER, -70, gone.plus(HOUR))]).await?;
    let part = scene.part("it is silent", |part| part["state"] == "silent").await?;
    ensure!(part["since"] == json!(gone.minus(MINUTE)), "{part}");
    let told = service.delivery().await?;
    let told: Value = serde_json::from_slice(&told.payload)?;
    ensure!(told["state"]["beacon"]["state"] == "silent", "{told}");
    ensure!(found(&scene.world, "reported.beacon.state = \"silent\"").await? == [scene.beacon]);
    let said = scene.explained("not_heard").await?;
    ensure!(said.contains("not heard any more") && said.contains("at -84 dBm by \"Gateway\""), "{said}");

    scene.reporter.report(&[(BEACON, -84, scene.began.minus(MINUTE))]).await?;
    scene.part("it is back", |part| part["state"] == "ok").await?;
    scene.explained("heard").await?;
    scene.world.stop().await
}

/// A service that hears what the beacon's twin says.
async fn service(scene: &Scene) -> anyhow::Result<Client> {
    let venue = scene.world.api().get(&format!("/venues/{}", scene.shop.venue)).await?;
    let organization = venue["organization"].as_str().unwrap_or_default().parse()?;
    let key = Key::make(&scene.world, &["devices:read"]).await?;
    let mut service =
        Client::connect(&scene.world, Connect::new(5, "watch").user("service").password(&key.secret)).await?;
    let topic = Topic::Reported { organization, device: scene.beacon }.to_string();
    ensure!(service.subscribe(&[(&topic, 1)]).await? == [1]);
    Ok(service)
}

/// Without an identifier nobody can say anything of a beacon.
#[tokio::test]
async fn without_its_identifier_a_beacon_is_not_watched() -> anyhow::Result<()> {
    let mut scene = Scene::open(World::new().await?).await?;
    scene.reporter.report(&[(BEACON, -60, scene.began)]).await?;
    scene.part("it is heard", |part| part["state"] == "ok").await?;
    let path = format!("/devices/{}", scene.beacon);
    scene.world.api().patch(&path, json!({"identifier": null})).await?;
    scene.part("nothing is said of it", Value::is_null).await?;
    scene.explained("transmits_only").await?;
    scene.world.api().patch(&path, json!({"identifier": BEACON})).await?;
    scene.part("it begins anew", |part| part["state"] == "unheard").await?;
    Ok(())
}
