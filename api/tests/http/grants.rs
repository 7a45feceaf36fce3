//! Linked services.

use serde_json::json;
use store::{BuiltInRole, Change};

use crate::engines::each_engine;
use crate::world::{NOW, World};

#[tokio::test]
async fn a_grant_from_the_first_to_the_last() {
    each_engine(async |world| {
        let ada = world.person("ada", BuiltInRole::Owner).await;
        let grant = world.link(ada).await;
        let client = world.get("/api/v1/clients").await.all("id")[0].clone();
        let store = &world.app.store;
        let now = world.app.clock.now();
        store.grants_used(&[(grant, now)]).await.unwrap();
        store.grant_failed(grant, "the role allows nothing", now.plus(1_000)).await.unwrap();
        let mut expected = json!({"id": grant, "client": client, "account": ada,
            "scopes": ["openid", "devices:read"], "resource": null, "created_at": "2026-03-02T12:00:00Z",
            "last_used_at": "2026-03-02T12:00:00Z",
            "last_error": {"error": "the role allows nothing", "at": "2026-03-02T12:00:01Z"},
            "revoked_at": null, "revoked_why": null});
        assert_eq!(world.get("/api/v1/grants").await.json()["items"], json!([expected]));

        let mut changes = world.app.live.changes();
        world.set_time(NOW + 5_000);
        let path = format!("/api/v1/grants/{grant}");
        assert_eq!(world.delete(&path).await.status, 204);
        assert_eq!(changes.try_next(), Some(Change::Grant(grant)), "told at once");
        expected["revoked_at"] = json!("2026-03-02T12:00:05Z");
        expected["revoked_why"] = json!("unlinked");
        assert_eq!(world.get("/api/v1/grants").await.json()["items"], json!([expected]));
        assert!(!store.grant_standing(grant).await.unwrap().unwrap().is_good());

        world.set_time(NOW + 9_000);
        assert_eq!(world.delete(&path).await.status, 204, "again");
        assert_eq!(world.get("/api/v1/grants").await.json()["items"], json!([expected]), "it ended once");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn they_are_listed_page_by_page() {
    let world = World::new().await;
    let ada = world.person("ada", BuiltInRole::Owner).await;
    let mut made = Vec::new();
    for time in 0..3 {
        world.set_time(NOW + time);
        made.push(json!(world.link(ada).await));
    }
    let first = world.get("/api/v1/grants?limit=2").await;
    assert_eq!(first.all("id"), made[..2]);
    let next = format!("/api/v1/grants?limit=2&cursor={}", first.json()["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&next).await.all("id"), made[2..]);
    world.get("/api/v1/grants?colour=red").await.refused(400, "invalid-query");
    world.delete("/api/v1/grants/x").await.refused(404, "not-found");
    world.delete("/api/v1/grants/01890a5d-ac96-774b-bcce-b302099a8057").await.refused(404, "not-found");
    world.stop().await;
}
