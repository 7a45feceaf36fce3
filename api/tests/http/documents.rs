//! What the server says of itself: pages, `OpenAPI`, metrics, headers.

use std::collections::HashSet;

use protocol::{Capabilities, CommandReason, CommandStatus, Order};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// The checked-in document.
const OPENAPI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_openapi_document_is_checked_in() {
    let made = api::openapi();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(OPENAPI, &made).unwrap();
    }
    let kept = std::fs::read_to_string(OPENAPI).unwrap_or_default();
    assert!(
        kept == made,
        "api/openapi.json differs from the code; run this test with UPDATE_OPENAPI=1 and look at the difference"
    );
}

#[test]
fn the_openapi_document_is_whole() {
    let openapi: Value = serde_json::from_str(&api::openapi()).unwrap();
    assert_eq!(openapi["openapi"], "3.1.0");
    let text = openapi.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#/components/schemas/") {
        let name = text[at..].split('"').nth(3).unwrap().rsplit('/').next().unwrap();
        assert!(
            openapi["components"]["schemas"][name].is_object(),
            "{name} is referred to but not described"
        );
    }
    let mut names = HashSet::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                names.insert(operation["operationId"].as_str().unwrap()),
                "{method} {path} shares its name"
            );
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
            // What a device without credentials asks, open to everybody.
            let is_open = method == "post"
                && ["/api/v1/enrolments", "/api/v1/enrolments/token"].contains(&path.as_str());
            if is_open {
                assert!(operation["security"].is_null(), "{method} {path}");
                let parameters = operation["parameters"].to_string();
                assert!(!parameters.contains("Idempotency-Key"), "{method} {path}: it is nobody's key");
                for status in ["400", "409", "422", "429", "503"] {
                    let refusal = &operation["responses"][status]["content"]["application/problem+json"];
                    assert!(refusal.is_object(), "{method} {path} {status}");
                }
            } else if path.starts_with("/api/v1/") || path.starts_with("/voice/") {
                assert_eq!(
                    operation["security"][0]["key"].as_array().map(Vec::len),
                    Some(1),
                    "{method} {path}"
                );
                for status in ["401", "403", "503"] {
                    let refusal = &operation["responses"][status]["content"]["application/problem+json"];
                    assert!(refusal.is_object(), "{method} {path} {status}");
                }
                assert_eq!(
                    operation["security"][1]["oauth"], operation["security"][0]["key"],
                    "{method} {path}"
                );
                let parameters = operation["parameters"].to_string();
                // What is put may be put again as it is.
                let is_repeatable = !["get", "put"].contains(&method.as_str()) && path != "/api/v1/pings";
                assert_eq!(parameters.contains("Idempotency-Key"), is_repeatable, "{method} {path}");
            }
        }
    }
}

#[test]
fn the_page_about_commands_has_every_word() {
    let page = include_str!("../../../docs/commands.md");
    let row = |word: &str| page.contains(&format!("\n| `{word}` |"));
    for status in CommandStatus::ALL {
        assert!(row(status.as_str()), "{status}");
    }
    for reason in CommandReason::ALL {
        assert!(row(reason.as_str()), "{reason}");
    }
    for capability in Capabilities::NAMES {
        assert!(row(capability), "{capability}");
    }
    for order in Order::NAMES.iter().copied().flatten() {
        assert!(page.contains(&format!("`{order}` `{{")), "{order}");
    }
}

#[tokio::test]
async fn the_served_document_is_the_checked_in_one() {
    let world = World::new().await;
    let answer = Answer::to(world.request("GET", "/api/openapi.json")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.text, api::openapi());
    world.stop().await;
}

#[tokio::test]
async fn pages_need_nothing_from_elsewhere() {
    let world = World::new().await;
    for path in ["/", "/api/docs", "/api/problems/not-found"] {
        let page = Answer::to(world.request("GET", path)).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(page.text.starts_with("<!doctype html>"), "{path}");
        assert!(
            page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"),
            "{path}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        for from_elsewhere in ["<script", "<img", "<iframe", "src=", "@import", "style=", "onclick"] {
            assert!(!page.text.contains(from_elsewhere), "{path} has {from_elsewhere}");
        }
        assert_eq!(page.text.matches("href=\"http").count(), 0, "{path}");
    }
    let style = Answer::to(world.request("GET", "/api/style.css")).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(!style.text.contains("url(") && !style.text.contains("@import"));
    world.stop().await;
}

#[tokio::test]
async fn the_reference_names_every_route_and_shape() {
    let world = World::new().await;
    let page = Answer::to(world.request("GET", "/api/docs")).await.text;
    let openapi: Value = serde_json::from_str(&api::openapi()).unwrap();
    for path in openapi["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
    }
    for name in openapi["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"shape-{name}\"")), "{name}");
    }
    for anchor in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor} leads nowhere");
    }
    world.stop().await;
}

#[tokio::test]
async fn the_landing_page_says_how_to_begin() {
    let world = World::new().await;
    let page = Answer::to(world.request("GET", "/")).await.text;
    assert!(page.contains("promenade token") && page.contains("href=\"/api/docs\""), "{page}");
    world.stop().await;
}

#[tokio::test]
async fn probes_answer_anybody() {
    let world = World::new().await;
    let health = Answer::to(world.request("GET", "/healthz")).await;
    assert_eq!((health.status, health.text.as_str()), (200, "ok\n"));
    let ready = Answer::to(world.request("GET", "/readyz")).await;
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true, "checks": {"database": "ok"}})));
    world.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_id() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    world.get(&format!("/api/v1/venues/{venue}")).await;
    world.get("/api/v1/venues/01890a5d-ac96-774b-bcce-b302099a8057").await;
    world.get("/nowhere/at/all").await;
    let strange = Answer::to(world.request("BREW", "/api/v1/venues")).await;
    assert_eq!(strange.problem(), "method-not-allowed");
    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        "promenade_http_requests_total{route=\"/api/v1/venues\",method=\"POST\",status=\"2xx\"} 1\n",
        "promenade_http_requests_total{route=\"/api/v1/venues/{venue}\",method=\"GET\",status=\"2xx\"} 1\n",
        "promenade_http_requests_total{route=\"/api/v1/venues/{venue}\",method=\"GET\",status=\"4xx\"} 1\n",
        "promenade_http_requests_total{route=\"none\",method=\"GET\",status=\"4xx\"} 1\n",
        "promenade_http_requests_total{route=\"/api/v1/venues\",method=\"other\",status=\"4xx\"} 1\n",
        "promenade_http_request_duration_seconds_count{route=\"/api/v1/venues/{venue}\",method=\"GET\"} 2\n",
    ] {
        assert!(metrics.text.contains(line), "{line} is not in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains(&venue));
    world.stop().await;
}

#[tokio::test]
async fn every_answer_carries_an_id_and_is_not_kept() {
    let world = World::new().await;
    for path in ["/api/v1/venues", "/nowhere", "/healthz"] {
        let given = Answer::to(world.signed("GET", path).header("x-request-id", "mine-1")).await;
        assert_eq!(given.header("x-request-id"), "mine-1", "{path}");
        let minted =
            Answer::to(world.signed("GET", path).header("x-request-id", "not sane\u{20}\u{22}")).await;
        assert_eq!(minted.header("x-request-id").len(), 32, "{path}");
        assert_eq!(minted.header("cache-control"), "no-store", "{path}");
        assert_eq!(minted.header("x-content-type-options"), "nosniff", "{path}");
    }
    world.stop().await;
}
