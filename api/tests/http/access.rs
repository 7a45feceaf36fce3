//! Who may do what.

use serde_json::{Value, json};
use store::BuiltInRole;

use crate::world::{Answer, HOUR, NOW, World};

/// Every operation of the `OpenAPI` document that needs a key: method, path with ids in it, scope.
pub(crate) fn operations() -> Vec<(String, String, String)> {
    let openapi: Value = serde_json::from_str(&api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(scope) = operation["security"][0]["key"][0].as_str() else { continue };
            let id = "01890a5d-ac96-774b-bcce-b302099a8057";
            let path = path.replace("{fingerprint}", &"ab".repeat(32));
            let names = [
                "venue",
                "zone",
                "device",
                "key",
                "account",
                "role",
                "invitation",
                "client",
                "grant",
                "purpose",
                "command",
                "bulk",
                "user_code",
                "claim_key",
            ];
            let path = names.iter().fold(path, |path, name| path.replace(&format!("{{{name}}}"), id));
            operations.push((method.to_uppercase(), path, scope.to_owned()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_refuses_strangers() {
    let world = World::new().await;
    let operations = operations();
    assert_eq!(operations.len(), 94, "routes that need a key");
    for (method, path, _) in operations {
        let answer = Answer::to(world.request(&method, &path).json(&json!({}))).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthenticated"), "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"promenade\"", "{method} {path}");
    }
    world.stop().await;
}

#[tokio::test]
async fn every_operation_names_the_scope_it_needs() {
    let world = World::new().await;
    let every = "venues:read venues:write devices:read devices:write commands:write analytics:read stays:read \
        movements:subscribe pings:write metrics:read admin";
    for (method, path, scope) in operations() {
        let others: Vec<&str> = every.split_whitespace().filter(|other| *other != scope).collect();
        let key = world.key_with(&others.join(" ")).await;
        let answer = Answer::to(world.request(&method, &path).bearer_auth(key).json(&json!({}))).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "missing-scope"), "{method} {path}");
        assert_eq!(answer.json()["scope"], json!(scope), "{method} {path}");
        assert!(answer.header("www-authenticate").contains(&format!("scope=\"{scope}\"")), "{method} {path}");

        let key = world.key_with(&scope).await;
        let answer = Answer::to(world.request(&method, &path).bearer_auth(key).json(&json!({}))).await;
        assert!(![401, 403, 405, 500].contains(&answer.status), "{method} {path}: {}", answer.text);
    }
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_a_key_is_refused() {
    let world = World::new().await;
    let long = format!("Bearer pk_{}", "A".repeat(4_000));
    let basic = format!("Basic {}", world.key);
    let wrong = format!("Bearer {}x", &world.key[..45]);
    let token = "invalid_token";
    for (value, error) in [
        ("Bearer", "invalid_request"),
        ("Bearer ", "invalid_request"),
        ("Bearer pk_", token),
        ("Bearer nonsense", token),
        (wrong.as_str(), token),
        (long.as_str(), token),
        (basic.as_str(), "invalid_request"),
        (world.key.as_str(), "invalid_request"),
    ] {
        let answer = Answer::to(world.request("GET", "/api/v1/venues").header("authorization", value)).await;
        assert_eq!(answer.problem(), "unauthenticated", "{value}");
        assert!(
            answer.header("www-authenticate").contains(error),
            "{value}: {}",
            answer.header("www-authenticate")
        );
        assert!(!answer.text.contains("pk_A"), "{value}");
    }
    let twice =
        world.signed("GET", "/api/v1/venues").header("authorization", format!("Bearer {}", world.key));
    assert_eq!(Answer::to(twice).await.problem(), "unauthenticated");
    let lower =
        world.request("GET", "/api/v1/venues").header("authorization", format!("bearer {}", world.key));
    assert_eq!(Answer::to(lower).await.status, 200, "schemes have no case");
    world.stop().await;
}

#[tokio::test]
async fn a_key_ends_when_it_said() {
    let world = World::new().await;
    let body = json!({"name": "short", "scopes": ["venues:read"], "expires_at": "2026-03-02T13:00:00Z"});
    let key = world.post("/api/v1/keys", &body).await.json()["secret"].as_str().unwrap().to_owned();
    let read = || Answer::to(world.request("GET", "/api/v1/venues").bearer_auth(&key));
    world.set_time(NOW + HOUR - 1);
    assert_eq!(read().await.status, 200);
    world.set_time(NOW + HOUR);
    assert_eq!(read().await.problem(), "unauthenticated");
    world.stop().await;
}

#[tokio::test]
async fn a_key_gives_only_what_it_has() {
    let world = World::new().await;
    let maker = world.key_with("admin venues:read mqtt:publish:a/#").await;
    let make = |scopes: Value| {
        let body = json!({"name": "made", "scopes": scopes});
        Answer::to(world.request("POST", "/api/v1/keys").bearer_auth(&maker).json(&body))
    };
    assert_eq!(make(json!(["venues:read", "admin", "mqtt:publish:a/#"])).await.status, 201);
    for scope in ["venues:write", "*", "stays:read", "mqtt:publish:#", "mqtt:subscribe:a/#"] {
        let refused = make(json!(["venues:read", scope])).await;
        assert_eq!((refused.status, refused.problem().as_str()), (403, "missing-scope"), "{scope}");
        assert_eq!(refused.json()["scope"], json!(scope));
    }
    assert_eq!(make(json!(["venues:fly"])).await.problem(), "invalid-body");
    assert_eq!(make(json!([])).await.problem(), "invalid-body");
    world.stop().await;
}

#[tokio::test]
async fn a_key_makes_none_that_outlives_it() {
    let world = World::new().await;
    let body = json!({"name": "maker", "scopes": ["admin"], "expires_at": "2026-03-02T14:00:00Z"});
    let maker = world.post("/api/v1/keys", &body).await.json()["secret"].as_str().unwrap().to_owned();
    let make = |expires_at: Value| {
        let body = json!({"name": "made", "scopes": ["admin"], "expires_at": expires_at});
        Answer::to(world.request("POST", "/api/v1/keys").bearer_auth(&maker).json(&body))
    };
    assert_eq!(make(Value::Null).await.json()["expires_at"], "2026-03-02T14:00:00Z");
    assert_eq!(make(json!("2026-03-02T13:00:00Z")).await.json()["expires_at"], "2026-03-02T13:00:00Z");
    for late in ["2026-03-02T14:00:01Z", "2026-03-02T12:00:00Z", "2020-01-01T00:00:00Z"] {
        let refused = make(json!(late)).await;
        assert_eq!(refused.problem(), "invalid-body", "{late}");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/expires_at");
    }
    world.stop().await;
}

#[tokio::test]
async fn things_of_others_are_not_there() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let zone =
        world.make(&format!("/api/v1/venues/{venue}/zones"), &json!({"name": "A", "kind": "interior"})).await;
    let device = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "G"})).await;
    let key = world.make("/api/v1/keys", &json!({"name": "K", "scopes": ["admin"]})).await;
    world.make_authority();
    let certificate = json!({"kind": "certificate"});
    let issued = world.post(&format!("/api/v1/devices/{device}/credentials"), &certificate).await.json();
    let fingerprint = issued["fingerprint"].as_str().unwrap();
    let member = world.person("ada", BuiltInRole::Admin).await;
    let role = world.make("/api/v1/roles", &json!({"name": "R", "scopes": ["venues:read"]})).await;
    let body = json!({"email": "ben@example.org", "role": "analyst"});
    let invitation = world.make("/api/v1/invitations", &body).await;
    let grant = world.link(member).await;
    let client = world.app.store.grant(world.organization, grant).await.unwrap().client;
    let other_role = json!({"role": "analyst"});
    let order = json!({"name": "identify"});
    let command = world.post(&format!("/api/v1/devices/{device}/commands"), &order).await.json();
    let command = command["id"].as_str().unwrap();
    let many = json!({"name": "identify", "devices": [device]});
    let bulk = world.post("/api/v1/bulk-commands", &many).await.json()["id"].as_str().unwrap().to_owned();
    let desired = json!({"desired": {"a": 1}});
    let foreign = world.foreign_key().await;
    let range = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
    let (name, new_zone) = (json!({"name": "X"}), json!({"name": "X", "kind": "interior"}));
    for (method, path, body) in [
        ("GET", format!("/api/v1/venues/{venue}"), None),
        ("PATCH", format!("/api/v1/venues/{venue}"), Some(&name)),
        ("DELETE", format!("/api/v1/venues/{venue}"), None),
        ("GET", format!("/api/v1/venues/{venue}/zones"), None),
        ("POST", format!("/api/v1/venues/{venue}/zones"), Some(&new_zone)),
        ("GET", format!("/api/v1/venues/{venue}/zones/{zone}"), None),
        ("PATCH", format!("/api/v1/venues/{venue}/zones/{zone}"), Some(&name)),
        ("DELETE", format!("/api/v1/venues/{venue}/zones/{zone}"), None),
        ("GET", format!("/api/v1/venues/{venue}/footfall?{range}&bucket=hour"), None),
        ("GET", format!("/api/v1/venues/{venue}/dwell?{range}"), None),
        ("GET", format!("/api/v1/venues/{venue}/heatmap?{range}"), None),
        ("GET", format!("/api/v1/venues/{venue}/journeys?{range}"), None),
        ("GET", format!("/api/v1/venues/{venue}/cross-shopping?{range}&zone={zone}"), None),
        ("GET", format!("/api/v1/venues/{venue}/occupancy"), None),
        ("GET", format!("/api/v1/venues/{venue}/stays?{range}"), None),
        ("GET", format!("/api/v1/venues/{venue}/live"), None),
        ("PUT", format!("/voice/devices/{device}/pin"), Some(&json!({"pin": "7301"}))),
        ("DELETE", format!("/voice/devices/{device}/pin"), None),
        ("GET", format!("/api/v1/devices/{device}"), None),
        ("PATCH", format!("/api/v1/devices/{device}"), Some(&name)),
        ("DELETE", format!("/api/v1/devices/{device}"), None),
        ("POST", format!("/api/v1/devices/{device}/credentials"), None),
        ("POST", format!("/api/v1/devices/{device}/credentials"), Some(&certificate)),
        ("GET", format!("/api/v1/devices/{device}/certificates"), None),
        ("DELETE", format!("/api/v1/devices/{device}/certificates/{fingerprint}"), None),
        ("GET", format!("/api/v1/devices/{device}/losses"), None),
        ("GET", format!("/api/v1/devices/{device}/explain"), None),
        ("GET", format!("/api/v1/devices/{device}/commands"), None),
        ("POST", format!("/api/v1/devices/{device}/commands"), Some(&order)),
        ("GET", format!("/api/v1/commands/{command}"), None),
        ("POST", format!("/api/v1/commands/{command}/cancel"), None),
        ("GET", format!("/api/v1/bulk-commands/{bulk}"), None),
        ("POST", format!("/api/v1/bulk-commands/{bulk}/cancel"), None),
        ("GET", format!("/api/v1/devices/{device}/twin"), None),
        ("PATCH", format!("/api/v1/devices/{device}/twin"), Some(&desired)),
        ("GET", format!("/api/v1/devices/{device}/twin/changes"), None),
        ("DELETE", format!("/api/v1/keys/{key}"), None),
        ("PATCH", format!("/api/v1/members/{member}"), Some(&other_role)),
        ("DELETE", format!("/api/v1/members/{member}"), None),
        ("GET", format!("/api/v1/roles/{role}"), None),
        ("PATCH", format!("/api/v1/roles/{role}"), Some(&name)),
        ("DELETE", format!("/api/v1/roles/{role}"), None),
        ("DELETE", format!("/api/v1/invitations/{invitation}"), None),
        ("GET", format!("/api/v1/clients/{client}"), None),
        ("PATCH", format!("/api/v1/clients/{client}"), Some(&name)),
        ("DELETE", format!("/api/v1/clients/{client}"), None),
        ("POST", format!("/api/v1/clients/{client}/secret"), None),
        ("DELETE", format!("/api/v1/grants/{grant}"), None),
    ] {
        let mut request = world.request(method, &path).bearer_auth(&foreign);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = Answer::to(request).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"), "{method} {path}");
    }
    let lists = ["venues", "devices", "members", "invitations", "clients", "grants", "audit", "commands"];
    for list in lists.into_iter().chain(["bulk-commands", "enrolments", "claim-keys"]) {
        let answer = Answer::to(world.request("GET", &format!("/api/v1/{list}")).bearer_auth(&foreign)).await;
        assert_eq!(answer.json()["items"], json!([]), "{list}");
    }
    let roles = Answer::to(world.request("GET", "/api/v1/roles").bearer_auth(&foreign)).await;
    assert!(!roles.text.contains(&role), "{}", roles.text);
    assert!(world.app.store.grant_standing(grant).await.unwrap().unwrap().is_good());
    for venue in [None, Some(&venue)] {
        let body = json!({"kind": "gateway", "name": "G", "venue": venue, "zone": zone});
        let placed = world.request("POST", "/api/v1/devices").bearer_auth(&foreign).json(&body);
        assert_eq!(Answer::to(placed).await.problem(), "invalid-body");
    }
    let filtered = world.request("GET", &format!("/api/v1/devices?venue={venue}")).bearer_auth(&foreign);
    assert_eq!(Answer::to(filtered).await.json()["items"], json!([]));
    assert_eq!(world.get(&format!("/api/v1/venues/{venue}/zones/{zone}")).await.status, 200);
    world.stop().await;
}
