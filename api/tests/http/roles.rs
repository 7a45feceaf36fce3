//! What members may do.

use serde_json::{Value, json};
use store::{BuiltInRole, Change, Role};

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

#[tokio::test]
async fn a_role_from_the_first_to_the_last() {
    each_engine(async |world| {
        let body = json!({"name": "Cleaner", "scopes": ["devices:read", "venues:read", "venues:read"]});
        let made = world.post("/api/v1/roles", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let role = made.json();
        let path = format!("/api/v1/roles/{}", role["id"].as_str().unwrap());
        assert_eq!(made.header("location"), path);
        let expected = json!({"id": role["id"], "name": "Cleaner", "scopes": ["venues:read", "devices:read"],
            "built_in": false, "created_at": "2026-03-02T12:00:00Z"});
        assert_eq!(role, expected);
        assert_eq!(world.get(&path).await.json(), role);

        let renamed = world.patch(&path, &json!({"name": "Cleaners"})).await.json();
        assert_eq!((&renamed["name"], &renamed["scopes"]), (&json!("Cleaners"), &role["scopes"]));
        let changed = world.patch(&path, &json!({"scopes": ["stays:read"]})).await.json();
        assert_eq!((&changed["name"], &changed["scopes"]), (&json!("Cleaners"), &json!(["stays:read"])));
        assert_eq!(world.get(&path).await.json(), changed);

        assert_eq!(world.delete(&path).await.status, 204);
        for answer in
            [world.get(&path).await, world.delete(&path).await, world.patch(&path, &json!({})).await]
        {
            answer.refused(404, "not-found");
        }
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn built_in_roles_are_listed_first_and_stay_as_they_are() {
    let world = World::new().await;
    let made = ["A", "B"].map(|name| json!({"name": name, "scopes": ["venues:read"]}));
    for (role, time) in made.iter().zip(1..) {
        world.set_time(NOW + time);
        world.make("/api/v1/roles", role).await;
    }
    let names = ["owner", "admin", "analyst", "operator", "installer", "A", "B"].map(Value::from);
    let listed = world.get("/api/v1/roles").await;
    assert_eq!(listed.all("name"), names);
    assert_eq!(listed.all("built_in"), [true, true, true, true, true, false, false].map(Value::from));
    let owner =
        json!({"id": "owner", "name": "owner", "scopes": ["*"], "built_in": true, "created_at": null});
    assert_eq!(listed.json()["items"][0], owner);
    assert_eq!(world.get("/api/v1/roles/owner").await.json(), owner);

    for limit in [1, 2, 5, 6, 7, 8] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/api/v1/roles?limit={limit}{cursor}")).await;
            seen.extend(page.all("name"));
            let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, names, "{limit} at a time");
    }

    for role in BuiltInRole::ALL {
        let path = format!("/api/v1/roles/{role}");
        world.patch(&path, &json!({"name": "Boss"})).await.refused(409, "conflict");
        world.delete(&path).await.refused(409, "conflict");
    }
    world.get("/api/v1/roles/chief").await.refused(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn a_name_is_one_role_s() {
    each_engine(async |world| {
        let body = |name: &str| json!({"name": name, "scopes": ["venues:read"]});
        let first = world.make("/api/v1/roles", &body("Cleaner")).await;
        let second = world.make("/api/v1/roles", &body("Guard")).await;
        for name in ["Cleaner", "owner", "Owner"] {
            world.post("/api/v1/roles", &body(name)).await.refused(409, "conflict");
            let path = format!("/api/v1/roles/{second}");
            world.patch(&path, &json!({"name": name})).await.refused(409, "conflict");
        }
        let same = world.patch(&format!("/api/v1/roles/{first}"), &json!({"name": "Cleaner"})).await;
        assert_eq!(same.status, 200, "{}", same.text);
        let foreign = world.foreign_key().await;
        let theirs = world.request("POST", "/api/v1/roles").bearer_auth(foreign).json(&body("Cleaner"));
        assert_eq!(Answer::to(theirs).await.status, 201, "another organization's names are its own");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_role_that_somebody_has_stays_and_what_it_allows_reaches_them_at_once() {
    let world = World::new().await;
    let ben = world.person("ben", BuiltInRole::Analyst).await;
    world.person("eva", BuiltInRole::Analyst).await;
    let role = world.make("/api/v1/roles", &json!({"name": "Guard", "scopes": ["venues:read"]})).await;
    let path = format!("/api/v1/roles/{role}");
    world.patch(&format!("/api/v1/members/{ben}"), &json!({"role": role})).await;
    world.delete(&path).await.refused(409, "conflict");

    let mut changes = world.app.live.changes();
    world.patch(&path, &json!({"scopes": ["venues:read", "stays:read"]})).await;
    assert_eq!(std::iter::from_fn(|| changes.try_next()).collect::<Vec<_>>(), [Change::Account(ben)]);
    let membership = world.app.store.membership(world.organization, ben).await.unwrap().unwrap();
    assert_eq!(membership.role, Role::Custom(role.parse().unwrap()));
    assert_eq!(membership.scopes.to_string(), "venues:read stays:read");
    world.patch(&path, &json!({"name": "Guards"})).await;
    assert_eq!(changes.try_next(), None, "a name allows nothing");

    world.patch(&format!("/api/v1/members/{ben}"), &json!({"role": "analyst"})).await;
    assert_eq!(world.delete(&path).await.status, 204);
    world.stop().await;
}

#[tokio::test]
async fn a_role_allows_only_what_its_maker_may_do() {
    let world = World::new().await;
    let maker = world.key_with("admin venues:read mqtt:publish:a/#").await;
    let send = |method: &str, path: &str, body: Value| {
        Answer::to(world.request(method, path).bearer_auth(&maker).json(&body))
    };
    let attempt =
        |scopes: &[&str]| send("POST", "/api/v1/roles", json!({"name": scopes.join(" "), "scopes": scopes}));
    let made = attempt(&["admin", "venues:read", "mqtt:publish:a/#"]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let own = format!("/api/v1/roles/{}", made.json()["id"].as_str().unwrap());
    for scope in ["*", "venues:write", "mqtt:publish:#"] {
        assert_eq!(attempt(&["venues:read", scope]).await.refused(403, "missing-scope")["scope"], scope);
        let changed = send("PATCH", &own, json!({"scopes": [scope]})).await;
        assert_eq!(changed.refused(403, "missing-scope")["scope"], scope);
    }
    let wider = world.make("/api/v1/roles", &json!({"name": "Wider", "scopes": ["stays:read"]})).await;
    let wider = format!("/api/v1/roles/{wider}");
    for answer in [
        send("PATCH", &wider, json!({"scopes": ["venues:read"]})).await,
        send("PATCH", &wider, json!({"name": "Mine"})).await,
        send("DELETE", &wider, json!({})).await,
    ] {
        assert_eq!(answer.refused(403, "missing-scope")["scope"], "stays:read");
    }
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let world = World::new().await;
    let role = world.make("/api/v1/roles", &json!({"name": "Guard", "scopes": ["venues:read"]})).await;
    let path = format!("/api/v1/roles/{role}");
    for (body, pointers) in [
        (json!({"name": " ", "scopes": []}), vec!["/name", "/scopes"]),
        (
            json!({"name": "x".repeat(101), "scopes": ["x", "venues:read", "y"]}),
            vec!["/name", "/scopes/0", "/scopes/2"],
        ),
        (json!({"name": "a\u{0}", "scopes": ["venues:read"]}), vec!["/name"]),
        (json!({"name": "A", "scopes": ["openid"]}), vec!["/scopes/0"]),
        (json!({"name": "A", "scopes": vec!["venues:read"; 101]}), vec!["/scopes"]),
    ] {
        for (method, path) in [("POST", "/api/v1/roles"), ("PATCH", path.as_str())] {
            let refusal =
                Answer::to(world.signed(method, path).json(&body)).await.refused(422, "invalid-body");
            let named: Vec<&str> = refusal["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|error| error["pointer"].as_str().unwrap())
                .collect();
            assert_eq!(named, pointers, "{method} {body}");
        }
    }
    world.post("/api/v1/roles", &json!({"name": "A"})).await.refused(422, "invalid-body");
    world.stop().await;
}
