//! Venues, zones, devices and keys: made, listed, read, changed and deleted.

use serde_json::{Value, json};
use store::Change;

use crate::world::{Answer, NOW, World};

#[tokio::test]
async fn a_venue_from_the_first_to_the_last() {
    let world = World::new().await;
    let body = json!({"name": "Süd", "timezone": "europe/vienna", "day_starts_at": "04:30", "locale": "de-AT",
        "admits": ["ibeacon:F7826DA6-4FA2-4E98-8024-BC5B71E0893E"]});
    let made = world.post("/api/v1/venues", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let venue = made.json();
    let path = format!("/api/v1/venues/{}", venue["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let expected = json!({"id": venue["id"], "organization": world.organization.to_string(), "name": "Süd",
        "timezone": "Europe/Vienna", "day_starts_at": "04:30", "locale": "de-AT",
        "admits": ["ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e"], "created_at": "2026-03-02T12:00:00Z",
        "effective_from": null});
    assert_eq!(venue, expected);
    assert_eq!(world.get(&path).await.json(), venue);

    let changed =
        world.patch(&path, &json!({"name": "Nord", "effective_from": "2026-03-01T00:00:00+01:00"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let changed = changed.json();
    assert_eq!(changed["name"], "Nord");
    assert_eq!(changed["timezone"], "Europe/Vienna");
    assert_eq!(changed["effective_from"], "2026-02-28T23:00:00Z");

    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.problem(), "not-found");
    assert_eq!(world.delete(&path).await.problem(), "not-found");
    assert_eq!(world.get("/api/v1/venues").await.json(), json!({"items": [], "next_cursor": null}));
    world.stop().await;
}

#[tokio::test]
async fn a_venue_needs_only_a_name_and_a_time_zone() {
    let world = World::new().await;
    let venue = world.post("/api/v1/venues", &json!({"name": "Shop", "timezone": "UTC"})).await.json();
    assert_eq!(
        (&venue["day_starts_at"], &venue["locale"], &venue["admits"]),
        (&json!("00:00"), &json!("en"), &json!([]))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_zone_from_the_first_to_the_last() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let zones = format!("/api/v1/venues/{venue}/zones");
    let door = world.make(&zones, &json!({"name": "Door", "kind": "entrance"})).await;
    let square = json!([[0.0, 0.0], [4.5, 0.0], [4.5, 3.0], [0.0, 3.0]]);
    let body = json!({"name": "Hall", "kind": "interior", "neighbours": [door], "polygon": square});
    let hall = world.post(&zones, &body).await;
    assert_eq!(hall.status, 201, "{}", hall.text);
    let hall = hall.json();
    assert_eq!(
        (&hall["venue"], &hall["kind"], &hall["neighbours"]),
        (&json!(venue), &json!("interior"), &json!([door]))
    );
    assert_eq!(hall["polygon"], square);

    let path = format!("{zones}/{}", hall["id"].as_str().unwrap());
    let changed =
        world.patch(&path, &json!({"kind": "staff", "polygon": null, "neighbours": []})).await.json();
    assert_eq!(
        (&changed["kind"], &changed["polygon"], &changed["neighbours"]),
        (&json!("staff"), &Value::Null, &json!([]))
    );
    assert_eq!(world.get(&path).await.json(), changed);
    assert_eq!(world.get(&zones).await.json()["items"].as_array().unwrap().len(), 2);

    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.problem(), "not-found");
    world.stop().await;
}

#[tokio::test]
async fn a_neighbour_must_be_a_zone_of_the_same_venue() {
    let world = World::new().await;
    let (venue, other) = (world.make_venue().await, world.make_venue().await);
    let foreign =
        world.make(&format!("/api/v1/venues/{other}/zones"), &json!({"name": "A", "kind": "interior"})).await;
    let body = json!({"name": "B", "kind": "interior", "neighbours": [foreign]});
    let refused = world.post(&format!("/api/v1/venues/{venue}/zones"), &body).await;
    assert_eq!(refused.problem(), "invalid-body");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/neighbours");
    world.stop().await;
}

#[tokio::test]
async fn a_device_from_the_first_to_the_last() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let zone =
        world.make(&format!("/api/v1/venues/{venue}/zones"), &json!({"name": "A", "kind": "interior"})).await;
    let body = json!({"kind": "beacon", "name": "B1", "venue": venue, "zone": zone, "position": [1.5, 2],
        "identifier": "ibeacon:F7826DA6-4FA2-4E98-8024-BC5B71E0893E:1:7"});
    let made = world.post("/api/v1/devices", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut device = made.json();
    let secret = device.as_object_mut().unwrap().remove("secret").unwrap();
    assert_eq!(secret.as_str().unwrap().len(), 43);
    let path = format!("/api/v1/devices/{}", device["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let expected = json!({"id": device["id"], "organization": world.organization.to_string(), "kind": "beacon",
        "name": "B1", "identifier": "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7", "venue": venue, "zone": zone,
        "profile": null, "position": [1.5, 2.0, 0.0], "ephemeral": null, "effective_from": null, "connected": device["connected"],
        "connected_since": device["connected_since"], "created_at": "2026-03-02T12:00:00Z",
        "updated_at": "2026-03-02T12:00:00Z"});
    assert_eq!(device, expected);
    assert_eq!(world.get(&path).await.json(), device, "the secret is shown once");

    let rotated = world.post(&format!("{path}/credentials"), &json!({})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(rotated.json()["id"], device["id"]);
    assert_ne!(rotated.json()["secret"], secret);

    world.set_time(NOW + 1_000);
    let changed =
        world.patch(&path, &json!({"zone": null, "position": null, "identifier": null})).await.json();
    assert_eq!(
        (&changed["zone"], &changed["position"], &changed["identifier"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&changed["venue"], &changed["effective_from"]),
        (&json!(venue), &json!("2026-03-02T12:00:01Z"))
    );
    let moved = world.patch(&path, &json!({"venue": null})).await.json();
    assert_eq!(moved["venue"], Value::Null);

    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.problem(), "not-found");
    assert_eq!(world.post(&format!("{path}/credentials"), &json!({})).await.problem(), "not-found");
    world.stop().await;
}

#[tokio::test]
async fn an_identifier_is_one_device_s() {
    let world = World::new().await;
    let body = json!({"kind": "tag", "name": "T", "identifier": "app:abc"});
    let first = world.make("/api/v1/devices", &body).await;
    let refused = world.post("/api/v1/devices", &body).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "conflict"));
    assert_eq!(world.delete(&format!("/api/v1/devices/{first}")).await.status, 204);
    assert_eq!(world.post("/api/v1/devices", &body).await.status, 201);
    world.stop().await;
}

#[tokio::test]
async fn devices_are_listed_by_venue_and_kind() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let here = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "G", "venue": venue})).await;
    world.set_time(NOW + 1);
    world.make("/api/v1/devices", &json!({"kind": "beacon", "name": "B", "venue": venue})).await;
    world.set_time(NOW + 2);
    world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "elsewhere"})).await;
    let names = |answer: Answer| {
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(world.get("/api/v1/devices").await), ["G", "B", "elsewhere"]);
    assert_eq!(names(world.get(&format!("/api/v1/devices?venue={venue}")).await), ["G", "B"]);
    assert_eq!(names(world.get("/api/v1/devices?kind=gateway").await), ["G", "elsewhere"]);
    let both = world.get(&format!("/api/v1/devices?venue={venue}&kind=gateway")).await;
    assert_eq!(both.json()["items"][0]["id"], json!(here));
    assert_eq!(names(both), ["G"]);
    world.stop().await;
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let world = World::new().await;
    let mut made = Vec::new();
    for index in 0..7 {
        made.push(
            world.make("/api/v1/venues", &json!({"name": format!("V{index}"), "timezone": "UTC"})).await,
        );
        world.set_time(NOW + index);
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = world.get(&format!("/api/v1/venues?limit=3{cursor}")).await.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(items.len(), 3);
        cursor = format!("&cursor={next}");
    }
    made.sort();
    assert_eq!((seen, pages), (made, 3));
    assert_eq!(world.get("/api/v1/venues?limit=7").await.json()["next_cursor"], Value::Null);
    world.stop().await;
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list() {
    let world = World::new().await;
    world.make_venue().await;
    world.make_venue().await;
    let cursor = world.get("/api/v1/venues?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("/api/v1/venues?cursor={cursor}")).await.status, 200);
    for path in [
        format!("/api/v1/devices?cursor={cursor}"),
        format!("/api/v1/venues?cursor={}", &cursor[2..]),
        "/api/v1/venues?cursor=garbage".to_owned(),
        "/api/v1/venues?cursor=".to_owned(),
        format!("/api/v1/venues?cursor={cursor}&cursor={cursor}"),
    ] {
        assert_eq!(world.get(&path).await.problem(), "invalid-query", "{path}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_key_from_the_first_to_the_last() {
    let world = World::new().await;
    let body = json!({"name": "reader", "scopes": ["venues:read", "analytics:read", "venues:read"],
        "expires_at": "2026-03-03T12:00:00Z"});
    let made = world.post("/api/v1/keys", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut key = made.json();
    let secret = key.as_object_mut().unwrap().remove("secret").unwrap();
    let secret = secret.as_str().unwrap();
    assert_eq!((&secret[..3], secret.len()), ("pk_", 46));
    let expected = json!({"id": key["id"], "name": "reader", "scopes": ["venues:read", "analytics:read"],
        "created_at": "2026-03-02T12:00:00Z", "expires_at": "2026-03-03T12:00:00Z"});
    assert_eq!(key, expected);
    let listed = world.get("/api/v1/keys").await;
    assert!(listed.json()["items"].as_array().unwrap().contains(&key), "{}", listed.text);
    assert!(!listed.text.contains("secret") && !listed.text.contains("pk_"), "{}", listed.text);

    let read = || Answer::to(world.request("GET", "/api/v1/venues").bearer_auth(secret));
    assert_eq!(read().await.status, 200);
    assert_eq!(world.delete(&format!("/api/v1/keys/{}", key["id"].as_str().unwrap())).await.status, 204);
    assert_eq!(read().await.problem(), "unauthenticated");
    world.stop().await;
}

#[tokio::test]
async fn every_write_is_told_at_once() {
    let world = World::new().await;
    let mut changes = world.app.live.changes();
    let mut told = || std::iter::from_fn(|| changes.try_next()).collect::<Vec<Change>>();
    let venue = world.make_venue().await;
    let of_venue = Change::Venue(venue.parse().unwrap());
    assert_eq!(told(), [of_venue]);
    let path = format!("/api/v1/venues/{venue}");
    world.patch(&path, &json!({"name": "New"})).await;
    assert_eq!(told(), [of_venue]);
    let zone = world.make(&format!("{path}/zones"), &json!({"name": "Z", "kind": "interior"})).await;
    world.patch(&format!("{path}/zones/{zone}"), &json!({"name": "Y"})).await;
    world.delete(&format!("{path}/zones/{zone}")).await;
    assert_eq!(told(), [of_venue; 3]);

    let gateway = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "G"})).await;
    let of_device = Change::Device(gateway.parse().unwrap());
    assert_eq!(told(), [of_device]);
    let device = format!("/api/v1/devices/{gateway}");
    world.patch(&device, &json!({"venue": venue})).await;
    assert_eq!(told(), [of_device, of_venue], "who is counted in a venue depends on what stands there");
    let other = world.make_venue().await;
    let of_other = Change::Venue(other.parse().unwrap());
    world.patch(&device, &json!({"venue": other})).await;
    assert_eq!(told(), [of_other, of_device, of_venue, of_other]);
    world.post(&format!("{device}/credentials"), &json!({})).await;
    world.delete(&device).await;
    assert_eq!(told(), [of_device, of_device, of_other]);

    let key = world.make("/api/v1/keys", &json!({"name": "K", "scopes": ["admin"]})).await;
    assert_eq!(told(), [], "a new key is nothing that anybody could have remembered otherwise");
    world.delete(&format!("/api/v1/keys/{key}")).await;
    assert_eq!(told(), [Change::Key(key.parse().unwrap())]);
    world.delete(&path).await;
    assert_eq!(told(), [of_venue]);
    world.get("/api/v1/venues").await;
    world.post("/api/v1/venues", &json!({})).await;
    assert_eq!(told(), [], "reading and refusing change nothing");
    world.stop().await;
}
