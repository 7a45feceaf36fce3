//! What does not sign in by another provider.

use axum::http::StatusCode;
use identity::{ProviderConfig, ProviderKind};
use serde_json::json;
use store::Page;

use crate::browser::Browser;
use crate::provider::{Provider, callback, parameters};
use crate::upstream::{SESSION, assert_refused, go, leave, world};
use crate::world::{MINUTE, PASSWORD, World, encoded};

#[tokio::test]
async fn an_answer_is_of_its_browser_and_counts_once() {
    let (world, provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    for query in ["", "code=x", "state=us_wrong&code=x", "state=&code=x"] {
        let answer = browser.get(&callback("work", query)).await;
        assert_refused(&browser, &answer, "provider_state");
    }
    let location = leave(&mut browser, "/sign-in", "work").await;
    let query = provider.approve(&world, &location, &json!({}));
    // Somebody sends a victim the answer that was for themselves.
    let mut victim = Browser::new(&world);
    victim.get("/sign-in").await;
    let answer = victim.get(&callback("work", &query)).await;
    assert_refused(&victim, &answer, "provider_state");
    let twice = browser.get(&callback("work", &format!("{query}&state=us_other"))).await;
    assert_refused(&browser, &twice, "provider_state");
    assert_eq!(browser.get(&callback("work", &query)).await.location(), "/account");
    browser.cookies.remove(SESSION);
    let again = browser.get(&callback("work", &query)).await;
    assert_refused(&browser, &again, "provider_state");
    assert_eq!(provider.times_asked("/token"), 1, "the code was not sent again");

    let location = leave(&mut browser, "/sign-in", "work").await;
    let query = provider.approve(&world, &location, &json!({}));
    world.pass(10 * MINUTE);
    let late = browser.get(&callback("work", &query)).await;
    assert_refused(&browser, &late, "provider_state");
    assert_eq!(browser.get(&callback("nobody", &query)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_other_site_begins_a_sign_in() {
    let (world, _provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    let path = "/identity/providers/work";
    assert_eq!(browser.post(path, &[("next", "/account")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let of_another = Browser::new(&world).get("/sign-in").await.form(path);
    assert_eq!(browser.submit(&of_another, &[]).await.status, StatusCode::FORBIDDEN);
    let form = browser.get("/sign-in").await.form(path);
    let away = browser.submit(&form, &[("next", "https://evil.example/")]).await;
    assert_eq!(parameters(away.location())["redirect_uri"], crate::provider::redirect_uri("work"));
}

#[tokio::test]
async fn the_answer_of_one_provider_is_not_taken_for_anothers() {
    let (evil, honest) = (Provider::start().await, Provider::start().await);
    let world = World::with(|config| {
        config.allow_private_addresses = true;
        config.provider = vec![evil.oidc("evil"), honest.oidc("honest")];
    })
    .await;
    // The browser believes to go to one and is led to the other, whose code is brought to the first (RFC 9700 section 4.4).
    let mut browser = Browser::new(&world);
    let begun = leave(&mut browser, "/sign-in", "evil").await;
    let state = parameters(&begun)["state"].clone();
    let location = leave(&mut browser, "/sign-in", "honest").await;
    let query = honest.approve(&world, &location, &json!({}));
    let code = parameters(&format!("?{query}"))["code"].clone();
    // At the redirect URI of the other provider, whose state it is not.
    let answer = browser.get(&callback("evil", &query)).await;
    assert_refused(&browser, &answer, "provider_state");
    // With the state of the other, and the issuer of the honest one, of nobody, or none.
    for iss in [Some(honest.issuer.as_str()), Some("https://nobody.example"), None] {
        let begun = leave(&mut browser, "/sign-in", "evil").await;
        let state = parameters(&begun)["state"].clone();
        let mut pairs = vec![("code", code.as_str()), ("state", state.as_str())];
        pairs.extend(iss.map(|iss| ("iss", iss)));
        let answer = browser.get(&callback("evil", &encoded(&pairs))).await;
        assert_refused(&browser, &answer, "provider_issuer");
    }
    assert_eq!(evil.times_asked("/token"), 0, "the code was sent to nobody");
    // An error is of its provider too.
    let pairs = [("error", "access_denied"), ("state", &state), ("iss", &honest.issuer)];
    let answer = browser.get(&callback("evil", &encoded(&pairs))).await;
    assert_refused(&browser, &answer, "provider_issuer");
    assert_eq!(world.refusals("provider_denied"), 0);
    assert_eq!(browser.get(&callback("honest", &query)).await.location(), "/account", "nothing was used up");
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_in_words_of_ours() {
    let (world, provider) = world(|_| {}).await;
    let ann = world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let lengthy = "<script>".repeat(100);
    for (error, cause) in [("access_denied", "provider_denied"), (lengthy.as_str(), "provider_error")] {
        let location = leave(&mut browser, "/sign-in?again=1", "work").await;
        let state = parameters(&location)["state"].clone();
        let pairs =
            [("error", error), ("error_description", &lengthy), ("state", &state), ("iss", &provider.issuer)];
        let answer = browser.get(&callback("work", &encoded(&pairs))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.text.contains("script"), "{answer:?}");
        assert_eq!(world.refusals(cause), 1, "{answer:?}");
    }
    // A code that the provider does not know.
    let location = leave(&mut browser, "/sign-in?again=1", "work").await;
    let state = parameters(&location)["state"].clone();
    let pairs = [("code", "unknown"), ("state", &state), ("iss", &provider.issuer)];
    let answer = browser.get(&callback("work", &encoded(&pairs))).await;
    assert!(!answer.text.contains("script"), "{answer:?}");
    assert_eq!(world.refusals("provider_exchange"), 1);
    let log = world.store.audit_of_account(ann.id, Page { cursor: None, limit: 50 }).await.unwrap();
    let causes = log.items.iter().filter(|entry| entry.what == "provider_refused");
    let mut causes: Vec<_> = causes.map(|entry| entry.detail["cause"].as_str().unwrap().to_owned()).collect();
    causes.sort();
    assert_eq!(causes, ["provider_denied", "provider_error", "provider_exchange"]);
}

#[tokio::test]
async fn the_log_is_not_filled_with_answers_that_somebody_makes_up() {
    let (world, _provider) = world(|_| {}).await;
    let ann = world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    for _ in 0..30 {
        browser.get(&callback("work", "state=us_x&code=x")).await;
    }
    let log = world.store.audit_of_account(ann.id, Page { cursor: None, limit: 50 }).await.unwrap();
    assert_eq!(log.items.iter().filter(|entry| entry.what == "provider_refused").count(), 10);
    assert_eq!(world.refusals("provider_state"), 30, "they are counted nevertheless");
}

#[tokio::test]
async fn metadata_is_of_its_issuer_and_no_redirect_is_followed() {
    let (world, provider) = world(|_| {}).await;
    let other = Provider::start().await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-in").await.form("/identity/providers/work");
    provider.shared().metadata["issuer"] = json!(other.issuer);
    let answer = browser.submit(&form, &[]).await;
    assert_refused(&browser, &answer, "provider_metadata");
    world.pass(MINUTE);
    provider.shared().redirects = Some(format!("{}/.well-known/openid-configuration", other.issuer));
    let answer = browser.submit(&form, &[]).await;
    assert_refused(&browser, &answer, "provider_unreachable");
    assert_eq!(other.shared().asked.len(), 0, "nobody went there");
    // For a moment it is left alone.
    let asked = provider.shared().asked.len();
    browser.submit(&form, &[]).await;
    assert_eq!(provider.shared().asked.len(), asked);
}

#[tokio::test]
async fn a_large_answer_is_not_read() {
    let (world, provider) = world(|_| {}).await;
    provider.shared().metadata["odd"] = json!("x".repeat(300 * 1024));
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-in").await.form("/identity/providers/work");
    let answer = browser.submit(&form, &[]).await;
    assert_refused(&browser, &answer, "provider_unreachable");
}

#[tokio::test]
async fn a_private_address_is_not_called() {
    let provider = Provider::start().await;
    let https = provider.issuer.replace("http://", "https://");
    let world = World::with(|config| {
        config.provider = vec![ProviderConfig { issuer: Some(https), ..provider.oidc("work") }];
    })
    .await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-in").await.form("/identity/providers/work");
    let answer = browser.submit(&form, &[]).await;
    assert_refused(&browser, &answer, "provider_unreachable");
    assert_eq!(provider.shared().asked.len(), 0);
}

#[tokio::test]
async fn who_reads_the_mail_of_an_address_ends_what_was_linked_before() {
    let (world, provider) = world(|_| {}).await;
    // Eve has an account at a provider that does not verify addresses, with the address of Ann.
    let unverified = json!({"sub": "eve", "email_verified": false});
    let mut eve = Browser::new(&world);
    go(&mut eve, &provider, "/sign-up", &unverified).await.assert_ok();
    // Ann finds that there is an account, and sets a password with the link that is mailed to her.
    let mut ann = Browser::new(&world);
    let form = ann.get("/reset").await.form("/reset");
    ann.submit(&form, &[("email", "ann@example.com")]).await.assert_ok();
    let link = world.link("ann@example.com", "/reset/password").await;
    let form = ann.get(&link).await.form("/reset/password");
    ann.submit(&form, &[("new_password", PASSWORD)]).await.assert_ok();
    assert_eq!(ann.sign_in("ann@example.com", PASSWORD).await.location(), "/account");
    let answer = go(&mut eve, &provider, "/sign-in", &unverified).await;
    assert_refused(&eve, &answer, "provider_email_taken");
}

#[tokio::test]
async fn a_form_may_lead_to_a_provider_where_there_is_one() {
    let (world, _provider) = world(|_| {}).await;
    for page in ["/sign-in", "/sign-up"] {
        let answer = world.get(page).await;
        assert!(answer.text.contains("Continue with The &lt;work&gt;"), "{answer:?}");
        assert!(!answer.header("content-security-policy").contains("form-action"), "{page}");
    }
    let plain = World::new().await;
    let answer = plain.get("/sign-up").await;
    assert!(answer.header("content-security-policy").contains("form-action 'self'"));
    assert!(!answer.text.contains("Continue with"));
}

#[tokio::test]
async fn google_is_asked_at_its_own_address() {
    let google =
        ProviderConfig { issuer: None, kind: ProviderKind::Google, ..Provider::start().await.oidc("g") };
    let world = World::with(|config| config.provider = vec![google]).await;
    assert!(world.get("/sign-in").await.text.contains("action=\"/identity/providers/g\""));
}

#[tokio::test]
async fn nobody_fills_the_database_with_sign_ins_by_a_provider() {
    let (world, provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-in").await.form("/identity/providers/work");
    let long = format!("/account?{}", "a".repeat(60_000));
    let location = browser.submit(&form, &[("next", &long)]).await.location().to_owned();
    let query = provider.approve(&world, &location, &json!({}));
    assert_eq!(browser.get(&callback("work", &query)).await.location(), "/account", "too long");
    let form = browser.get("/sign-in?again=1").await.form("/identity/providers/work");
    for _ in 1..60 {
        browser.submit(&form, &[]).await.location();
    }
    let answer = browser.submit(&form, &[]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    assert!(answer.text.contains("Wait ten minutes"), "{answer:?}");
    assert_eq!(world.refusals("too_many_sign_ins"), 1);
}
