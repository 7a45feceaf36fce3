//! The switch for Home Assistant.

use serde_json::{Value, json};
use store::Change;

use crate::engines::each_engine;
use crate::world::{Answer, NOW};

const PATH: &str = "/api/v1/integrations/home-assistant";

#[tokio::test]
async fn the_switch_is_put_moved_and_taken_away() {
    each_engine(async |world| {
        let organization = world.app.store.default_organization(world.app.clock.now()).await.unwrap().id;
        let put = async |body: Value| Answer::to(world.signed("PUT", PATH).json(&body)).await;
        assert_eq!(world.get(PATH).await.status, 404);
        assert_eq!(world.delete(PATH).await.status, 404);
        let mut changes = world.app.live.changes();
        let expected = json!({"prefix": "homeassistant", "enabled_at": "2026-03-02T12:00:00Z"});
        let bare = Answer::to(world.signed("PUT", PATH)).await;
        assert_eq!((bare.status, bare.json()), (200, expected.clone()));
        assert_eq!(changes.try_next(), Some(Change::HomeAssistant(organization)), "told at once");
        world.set_time(NOW + 5_000);
        assert_eq!(put(json!({})).await.json(), expected, "again");
        let moved = json!({"prefix": "ha/home", "enabled_at": "2026-03-02T12:00:05Z"});
        assert_eq!(put(json!({"prefix": "ha/home"})).await.json(), moved);
        for bad in ["", "a/+", "#", "a b", "v1/x", "$SYS", "a//b"] {
            let refused = put(json!({"prefix": bad})).await;
            assert_eq!((refused.status, refused.problem().as_str()), (422, "invalid-body"), "{bad}");
        }
        assert_eq!(world.get(PATH).await.json(), moved);
        assert_eq!(world.delete(PATH).await.status, 204);
        assert_eq!(world.get(PATH).await.status, 404);
        let log = world.get("/api/v1/audit").await;
        let mut words = log.all("what");
        words.sort_by_key(ToString::to_string);
        let on = "home_assistant_enabled";
        assert_eq!(
            words,
            [json!("home_assistant_disabled"), json!(on), json!(on), json!(on)],
            "{}",
            log.text
        );
        let items = log.json()["items"].clone();
        let prefixes =
            items.as_array().unwrap().iter().filter(|entry| entry["detail"]["prefix"] == "ha/home");
        assert_eq!(prefixes.count(), 1, "{}", log.text);
        assert!(items.as_array().unwrap().iter().all(|entry| entry["detail"]["by"]["key"].is_string()));
        world.stop().await;
    })
    .await;
}
