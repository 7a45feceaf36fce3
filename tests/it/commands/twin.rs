//! What a device should be, told to one that speaks plain MQTT.

use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use super::device::{Light, object};
use crate::world::World;

#[tokio::test]
async fn a_wish_is_told_at_once_and_again_to_who_comes() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut device = light.connect(&world).await?;
    // Nobody has wished for anything.
    device.client.quiet().await?;
    let api = world.api();
    let path = light.path("twin");
    let dim = json!({"desired": {"brightness": {"percent": 30}, "on_off": {"on": true}}});
    let twin = api.patch(&path, dim).await?;
    ensure!(twin["desired"]["version"] == 1, "{twin}");
    let (told, retained) = device.desired().await?;
    let state = object(&json!({"brightness": {"percent": 30}, "on_off": {"on": true}}));
    ensure!((told.version, &told.state, retained) == (1, &state, false), "{told:?}");
    ensure!(told.delta.as_ref() == Some(&state), "{told:?}");
    ensure!(device.report(&json!({"on_off": {"on": true}, "firmware": "2"})).await? == 0);
    let twin = api.get(&path).await?;
    ensure!(twin["delta"] == json!({"brightness": {"percent": 30}}), "{twin}");
    device.client.leave(None).await?;

    let mut device = light.connect(&world).await?;
    let (told, retained) = device.desired().await?;
    ensure!((told.version, retained) == (1, true), "{told:?}");
    ensure!(told.delta == Some(object(&json!({"brightness": {"percent": 30}}))), "{told:?}");
    ensure!(device.report(&json!({"brightness": {"percent": 30}})).await? == 0);
    device.client.leave(None).await?;

    // A wish made while it is away is there after a crash, too.
    let off = json!({"desired": {"on_off": {"on": false}, "brightness": null}});
    ensure!(api.patch(&path, off).await?["desired"]["version"] == 2);
    world.kill().await?;
    world.restart().await?;
    let mut device = light.connect(&world).await?;
    let (told, _) = device.desired().await?;
    ensure!(told.version == 2 && told.state == object(&json!({"on_off": {"on": false}})), "{told:?}");
    ensure!(told.delta == Some(object(&json!({"on_off": {"on": false}}))), "{told:?}");
    let wrong = json!({"desired": {"brightness": {"percent": 300}}});
    let refused = world.api().ask(Method::PATCH, &path, Some(wrong)).await?;
    ensure!(refused.status == 422, "{refused:?}");
    ensure!(world.api().get(&path).await?["desired"]["version"] == 2);
    world.stop().await
}
