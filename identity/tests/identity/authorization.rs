//! Requests that must not get anywhere.

use store::{BuiltInRole, ClientKind, GrantType};

use crate::browser::Browser;
use crate::world::{CHALLENGE, REDIRECT, World};

/// Refused on a page, and nothing is sent to where the request wanted it.
async fn assert_page(browser: &mut Browser<'_>, path: &str) {
    let answer = browser.get(path).await;
    assert_eq!(answer.status.as_u16(), 400, "{path}: {answer:?}");
    assert!(answer.header("location").is_empty());
}

#[tokio::test]
async fn a_redirect_is_compared_letter_by_letter() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    for kind in [ClientKind::Confidential, ClientKind::Public] {
        let app = world.app(kind).await;
        for wrong in [
            "https://app.example@evil.example/cb",
            "https://user@app.example/cb",
            "https://app.example.evil.example/cb",
            "https://app.example/cb/",
            "https://app.example/cb/..",
            "https://app.example/cb?x=1",
            "https://app.example/cb?",
            "https://app.example/CB",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "http://app.example/cb",
            "https://app.example:443/cb",
            "https://app.example/cb#f",
            "https://app.example/%63b",
            "https://app.example\\@evil.example/cb",
            "https://evil.example/cb",
            "//app.example/cb",
            "javascript:alert(1)",
        ] {
            assert_page(&mut browser, &app.authorize(&[("redirect_uri", Some(wrong))])).await;
        }
        assert_page(&mut browser, &app.authorize(&[("redirect_uri", None)])).await;
        browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    }
}

#[tokio::test]
async fn only_the_loopback_port_of_a_public_client_is_free() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let loopback = |settings: &mut store::ClientSettings| {
        settings.redirect_uris = vec!["http://127.0.0.1:1234/cb".to_owned()];
    };
    let public = world.app_with(ClientKind::Public, loopback).await;
    browser
        .get(&public.authorize(&[("redirect_uri", Some("http://127.0.0.1:60000/cb"))]))
        .await
        .form("/oauth/consent");
    for wrong in [
        "http://127.0.0.1:60000/other",
        "http://localhost:1234/cb",
        "http://127.0.0.1:60000@evil.example/cb",
        "http://127.0.0.1.evil.example:1234/cb",
        "https://127.0.0.1:1234/cb",
        "http://[::1]:1234/cb",
    ] {
        assert_page(&mut browser, &public.authorize(&[("redirect_uri", Some(wrong))])).await;
    }
    let server = world.app_with(ClientKind::Confidential, loopback).await;
    let other_port = [("redirect_uri", Some("http://127.0.0.1:60000/cb"))];
    assert_page(&mut browser, &server.authorize(&other_port)).await;
}

#[tokio::test]
async fn an_unknown_or_disabled_client_gets_a_page() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::new(&world);
    for wrong in [None, Some("nobody"), Some("01890000-0000-7000-8000-000000000000")] {
        assert_page(&mut browser, &app.authorize(&[("client_id", wrong)])).await;
    }
    world.store.disable_client(world.organization, app.id, world.now()).await.unwrap();
    assert_page(&mut browser, &app.authorize(&[])).await;
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let app = world.app(ClientKind::Confidential).await;
    let usual = app.authorize(&[]);
    for twice in ["scope=openid", "nonce=other", "unknown=1&unknown=2", "state=other", "code_challenge="] {
        let answer = browser.get(&format!("{usual}&{twice}")).await;
        assert!(answer.location().starts_with(REDIRECT), "{twice}");
        assert_eq!(answer.parameter("error").as_deref(), Some("invalid_request"), "{twice}");
        let state = answer.parameter("state");
        assert_eq!(state.is_none(), twice.starts_with("state"), "one of two states would be a guess");
    }
    for twice in [format!("client_id={}", app.id), format!("redirect_uri={REDIRECT}")] {
        assert_page(&mut browser, &format!("{usual}&{twice}")).await;
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_asked_for() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let app = world.app(ClientKind::Confidential).await;
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", Some("id_token token"), "unsupported_response_type"),
        ("response_type", Some("code id_token"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("scope", Some("openid phone"), "invalid_scope"),
        ("scope", Some("openid admin"), "invalid_scope"),
        ("resource", Some("https://id.example/mqtt"), "invalid_target"),
        ("resource", Some("https://evil.example/api"), "invalid_target"),
        ("request", Some("eyJ"), "request_not_supported"),
        ("request_uri", Some("https://app.example/r"), "request_uri_not_supported"),
        ("prompt", Some("none login"), "invalid_request"),
        ("prompt", Some("create"), "invalid_request"),
        ("max_age", Some("-1"), "invalid_request"),
    ] {
        let answer = browser.get(&app.authorize(&[(name, value)])).await;
        assert_eq!(answer.parameter("error").as_deref(), Some(error), "{name}={value:?}");
        assert_eq!(answer.parameter("code"), None);
        assert_eq!(answer.parameter("state").as_deref(), Some("st&te"));
    }
    let without_codes = |settings: &mut store::ClientSettings| {
        settings.grants.retain(|grant| *grant != GrantType::AuthorizationCode);
    };
    let kiosk = world.app_with(ClientKind::Public, without_codes).await;
    let answer = browser.get(&kiosk.authorize(&[])).await;
    assert_eq!(answer.parameter("error").as_deref(), Some("unauthorized_client"));
}

#[tokio::test]
async fn pkce_is_s256_or_nothing_and_nothing_is_not_for_public_clients() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (public, server) = (world.app(ClientKind::Public).await, world.app(ClientKind::Confidential).await);
    let missing = [("code_challenge", None), ("code_challenge_method", None)];
    let answer = browser.get(&public.authorize(&missing)).await;
    assert_eq!(answer.parameter("error").as_deref(), Some("invalid_request"));
    browser.get(&server.authorize(&missing)).await.form("/oauth/consent");
    for app in [&public, &server] {
        for changes in [
            [("code_challenge", Some(CHALLENGE)), ("code_challenge_method", Some("plain"))],
            [("code_challenge", Some(CHALLENGE)), ("code_challenge_method", None)],
            [("code_challenge", None), ("code_challenge_method", Some("S256"))],
            [("code_challenge", Some("short")), ("code_challenge_method", Some("S256"))],
        ] {
            let answer = browser.get(&app.authorize(&changes)).await;
            assert_eq!(answer.parameter("error").as_deref(), Some("invalid_request"), "{changes:?}");
        }
    }
}
