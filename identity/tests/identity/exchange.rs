//! Codes for tokens: once, by whoever asked, with the proof.

use identity::Audience;
use store::{BuiltInRole, ClientKind};

use crate::browser::Browser;
use crate::world::{MINUTE, REDIRECT, VERIFIER, World};

async fn world_with_ann() -> World {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    world
}

#[tokio::test]
async fn a_code_that_comes_again_ends_what_it_led_to() {
    let world = world_with_ann().await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let app = world.app(kind).await;
        let code = browser.code(&app).await;
        let tokens = world.exchange(&app, &code).await;
        let access = tokens.field("access_token");
        world.identity.check(&access, Audience::Api).await.unwrap();
        world.exchange(&app, &code).await.assert_refused(400, "invalid_grant");
        world.refresh(&app, &tokens.field("refresh_token")).await.assert_refused(400, "invalid_grant");
        world.identity.check(&access, Audience::Api).await.unwrap_err();
    }
}

#[tokio::test]
async fn of_two_exchanges_at_once_one_gets_tokens_at_most() {
    let world = world_with_ann().await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let (one, two) = tokio::join!(world.exchange(&app, &code), world.exchange(&app, &code));
    let good: Vec<_> = [&one, &two].into_iter().filter(|answer| answer.status.is_success()).collect();
    assert!(good.len() <= 1, "{one:?} {two:?}");
    // The second one showed that two have the code, so what the first one got is worth nothing either.
    for answer in good {
        world.identity.check(&answer.field("access_token"), Audience::Api).await.unwrap_err();
        world.refresh(&app, &answer.field("refresh_token")).await.assert_refused(400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let world = world_with_ann().await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    world.pass(MINUTE);
    world.exchange(&app, &code).await.assert_refused(400, "invalid_grant");
}

#[tokio::test]
async fn the_proof_must_be_the_one_that_was_announced() {
    let world = world_with_ann().await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let app = world.app(ClientKind::Confidential).await;
    let none: &[(&str, Option<&str>)] = &[("code_challenge", None), ("code_challenge_method", None)];
    let wrong = "x".repeat(43);
    for (asked, verifier, why) in [
        (&[][..], None, "missing"),
        (&[][..], Some(wrong.as_str()), "wrong"),
        (&[][..], Some(""), "empty is missing"),
        (none, Some(VERIFIER), "unasked"),
    ] {
        let code = browser.authorize(&app, asked).await.parameter("code").unwrap();
        let form =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
        let mut form = form.to_vec();
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let answer = world.token(&app, &form).await;
        assert_eq!(
            (answer.status.as_u16(), answer.field("error")),
            (400, "invalid_grant".to_owned()),
            "{why}"
        );
    }
    let code = browser.authorize(&app, none).await.parameter("code").unwrap();
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
    world.token(&app, &form).await.assert_ok();
}

#[tokio::test]
async fn a_code_belongs_to_its_client_and_its_address() {
    let world = world_with_ann().await;
    let (app, other) = (world.app(ClientKind::Confidential).await, world.app(ClientKind::Confidential).await);
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    world.exchange(&other, &code).await.assert_refused(400, "invalid_grant");
    world.exchange(&app, &code).await.assert_ok();

    for redirect_uri in ["https://app.example/other", ""] {
        let code = browser.code(&app).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        world.token(&app, &form).await.assert_refused(400, "invalid_grant");
    }
    world.exchange(&app, "ac_nothing").await.assert_refused(400, "invalid_grant");
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let world = world_with_ann().await;
    let app = world.app(ClientKind::Confidential).await;
    let password = [("grant_type", "password"), ("username", "ann@example.com"), ("password", "x")];
    world.token(&app, &password).await.assert_refused(400, "unsupported_grant_type");
    let bearer = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "x")];
    world.token(&app, &bearer).await.assert_refused(400, "unsupported_grant_type");
    world.token(&app, &[("grant_type", "implicit")]).await.assert_refused(400, "unsupported_grant_type");
    world.token(&app, &[]).await.assert_refused(400, "invalid_request");
    assert_eq!((world.refusals("unsupported_grant_type"), world.refusals("invalid_request")), (3, 1));
    let twice = [("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")];
    world.token(&app, &twice).await.assert_refused(400, "invalid_request");
    assert_eq!(world.get("/oauth/token?grant_type=refresh_token").await.status.as_u16(), 405);
    let limited = world.app_with(ClientKind::Confidential, |settings| settings.grants.clear()).await;
    let form = [("grant_type", "client_credentials")];
    world.token(&limited, &form).await.assert_refused(400, "unauthorized_client");
}
