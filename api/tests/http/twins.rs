//! Twins as whoever desires sees them; the tests are the device.

use protocol::DeviceId;
use serde_json::{Map, Value, json};

use crate::commands::lamp;
use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

async fn twin(world: &World) -> (DeviceId, String) {
    let (device, _) = lamp(world).await;
    (device, format!("/api/v1/devices/{device}/twin"))
}

async fn desire(world: &World, path: &str, version: &str, desired: Value) -> Answer {
    let request = world.signed("PATCH", path).header("if-match", version);
    Answer::to(request.json(&json!({"desired": desired}))).await
}

async fn report(world: &World, device: DeviceId, patch: Value) {
    let Value::Object(patch) = patch else { panic!("an object") };
    world.app.orders.report(world.organization, device, patch).await.unwrap();
}

#[tokio::test]
async fn a_twin_is_read_desired_and_reported() {
    each_engine(async |world| {
        let (device, path) = twin(&world).await;
        let empty = world.get(&path).await;
        let side = json!({"version": 0, "state": {}, "changed_at": null});
        assert_eq!(empty.json(), json!({"device": device, "desired": side, "reported": side, "delta": {}}));
        assert_eq!(empty.header("etag"), "\"0\"");

        let desired = json!({"on_off": {"on": true}, "brightness": {"percent": 40}});
        let changed = world.patch(&path, &json!({"desired": desired})).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"1\""), "{}", changed.text);
        assert_eq!(changed.json()["delta"], desired);
        world.set_time(NOW + 1_000);
        report(&world, device, json!({"on_off": {"on": true}, "firmware": "1.2"})).await;
        let read = world.get(&path).await;
        let expected = json!({
            "device": device,
            "desired": {"version": 1, "state": desired, "changed_at": "2026-03-02T12:00:00Z"},
            "reported": {"version": 1, "state": {"on_off": {"on": true}, "firmware": "1.2"},
                "changed_at": "2026-03-02T12:00:01Z"},
            "delta": {"brightness": {"percent": 40}}
        });
        assert_eq!((read.header("etag"), read.json()), ("\"1\"", expected));
        let taken_away = world.patch(&path, &json!({"desired": {"brightness": null}})).await;
        assert_eq!(taken_away.json()["desired"]["state"], json!({"on_off": {"on": true}}));
        assert_eq!((taken_away.header("etag"), &taken_away.json()["delta"]), ("\"2\"", &json!({})));
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_can_be_held_to_a_version() {
    let world = World::new().await;
    let (_, path) = twin(&world).await;
    let on = |on: bool| json!({"on_off": {"on": on}});
    assert_eq!(desire(&world, &path, "\"0\"", on(true)).await.header("etag"), "\"1\"");
    for other in ["\"0\"", "\"2\"", "W/\"1\"", "\"x\""] {
        desire(&world, &path, other, on(false)).await.refused(412, "precondition-failed");
    }
    for wrong in ["1", "", "\"1\", \"2\""] {
        desire(&world, &path, wrong, on(false)).await.refused(400, "invalid-if-match");
    }
    assert_eq!(world.get(&path).await.json()["desired"]["state"], on(true), "nothing of it was taken");
    assert_eq!(desire(&world, &path, "*", on(false)).await.header("etag"), "\"2\"");
    assert_eq!(desire(&world, &path, "\"2\"", on(false)).await.header("etag"), "\"2\"", "it is so already");
    world.stop().await;
}

#[tokio::test]
async fn what_a_device_cannot_be_is_refused_with_its_place() {
    let world = World::new().await;
    let (_, path) = twin(&world).await;
    let deep = (0..9).fold(json!(1), |inner, _| json!({"a": inner}));
    for (body, pointer) in [
        (json!({}), "/desired"),
        (json!({"desired": null}), "/desired"),
        (json!({"desired": [1]}), "/desired"),
        (json!({"desired": {}, "reported": {}}), "/reported"),
        (json!({"desired": {"brightness": {"percent": 101}}}), "/desired/brightness/percent"),
        (json!({"desired": {"on_off": {"on": "yes"}}}), "/desired/on_off"),
        (json!({"desired": deep}), "/desired"),
        (json!({"desired": {"note": "x".repeat(33_000)}}), "/desired"),
        (json!({"desired": {"note": "\u{0}"}}), "/desired"),
    ] {
        let refused = world.patch(&path, &body).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let beacon = world.make("/api/v1/devices", &json!({"kind": "beacon", "name": "B"})).await;
    let path = format!("/api/v1/devices/{beacon}/twin");
    world.patch(&path, &json!({"desired": {}})).await.refused(409, "conflict");
    assert_eq!(world.get(&path).await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn desiring_drives_a_device() {
    let world = World::new().await;
    let (_, path) = twin(&world).await;
    let body = json!({"desired": {"on_off": {"on": true}}});
    let writer = world.key_with("devices:read devices:write").await;
    let refused = Answer::to(world.request("PATCH", &path).bearer_auth(&writer).json(&body)).await;
    assert_eq!(refused.refused(403, "missing-scope")["scope"], "commands:write");
    let commander = world.key_with("commands:write").await;
    assert_eq!(
        Answer::to(world.request("PATCH", &path).bearer_auth(commander).json(&body)).await.status,
        200
    );
    let foreign = world.foreign_key().await;
    for method in ["GET", "PATCH"] {
        let request = world.request(method, &path).bearer_auth(&foreign).json(&body);
        Answer::to(request).await.refused(404, "not-found");
    }
    let request = world.request("GET", &format!("{path}/changes")).bearer_auth(&foreign);
    Answer::to(request).await.refused(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn what_changed_is_told_with_its_author() {
    each_engine(async |world| {
        let (device, path) = twin(&world).await;
        for percent in [10, 20, 30] {
            world.patch(&path, &json!({"desired": {"brightness": {"percent": percent}}})).await;
        }
        report(&world, device, json!({"brightness": {"percent": 30}})).await;
        let first = world.get(&format!("{path}/changes?limit=2")).await;
        assert_eq!(first.all("version"), [3, 2]);
        let change = first.json()["items"][0].as_object().cloned().unwrap();
        assert!(change["author"].as_str().unwrap().starts_with("key:"), "{change:?}");
        let mut expected = Map::new();
        expected.insert("side".into(), json!("desired"));
        expected.insert("version".into(), json!(3));
        expected.insert("patch".into(), json!({"brightness": {"percent": 30}}));
        expected.insert("author".into(), change["author"].clone());
        expected.insert("at".into(), json!("2026-03-02T12:00:00Z"));
        assert_eq!(change, expected);
        assert_eq!(first.json()["next_before"], 2);
        let second = world.get(&format!("{path}/changes?limit=2&before=2&side=desired")).await;
        assert_eq!((second.all("version"), &second.json()["next_before"]), (vec![json!(1)], &Value::Null));
        let reported = world.get(&format!("{path}/changes?side=reported")).await;
        assert_eq!(
            (reported.all("author"), reported.all("version")),
            (vec![json!("device")], vec![json!(1)])
        );
        for wrong in ["side=both", "before=x", "before=-1", "limit=0", "cursor=x"] {
            world.get(&format!("{path}/changes?{wrong}")).await.refused(400, "invalid-query");
        }
        world.stop().await;
    })
    .await;
}
