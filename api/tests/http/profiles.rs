//! What devices are to people, and what they have declared that they can do.

use serde_json::{Value, json};

use crate::commands::lamp;
use crate::engines::each_engine;
use crate::world::World;

#[tokio::test]
async fn a_profile_is_declared_replaced_and_taken_away() {
    each_engine(async |world| {
        let (device, commands) = lamp(&world).await;
        let path = format!("/api/v1/devices/{device}");
        let declared = world.get(&path).await.json()["profile"].take();
        let expected =
            json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}, "voice": false});
        assert_eq!(declared, expected);
        let louder = json!({"name": "volume.set", "args": {"percent": 40}});
        world.post(&commands, &louder).await.refused(422, "invalid-body");

        let profile = json!({"type": "speaker", "capabilities": {"volume": {"mute": true}},
            "confirm": {"volume": "yes"}, "voice": true});
        let changed = world.patch(&path, &json!({"profile": profile})).await;
        assert_eq!(changed.json()["profile"], profile, "{}", changed.text);
        assert_eq!(world.post(&commands, &louder).await.status, 202);
        let renamed = world.patch(&path, &json!({"name": "Speaker"})).await;
        assert_eq!(renamed.json()["profile"], profile, "it stays");

        let bare = world.patch(&path, &json!({"profile": null})).await;
        assert_eq!(bare.json()["profile"], Value::Null);
        let brighter = json!({"name": "brightness.set", "args": {"percent": 101}});
        assert_eq!(world.post(&commands, &brighter).await.status, 202, "such a device decides for itself");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_no_device_can_be_is_refused_with_its_place() {
    let world = World::new().await;
    let (device, _) = lamp(&world).await;
    let path = format!("/api/v1/devices/{device}");
    for (profile, pointer) in [
        (json!({}), "/profile/type"),
        (json!({"type": "toaster"}), "/profile/type"),
        (json!({"type": "other", "capabilities": {"wings": {}}}), "/profile/capabilities/wings"),
        (json!({"type": "other", "colour": "red"}), "/profile/colour"),
        (
            json!({"type": "sensor", "capabilities": {"sensor": {"readings": []}}}),
            "/profile/capabilities/sensor/readings",
        ),
        (
            json!({"type": "other", "capabilities": {"toggle": {"a b": {"name": "A"}}}}),
            "/profile/capabilities/toggle/a b",
        ),
        (json!({"type": "light", "confirm": {"on_off": "yes"}}), "/profile/confirm/on_off"),
    ] {
        let body = json!({"kind": "appliance", "name": "L", "profile": profile});
        for answer in [
            world.post("/api/v1/devices", &body).await,
            world.patch(&path, &json!({"profile": profile})).await,
        ] {
            let refused = answer.refused(422, "invalid-body");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
    }
    world.stop().await;
}
