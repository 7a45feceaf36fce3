//! One order to many devices.

use protocol::{Ack, AckStatus, CommandId};
use serde_json::{Value, json};

use crate::commands::lamp;
use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

const PATH: &str = "/api/v1/bulk-commands";
const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn many_get_it_a_few_at_a_time() {
    each_engine(async |world| {
        let mut devices = Vec::new();
        for _ in 0..3 {
            devices.push(lamp(&world).await.0.to_string());
        }
        let tag = world.make("/api/v1/devices", &json!({"kind": "tag", "name": "T"})).await;
        let scene = json!({"type": "scene", "capabilities": {"scene": {}}});
        let scene =
            world.make("/api/v1/devices", &json!({"kind": "appliance", "name": "S", "profile": scene})).await;
        let [first, second, third] = devices.as_slice() else { unreachable!() };
        let body = json!({"name": "on_off.set", "args": {"on": true}, "ttl_s": 10, "per_second": 2,
            "devices": [first, tag, second, scene, third, first]});
        let given = world.post(PATH, &body).await;
        assert_eq!(given.status, 202, "{}", given.text);
        let order = given.json();
        let id = order["id"].as_str().unwrap();
        assert_eq!(given.header("location"), format!("{PATH}/{id}"));
        assert_eq!((&order["total"], &order["refused_count"]), (&json!(5), &json!(2)));
        let refused = order["refused"].as_array().unwrap();
        assert_eq!((&refused[0]["device"], &refused[1]["device"]), (&json!(tag), &json!(scene)));
        assert_eq!(refused[0]["detail"], "a tag only transmits, so nothing can be told to it");
        assert!(refused[1]["detail"].as_str().unwrap().contains("not_supported"), "{order}");
        assert_eq!((&order["statuses"]["queued"], &order["statuses"]["done"]), (&json!(3), &json!(0)));

        // Each when its turn comes: 0 s, 1 s and 2 s from now, with 10 s for each.
        let listed = world.get(&format!("/api/v1/commands?bulk={id}")).await;
        let mut deadlines: Vec<(Value, Value)> =
            listed.all("device").into_iter().zip(listed.all("deadline")).collect();
        deadlines.sort_by_key(|(_, deadline)| deadline.to_string());
        let expected = [
            (json!(first), json!("2026-03-02T12:00:10Z")),
            (json!(second), json!("2026-03-02T12:00:11Z")),
            (json!(third), json!("2026-03-02T12:00:12Z")),
        ];
        assert_eq!(deadlines, expected);
        assert!(listed.all("bulk").iter().all(|bulk| bulk == id));

        let command: CommandId = listed.all("id")[0].as_str().unwrap().parse().unwrap();
        let device = listed.all("device")[0].as_str().unwrap().parse().unwrap();
        let done = Ack::new(AckStatus::Done);
        world.app.orders.answer(world.organization, device, command, done).await.unwrap();
        let read = world.get(&format!("{PATH}/{id}")).await.json();
        assert_eq!((&read["statuses"]["queued"], &read["statuses"]["done"]), (&json!(2), &json!(1)));
        assert_eq!((&read["total"], &read["args"]), (&json!(5), &json!({"on": true})));
        assert_eq!((&read["refused_count"], &read["refused"]), (&order["refused_count"], &order["refused"]));
        assert!(read["author"].as_str().unwrap().starts_with("key:"), "{read}");
        let request = world.request("GET", &format!("{PATH}/{id}")).bearer_auth(world.foreign_key().await);
        Answer::to(request).await.refused(404, "not-found");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_still_waits_of_an_order_is_called_back() {
    each_engine(async |world| {
        let mut devices = Vec::new();
        for _ in 0..3 {
            devices.push(lamp(&world).await.0);
        }
        let body = json!({"name": "identify", "devices": devices, "per_second": 1});
        let first = world.post(PATH, &json!({"name": "identify", "devices": devices[..1]})).await.json();
        world.set_time(NOW + 1);
        let id = world.post(PATH, &body).await.json()["id"].as_str().unwrap().to_owned();
        let listed = world.get(PATH).await;
        assert_eq!(listed.all("id"), [json!(id), first["id"].clone()]);
        assert!(listed.json()["items"][0]["statuses"].is_null(), "{}", listed.text);
        // The first is due, and may be on its way.
        let cancelled = world.post(&format!("{PATH}/{id}/cancel"), &json!({})).await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.text);
        let statuses = &cancelled.json()["statuses"];
        assert_eq!((&statuses["queued"], &statuses["cancelled"]), (&json!(1), &json!(2)), "{statuses}");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_filter_means_all_that_fit() {
    let world = World::new().await;
    let mut devices = Vec::new();
    for _ in 0..300 {
        devices.push(lamp(&world).await.0);
    }
    for device in &devices[..280] {
        let Value::Object(patch) = json!({"on_off": {"on": false}}) else { unreachable!() };
        world.app.orders.report(world.organization, *device, patch).await.unwrap();
    }
    let body = json!({"name": "on_off.set", "args": {"on": true}, "filter": "reported.on_off.on = false",
        "per_second": 1_000});
    let order = world.post(PATH, &body).await.json();
    assert_eq!((&order["total"], &order["statuses"]["queued"]), (&json!(280), &json!(280)), "{order}");
    assert_eq!(order["refused"], json!([]));
    let nobody = world.post(PATH, &json!({"name": "identify", "filter": "kind = tag"})).await;
    assert_eq!((nobody.status, &nobody.json()["total"]), (202, &json!(0)));

    let blind = world.key_with("commands:write").await;
    let request = world.request("POST", PATH).bearer_auth(&blind);
    assert_eq!(Answer::to(request.json(&body)).await.refused(403, "missing-scope")["scope"], "devices:read");
    let named = json!({"name": "identify", "devices": [devices[0]]});
    assert_eq!(Answer::to(world.request("POST", PATH).bearer_auth(blind).json(&named)).await.status, 202);
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_ordered_where_something_is_wrong() {
    let world = World::new().await;
    let (device, _) = lamp(&world).await;
    let many: Vec<_> = (0..1_001).map(|_| device).collect();
    let cases: [(Value, &[&str]); 11] = [
        (json!({"devices": [device]}), &["/name"]),
        (json!({"name": "identify"}), &["/devices"]),
        (json!({"name": "identify", "devices": [device], "filter": "kind = kiosk"}), &["/filter"]),
        (json!({"name": "identify", "devices": []}), &["/devices"]),
        (json!({"name": "identify", "devices": many}), &["/devices"]),
        (json!({"name": "identify", "devices": [device, "x"]}), &["/devices/1"]),
        (json!({"name": "identify", "devices": [device, NOWHERE]}), &["/devices"]),
        (json!({"name": "identify", "filter": "kind = lamp"}), &["/filter"]),
        (
            json!({"name": "a b", "devices": [device], "ttl_s": 0, "per_second": 0}),
            &["/name", "/ttl_s", "/per_second"],
        ),
        (json!({"name": "identify", "devices": [device], "per_second": 1_001}), &["/per_second"]),
        (json!({"name": "identify", "devices": [device], "args": {"text": "\u{0}"}}), &["/args"]),
    ];
    for (body, pointers) in cases {
        let refused = world.post(PATH, &body).await.refused(422, "invalid-body");
        let errors = refused["errors"].as_array().unwrap();
        let named: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, pointers, "{refused}");
    }
    let unknown = world.post(PATH, &json!({"name": "identify", "devices": [device, NOWHERE]})).await;
    assert_eq!(unknown.json()["errors"][0]["detail"], format!("there is no device {NOWHERE}"));
    let request = world.request("POST", PATH).bearer_auth(world.foreign_key().await);
    let foreign = Answer::to(request.json(&json!({"name": "identify", "devices": [device]}))).await;
    foreign.refused(422, "invalid-body");
    assert_eq!(world.get("/api/v1/commands").await.all("id"), [Value::Null; 0]);
    world.stop().await;
}
