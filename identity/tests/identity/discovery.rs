//! What clients find out by themselves.

use axum::http::header;
use serde_json::json;

use crate::world::{ISSUER, MINUTE, World};

#[tokio::test]
async fn both_documents_say_what_the_server_can_do() {
    let world = World::new().await;
    let openid = world.get("/.well-known/openid-configuration").await;
    let oauth = world.get("/.well-known/oauth-authorization-server").await;
    openid.assert_ok();
    assert_eq!(openid.json(), oauth.json());
    let document = openid.json();
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["response_types_supported"], json!(["code"]), "no implicit flow");
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]), "no `plain`");
    assert_eq!(
        document["grant_types_supported"],
        json!([
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code"
        ]),
        "no password grant"
    );
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256", "ES256", "EdDSA"]));
    for (name, url) in document.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint")) {
        let path = url.as_str().unwrap().strip_prefix(ISSUER).unwrap();
        let status = world.get(path).await.status;
        assert_ne!(status.as_u16(), 404, "{name} leads nowhere");
    }
}

#[tokio::test]
async fn the_key_set_has_a_public_key_for_every_algorithm() {
    let world = World::new().await;
    let answer = world.get("/oauth/jwks").await;
    answer.assert_ok();
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    let algorithms: Vec<_> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms.len(), 3, "{keys:?}");
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        assert!(algorithms.contains(&algorithm), "{algorithms:?}");
    }
    for key in &keys {
        let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(!names.contains(&private), "{names:?}");
        }
    }
    assert_eq!(world.get("/oauth/jwks").await.json(), answer.json(), "asking makes no new ones");
}

#[tokio::test]
async fn keys_follow_each_other_and_overlap() {
    let world = World::new().await;
    let ids = async || {
        let keys = world.get("/oauth/jwks").await.json()["keys"].clone();
        let keys = keys.as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let day = 24 * 60 * MINUTE;
    let first = ids().await;
    world.pass(87 * day);
    world.identity.maintain().await;
    assert_eq!(ids().await, first, "not yet");
    world.pass(day);
    world.identity.maintain().await;
    let announced = ids().await;
    assert_eq!(announced.len(), 6, "the next ones are published two days before they sign");
    assert!(first.iter().all(|id| announced.contains(id)));
    world.pass(5 * day);
    world.identity.maintain().await;
    let second = ids().await;
    assert_eq!(second.len(), 3);
    assert!(second.iter().all(|id| announced.contains(id) && !first.contains(id)));
}

#[tokio::test]
async fn pages_are_framed_and_kept_by_nobody() {
    let world = World::new().await;
    for path in ["/sign-in", "/reset", "/oauth/authorize"] {
        let answer = world.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer", "{path}");
    }
}
