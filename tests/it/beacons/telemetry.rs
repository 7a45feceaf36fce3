//! What beacons say of themselves, passed on by who hears them.

use anyhow::ensure;
use protocol::{DeviceId, MAX_BEACONS, Timestamp};
use serde_json::{Value, json};

use super::{BEACON, MINUTE, Reporter, Scene, made, part_of};
use crate::world::{Api, World, eventually};

const TAG: &str = "eddystone:00112233445566778899:000000000001";

fn battery(id: &str, at: Timestamp, mv: u16) -> Value {
    json!({"beacons": [{"id": id, "at": at, "battery_mv": mv}]})
}

async fn reported(world: &World, device: DeviceId) -> anyhow::Result<Value> {
    Ok(world.api().get(&format!("/devices/{device}/twin")).await?["reported"].take())
}

#[tokio::test]
async fn what_a_beacon_says_is_in_its_twin_once_a_minute_or_when_it_matters() -> anyhow::Result<()> {
    let mut scene = Scene::open(World::new().await?).await?;
    let profile = json!({"type": "sensor", "capabilities": {"sensor": {"readings": ["temperature"]}}});
    let path = format!("/devices/{}", scene.beacon);
    scene.world.api().patch(&path, json!({"profile": profile})).await?;
    let at = scene.began.minus(MINUTE);
    let body = json!({"beacons": [{"id": BEACON, "at": at, "battery_mv": 2987, "temperature_c": 21.5,
        "advertisements": 7, "uptime_s": 60, "colour": "red"}, {"id": "app:nobody", "at": at}], "later": 1});
    ensure!(scene.reporter.pass_on(&body).await? == 0);
    let part = scene.part("it is told", |part| part["battery_mv"] == 2987).await?;
    let expected = json!({"state": "ok", "since": at, "heard_at": at, "heard_by": scene.reporter.id, "battery_mv": 2987,
        "temperature_c": 21.5, "advertisements": 7, "uptime_s": 60});
    ensure!(part == expected, "{part}");
    let twin = reported(&scene.world, scene.beacon).await?;
    ensure!(twin["state"]["sensor"] == json!({"temperature": 21.5}), "{twin}");
    scene.world.metric_reaches("promenade_telemetry_unknown_total", 1.0).await?;

    // What is merely new waits, whoever heard it; a battery that is nearly empty does not.
    let version = twin["version"].as_u64().unwrap_or_default();
    for mv in [2986, 2985, 2350] {
        ensure!(scene.reporter.pass_on(&battery(BEACON, at.plus(3_000 - i64::from(mv)), mv)).await? == 0);
    }
    let part = scene.part("its battery is low", |part| part["state"] == "low").await?;
    ensure!(part["battery_mv"] == 2350, "{part}");
    let twin = reported(&scene.world, scene.beacon).await?;
    ensure!(twin["version"] == json!(version + 1), "{twin}");
    let said = scene.explained("battery_low").await?;
    ensure!(said.contains("2350 mV"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_tag_says_something_too_and_nobody_else_hears_of_it() -> anyhow::Result<()> {
    let mut scene = Scene::open(World::new().await?).await?;
    let tag = made(&scene.world, json!({"kind": "tag", "name": "Cart", "identifier": TAG})).await?;
    let phone = made(&scene.world, json!({"kind": "phone", "name": "Phone"})).await?;
    let mut phone = Reporter::connect(&scene.world, &phone).await?;
    let foreign = super::ephemeral::foreign(&scene.world).await?;
    let theirs =
        made_by(&foreign, json!({"kind": "beacon", "name": "B", "identifier": "app:theirs"})).await?;
    let at = scene.began.minus(MINUTE);
    ensure!(phone.pass_on(&battery(TAG, at, 3_000)).await? == 0);
    let part = part_of(&scene.world, tag.device, "it is told", |part| part["battery_mv"] == 3_000).await?;
    // Where a phone was is nobody's business; a tag has no state.
    ensure!(part == json!({"battery_mv": 3_000, "heard_at": at}), "{part}");
    // Beacons of others are not known here.
    ensure!(scene.reporter.pass_on(&battery("app:theirs", at, 2_000)).await? == 0);
    scene.world.metric_reaches("promenade_telemetry_unknown_total", 1.0).await?;
    let path = format!("/devices/{theirs}/twin");
    eventually("theirs was looked at", async || {
        Ok((foreign.get(&path).await?["reported"]["state"]["beacon"]["state"] == "unheard").then_some(()))
    })
    .await?;
    ensure!(foreign.get(&path).await?["reported"]["state"]["beacon"].get("battery_mv").is_none());
    Ok(())
}

async fn made_by(api: &Api, body: Value) -> anyhow::Result<String> {
    Ok(api.post("/devices", body).await?["id"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_is_no_telemetry_is_refused_and_told_why() -> anyhow::Result<()> {
    let mut scene = Scene::open(World::new().await?).await?;
    let at = scene.began;
    let entry = json!({"id": BEACON, "at": at});
    for (body, cause) in [
        (json!([]), "unreadable_telemetry"),
        (json!({"beacons": [{"id": "nonsense", "at": at}]}), "unreadable_telemetry"),
        (json!({"beacons": vec![entry.clone(); MAX_BEACONS + 1]}), "telemetry_too_large"),
    ] {
        let before = scene.world.refusals(cause).await?;
        ensure!(scene.reporter.pass_on(&body).await? == 0x99, "{cause}");
        ensure!(scene.world.refusals(cause).await? == before + 1, "{cause}");
    }
    // Single readings of a time that cannot be are left out, and the others count.
    let body = json!({"beacons": [{"id": BEACON, "at": at.plus(3_600_000), "battery_mv": 1},
        {"id": BEACON, "at": at, "battery_mv": 2_900}]});
    ensure!(scene.reporter.pass_on(&body).await? == 0);
    ensure!(scene.world.refusals("from_the_future").await? == 1);
    scene.part("the other is told", |part| part["battery_mv"] == 2_900).await?;
    let path = format!("/devices/{}/explain", scene.reporter.id);
    eventually("what was refused is told", async || {
        let explanation = scene.world.api().get(&path).await?;
        Ok((explanation["refusals"]["unreadable_telemetry"]["count"] == 2).then_some(()))
    })
    .await
}

/// The clock of a reporter that was told with its pings is put right here, too.
#[tokio::test]
async fn the_clock_of_the_reporter_is_put_right() -> anyhow::Result<()> {
    let mut scene = Scene::open(World::new().await?).await?;
    let behind = 5 * MINUTE;
    let now = store::Clock::System.now();
    let batch = json!({"boot": "run1", "seq": 0, "sent": now.minus(behind), "pings": []});
    let topic = protocol::Topic::Pings(scene.reporter.id).to_string();
    ensure!(scene.reporter.client.publish(&topic, batch.to_string(), 1, false).await? == 0);
    let at = now.minus(behind);
    ensure!(scene.reporter.pass_on(&battery(BEACON, at, 2_900)).await? == 0);
    let part = scene.part("it is told", |part| part["battery_mv"] == 2_900).await?;
    let off = part["heard_at"].as_i64().unwrap_or_default() - now.0;
    ensure!(off.abs() < MINUTE, "{off} ms off");
    Ok(())
}
