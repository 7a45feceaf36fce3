//! Every kind of refusal as it is on the wire. The snapshots are the public shape: a change of one is a change of contract.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A venue's id that belongs to nothing.
const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn the_shape_of_every_refusal() {
    let world = World::new().await;
    let venues = "/api/v1/venues";
    let json = |text: &str| {
        world.signed("POST", venues).header("content-type", "application/json").body(text.to_owned())
    };
    let scoped = world.key_with("devices:read").await;
    let body = json!({"kind": "tag", "name": "T", "identifier": "app:abc"});
    world.make("/api/v1/devices", &body).await;
    let cases = [
        ("no key", world.request("GET", venues)),
        ("unknown key", world.request("GET", venues).bearer_auth("pk_x")),
        ("missing scope", world.request("GET", venues).bearer_auth(scoped)),
        ("no such venue", world.signed("GET", &format!("{venues}/{NOWHERE}"))),
        ("no such route", world.signed("GET", "/api/v1/vanues")),
        ("wrong method", world.signed("PUT", venues)),
        ("wrong query", world.signed("GET", &format!("{venues}?limit=0&colour=red&cursor=x"))),
        ("missing query", world.signed("GET", &format!("{venues}/{NOWHERE}/footfall?bucket=year"))),
        ("not JSON", json("{\"name\": \"Shop\",\n  timezone: \"UTC\"}")),
        (
            "not UTF-8",
            world
                .signed("POST", venues)
                .header("content-type", "application/json")
                .body(b"{\"name\":\"\xff\"}".to_vec()),
        ),
        ("nothing", json("")),
        ("not an object", json("[\"Shop\", \"UTC\"]")),
        ("unknown field", json(r#"{"name": "Shop", "timezone": "UTC", "colour": "red"}"#)),
        ("missing field", json(r#"{"name": "Shop"}"#)),
        ("field twice", json(r#"{"name": "Shop", "name": "Shop", "timezone": "UTC"}"#)),
        ("wrong type", json(r#"{"name": "Shop", "timezone": "UTC", "admits": ["app:", 7]}"#)),
        (
            "many mistakes",
            json(
                r#"{"name": "", "timezone": "Mars/Olympus", "day_starts_at": "25:00", "locale": "?", "admits": ["app:", "x"]}"#,
            ),
        ),
        ("too large", json(&format!(r#"{{"name": "{}", "timezone": "UTC"}}"#, "x".repeat(70_000)))),
        ("not declared", world.signed("POST", venues).body("{}")),
        ("taken identifier", world.signed("POST", "/api/v1/devices").json(&body)),
        ("bad idempotency key", json("{}").header("idempotency-key", "two words")),
    ];
    let mut document = String::new();
    for (name, request) in cases {
        let answer = Answer::to(request).await;
        answer.problem();
        let body = serde_json::to_string_pretty(&answer.json()).unwrap();
        writeln!(document, "## {name}\n{body}").unwrap();
        for header in ["www-authenticate", "allow"] {
            if !answer.header(header).is_empty() {
                writeln!(document, "{header}: {}", answer.header(header)).unwrap();
            }
        }
        document.push('\n');
    }
    insta::assert_snapshot!("refusals", document);
    world.stop().await;
}

#[tokio::test]
async fn the_type_of_every_problem_leads_to_its_page() {
    let world = World::new().await;
    for kind in api::problem::Kind::ALL {
        let answer = Answer::to(world.request("GET", &kind.uri())).await;
        assert_eq!(answer.status, 200, "{kind:?}");
        assert!(answer.text.contains(&format!("<h1>{}</h1>", kind.title())), "{kind:?}: {}", answer.text);
    }
    let unknown = Answer::to(world.request("GET", "/api/problems/none")).await;
    assert_eq!(unknown.problem(), "not-found");
    world.stop().await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_to_be() {
    let world = World::new().await;
    world.app.store.close().await;
    let answer = world.get("/api/v1/venues").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "2");
    let ready = Answer::to(world.request("GET", "/readyz")).await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json(), json!({"ready": false, "checks": {"database": "does not answer"}}));
    assert_eq!(Answer::to(world.request("GET", "/healthz")).await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn mistakes_of_a_body_are_all_named() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let zones = format!("/api/v1/venues/{venue}/zones");
    let cases: [(&str, &str, Value, &[&str]); 12] = [
        ("POST", &zones, json!({"name": "A", "kind": "cellar"}), &["/kind"]),
        (
            "POST",
            &zones,
            json!({"name": "A\u{7}", "kind": "interior", "polygon": [[0, 0], [1, 1]]}),
            &["/name", "/polygon"],
        ),
        (
            "POST",
            &zones,
            json!({"name": "A", "kind": "interior", "polygon": [[0, 0], [1, 1], [1]]}),
            &["/polygon"],
        ),
        (
            "POST",
            &zones,
            json!({"name": "A", "kind": "interior", "polygon": [[0, 0], [1, 1], ["1", 0]]}),
            &["/polygon/2/0"],
        ),
        (
            "POST",
            &zones,
            json!({"name": "A", "kind": "interior", "neighbours": [NOWHERE, NOWHERE]}),
            &["/neighbours"],
        ),
        ("POST", &zones, json!({"name": "A", "kind": "interior", "neighbours": ["x"]}), &["/neighbours/0"]),
        (
            "POST",
            "/api/v1/devices",
            json!({"kind": "tag", "name": "T", "identifier": "tag:1"}),
            &["/identifier"],
        ),
        ("POST", "/api/v1/devices", json!({"kind": "tag", "name": "T", "position": [1, 2]}), &["/position"]),
        ("POST", "/api/v1/devices", json!({"kind": "tag", "name": "T", "position": [1]}), &["/position"]),
        (
            "POST",
            "/api/v1/devices",
            json!({"kind": "tag", "name": "T", "venue": NOWHERE, "zone": NOWHERE}),
            &["/venue", "/zone"],
        ),
        (
            "POST",
            "/api/v1/devices",
            json!({"kind": "tag", "name": "T", "venue": venue, "zone": NOWHERE}),
            &["/zone"],
        ),
        (
            "POST",
            "/api/v1/keys",
            json!({"name": " ", "scopes": ["venues:read", "x"], "expires_at": "2026-03-02T11:00:00Z"}),
            &["/name", "/scopes/1", "/expires_at"],
        ),
    ];
    for (method, path, body, pointers) in cases {
        let answer = Answer::to(world.signed(method, path).json(&body)).await;
        assert_eq!(answer.problem(), "invalid-body", "{body}: {}", answer.text);
        let named: Vec<String> = answer.json()["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(named, pointers, "{body}: {}", answer.text);
    }
    let late = world.patch(&format!("/api/v1/venues/{venue}"), &json!({"effective_from": "soon"})).await;
    assert_eq!(late.json()["errors"][0]["pointer"], "/effective_from");
    world.stop().await;
}
