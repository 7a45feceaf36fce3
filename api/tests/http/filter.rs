//! Devices found by a filter, in the registry and in their twins.

use protocol::{DeviceId, Timestamp};
use serde_json::{Value, json};

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

/// A kiosk that reports whether it is on.
async fn kiosk(world: &World, name: &str, venue: Option<&str>, is_on: Option<bool>) -> DeviceId {
    let profile = json!({"type": "display", "capabilities": {"on_off": {}, "brightness": {}}});
    let body = json!({"kind": "kiosk", "name": name, "venue": venue, "profile": profile});
    let device = world.make("/api/v1/devices", &body).await.parse().unwrap();
    if let Some(on) = is_on {
        let Value::Object(patch) = json!({"on_off": {"on": on}}) else { unreachable!() };
        world.app.orders.report(world.organization, device, patch).await.unwrap();
    }
    device
}

async fn find(world: &World, query: &[(&str, &str)]) -> Answer {
    Answer::to(world.signed("GET", "/api/v1/devices").query(query)).await
}

async fn names(world: &World, filter: &str) -> Vec<Value> {
    find(world, &[("filter", filter)]).await.all("name")
}

#[tokio::test]
async fn devices_are_found_by_what_they_are() {
    each_engine(async |world| {
        let venue = world.make_venue().await;
        let door = kiosk(&world, "Door", Some(&venue), Some(true)).await;
        world.set_time(NOW + 1);
        kiosk(&world, "Left window", Some(&venue), Some(false)).await;
        world.set_time(NOW + 2);
        kiosk(&world, "Right Window", None, Some(false)).await;
        world.set_time(NOW + 3);
        kiosk(&world, "Store", None, None).await;
        world.set_time(NOW + 4);
        world.make("/api/v1/devices", &json!({"kind": "tag", "name": "Window tag"})).await;
        world.app.live.connected(door, Timestamp(NOW));
        let in_venue = format!("venue = {venue} and type = display");
        let cases: [(&str, &[&str]); 7] = [
            (
                "kind = kiosk and reported.on_off.on = false and name ~ \"window\"",
                &["Left window", "Right Window"],
            ),
            ("connected = true", &["Door"]),
            (&in_venue, &["Door", "Left window"]),
            ("capability = brightness and not reported.on_off exists", &["Store"]),
            ("kind = tag or reported.on_off.on = true", &["Door", "Window tag"]),
            ("created_at > 2026-03-02T12:00:00.002Z", &["Store", "Window tag"]),
            ("kind = kiosk and kind = tag", &[]),
        ];
        for (filter, expected) in cases {
            assert_eq!(names(&world, filter).await, expected, "{filter}");
        }
        let both =
            find(&world, &[("filter", "reported.on_off exists"), ("venue", &venue), ("kind", "kiosk")]).await;
        assert_eq!(both.all("name"), ["Door", "Left window"]);
        let apart = find(&world, &[("filter", "kind = tag"), ("kind", "kiosk")]).await;
        assert_eq!(apart.all("name"), [Value::Null; 0]);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_found_comes_page_by_page() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for index in 0..7_i64 {
        world.set_time(NOW + index);
        kiosk(&world, &format!("K{index}"), None, Some(index % 2 == 0)).await;
        if index % 2 == 0 {
            expected.push(json!(format!("K{index}")));
        }
    }
    let filter = ("filter", "reported.on_off.on = true");
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    let mut pages = 0;
    loop {
        let mut query = vec![filter, ("limit", "2")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = find(&world, &query).await;
        found.extend(page.all("name"));
        pages += 1;
        let next = page.json()["next_cursor"].as_str().map(str::to_owned);
        let Some(next) = next else { break };
        cursor = Some(next);
    }
    assert_eq!((found, pages), (expected, 2), "the last device ends the list with it");
    world.stop().await;
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place() {
    let world = World::new().await;
    for (filter, detail) in [
        ("kind = lamp", "at character 8: expected a kind: beacon, gateway, kiosk, phone, tag or appliance"),
        ("name ~", "at character 7: expected a text in double quotes"),
    ] {
        let refused = find(&world, &[("filter", filter)]).await.refused(400, "invalid-query");
        assert_eq!(refused["errors"][0], json!({"parameter": "filter", "detail": detail}));
    }
    for filter in ["", "(", "\"", "name = \u{0}", "reported.a.b.c.d = \"ü\" and"] {
        find(&world, &[("filter", filter)]).await.refused(400, "invalid-query");
    }
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_found_of_others() {
    let world = World::new().await;
    kiosk(&world, "K", None, Some(true)).await;
    let request = world.request("GET", "/api/v1/devices").bearer_auth(world.foreign_key().await);
    let theirs = Answer::to(request.query(&[("filter", "reported.on_off.on = true or kind exists")])).await;
    assert_eq!(theirs.all("id"), [Value::Null; 0]);
    world.stop().await;
}
