//! The code flow from the first page to the last token.

use axum::http::header;
use identity::Audience;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;
use store::{Algorithm, BuiltInRole, ClientKind};

use crate::browser::Browser;
use crate::world::{ISSUER, NOW, PASSWORD, REDIRECT, World, claims};

#[tokio::test]
async fn a_person_signs_in_and_agrees_and_the_client_gets_tokens() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Analyst).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::new(&world);

    let first = browser.get(&app.authorize(&[])).await;
    let sign_in = browser.get(first.location()).await.form("/sign-in");
    let back = browser.submit(&sign_in, &[("email", "Ann@Example.com"), ("password", PASSWORD)]).await;
    let page = browser.get(back.location()).await;
    assert!(page.text.contains("Lamp &lt;app&gt;"), "the name of the client, escaped: {}", page.text);
    assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("form-action 'self' https://app.example"));
    let answer = browser.submit(&page.form("/oauth/consent"), &[("decision", "agree")]).await;
    assert!(answer.location().starts_with(REDIRECT));
    assert_eq!(answer.parameter("state").as_deref(), Some("st&te"));
    assert_eq!(answer.parameter("iss").as_deref(), Some(ISSUER), "RFC 9207");

    let tokens = world.exchange(&app, &answer.parameter("code").unwrap()).await;
    tokens.assert_ok();
    assert_eq!(tokens.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(tokens.header(header::PRAGMA), "no-cache");
    assert_eq!(tokens.field("token_type"), "Bearer");
    assert_eq!(tokens.json()["expires_in"], 3_600);
    assert_eq!(tokens.field("scope"), "openid email venues:read");

    let access = tokens.field("access_token");
    let bearer = world.identity.check(&access, Audience::Api).await.unwrap();
    assert_eq!((bearer.account, bearer.organization), (Some(ann.id), world.organization));
    assert_eq!(bearer.scopes.to_string(), "venues:read");
    assert_eq!(bearer.expires_at.0, NOW + 3_600_000);

    let id_token =
        verified(&world, &tokens.field("id_token"), jsonwebtoken::Algorithm::RS256, &app.id.to_string())
            .await;
    assert_eq!(id_token["sub"], ann.id.to_string());
    assert_eq!(id_token["nonce"], "n-1");
    assert_eq!(id_token["auth_time"], NOW / 1_000);
    assert_eq!(id_token["amr"], serde_json::json!(["pwd"]));
    assert_eq!(id_token["email"], "ann@example.com");
    assert_eq!(id_token["email_verified"], true);
    assert!(id_token.get("name").is_none(), "`profile` was not asked for");

    let userinfo = world.userinfo(&access).await.json();
    assert_eq!(userinfo["sub"], ann.id.to_string());
    assert_eq!(userinfo["email"], "ann@example.com");
}

/// The claims of an ID token, checked as a client does: with the key set alone.
async fn verified(world: &World, token: &str, algorithm: jsonwebtoken::Algorithm, client: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(world.get("/oauth/jwks").await.json()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.alg, algorithm);
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(algorithm);
    // The test's clock is not the library's.
    validation.validate_exp = false;
    validation.set_audience(&[client]);
    validation.set_issuer(&[ISSUER]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn id_tokens_are_signed_as_the_client_wants() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Analyst).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    for (wanted, expected) in [
        (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        (Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ] {
        let app =
            world.app_with(ClientKind::Confidential, |settings| settings.id_token_algorithm = wanted).await;
        let code = browser.code(&app).await;
        let tokens = world.exchange(&app, &code).await;
        verified(&world, &tokens.field("id_token"), expected, &app.id.to_string()).await;
    }
}

#[tokio::test]
async fn a_role_bounds_what_is_given_away_and_a_stranger_gives_away_nothing_of_an_organization() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Analyst).await;
    world.account("eve@example.com").await;
    let app = world.app(ClientKind::Confidential).await;
    let scope = [("scope", Some("openid venues:read commands:write"))];
    for (email, expected) in [("ann@example.com", "openid venues:read"), ("eve@example.com", "openid")] {
        let mut browser = Browser::signed_in(&world, email).await;
        let code = browser.authorize(&app, &scope).await.parameter("code").unwrap();
        assert_eq!(world.exchange(&app, &code).await.field("scope"), expected, "{email}");
    }
    let mut browser = Browser::signed_in(&world, "eve@example.com").await;
    let answer = browser.get(&app.authorize(&[("scope", Some("commands:write"))])).await;
    assert_eq!(answer.parameter("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn consent_is_asked_once_until_more_is_wanted() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    browser.code(&app).await;
    let again = browser.get(&app.authorize(&[])).await;
    assert!(again.parameter("code").is_some(), "agreed already");
    let forced = browser.get(&app.authorize(&[("prompt", Some("consent"))])).await;
    forced.form("/oauth/consent");
    let more = [("scope", Some("openid venues:read commands:write"))];
    browser.get(&app.authorize(&more)).await.form("/oauth/consent");
    let refused = [("scope", Some("openid commands:write")), ("prompt", Some("none"))];
    let refused = browser.get(&app.authorize(&refused)).await;
    assert_eq!(refused.parameter("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn each_api_has_a_link_of_its_own_that_is_agreed_to_once() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await;
    let apis = [format!("{ISSUER}/api/v1"), format!("{ISSUER}/mqtt")];
    let app = world.app_with(ClientKind::Confidential, |settings| settings.resources = apis.to_vec()).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    for api in &apis {
        browser.get(&app.authorize(&[("resource", Some(api))])).await.form("/oauth/consent");
        browser.authorize(&app, &[("resource", Some(api))]).await;
    }
    for api in &apis {
        let again = browser.get(&app.authorize(&[("resource", Some(api))])).await;
        assert!(again.parameter("code").is_some(), "{api}");
    }
    assert_eq!(world.store.grants_of(ann.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_that_anybody_can_pretend_to_be_is_asked_for_each_time() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world
        .app_with(ClientKind::Public, |settings| {
            settings.redirect_uris = vec!["http://127.0.0.1/cb".to_owned()];
        })
        .await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let to = [("redirect_uri", Some("http://127.0.0.1:49152/cb"))];
    assert!(browser.authorize(&app, &to).await.location().starts_with("http://127.0.0.1:49152/cb?code="));
    browser.get(&app.authorize(&to)).await.form("/oauth/consent");
}

#[tokio::test]
async fn prompts_are_heeded() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::new(&world);
    let answer = browser.get(&app.authorize(&[("prompt", Some("none"))])).await;
    assert_eq!(answer.parameter("error").as_deref(), Some("login_required"));
    assert_eq!(answer.parameter("iss").as_deref(), Some(ISSUER), "errors say who gives them, too");

    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    browser.code(&app).await;
    world.pass(100_000);
    for changes in
        [[("prompt", Some("login"))], [("prompt", Some("select_account"))], [("max_age", Some("99"))]]
    {
        let answer = browser.get(&app.authorize(&changes)).await;
        assert!(answer.location().starts_with("/sign-in?"), "{changes:?}");
        let page = browser.get(answer.location()).await;
        let form = page.form("/sign-in");
        let back = browser.submit(&form, &[("email", "ann@example.com"), ("password", PASSWORD)]).await;
        let code = browser.get(back.location()).await.parameter("code").expect("it does not go round");
        let auth_time = claims(&world.exchange(&app, &code).await.field("id_token"))["auth_time"].clone();
        assert_eq!(auth_time, world.now().second(), "{changes:?}");
        world.pass(100_000);
    }
    let answer = browser.get(&app.authorize(&[("max_age", Some("100"))])).await;
    assert!(answer.parameter("code").is_some(), "just fresh enough");
}

#[tokio::test]
async fn a_request_may_be_posted() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let id = app.id.to_string();
    let answer = world.post("/oauth/authorize", &[("client_id", &id), ("state", "a b")], None).await;
    assert_eq!(answer.location(), format!("/oauth/authorize?client_id={id}&state=a+b"));
}
