//! Passkeys: adding them, and signing in with them.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use store::{BuiltInRole, ClientKind};

use crate::authenticator::Authenticator;
use crate::browser::Browser;
use crate::own_pages::turn_two_step_on;
use crate::world::{Answer, PASSWORD, World, claims};

pub(crate) const SESSION: &str = "__Host-promenade";

/// What a page puts into its forms against other sites.
pub(crate) fn csrf(page: &Answer, action: &str) -> String {
    let form = page.form(action);
    form.fields.into_iter().find(|(name, _)| name == "csrf").unwrap().1
}

/// Asks for the options of a new passkey.
pub(crate) async fn begin_adding(browser: &mut Browser<'_>, name: &str, password: &str) -> Answer {
    let page = browser.get("/account/passkeys").await;
    let csrf = csrf(&page, "/account/passkeys/begin");
    let asked = json!({"csrf": csrf, "name": name, "password": password});
    browser.post_json("/account/passkeys/begin", &asked).await
}

/// Adds the passkey of a device.
pub(crate) async fn add(browser: &mut Browser<'_>, device: &mut Authenticator, name: &str) -> Answer {
    let begun = begin_adding(browser, name, PASSWORD).await;
    begun.assert_ok();
    let begun = begun.json();
    let credential = device.create(&begun["publicKey"]);
    finish_adding(browser, &begun, &credential).await
}

pub(crate) async fn finish_adding(browser: &mut Browser<'_>, begun: &Value, credential: &Value) -> Answer {
    let page = browser.get("/account/passkeys").await;
    let csrf = csrf(&page, "/account/passkeys/begin");
    let made = json!({"csrf": csrf, "ceremony": begun["ceremony"], "credential": credential});
    browser.post_json("/account/passkeys/finish", &made).await
}

/// Asks for the options of a sign-in that leads on to `next`.
pub(crate) async fn begin(browser: &mut Browser<'_>, next: &str) -> Value {
    let page = browser.get("/sign-in?again=1").await;
    let csrf = csrf(&page, "/sign-in/passkey/begin");
    let begun = browser.post_json("/sign-in/passkey/begin", &json!({"csrf": csrf, "next": next})).await;
    begun.assert_ok();
    begun.json()
}

pub(crate) async fn finish(browser: &mut Browser<'_>, begun: &Value, credential: &Value) -> Answer {
    let page = browser.get("/sign-in?again=1").await;
    let csrf = csrf(&page, "/sign-in/passkey/begin");
    let shown = json!({"csrf": csrf, "ceremony": begun["ceremony"], "credential": credential});
    browser.post_json("/sign-in/passkey/finish", &shown).await
}

/// Signs in with a device.
pub(crate) async fn sign_in(browser: &mut Browser<'_>, device: &mut Authenticator) -> Answer {
    let begun = begin(browser, "/account").await;
    let credential = device.get(&begun["publicKey"]);
    finish(browser, &begun, &credential).await
}

/// Refused, and nobody is signed in.
#[track_caller]
pub(crate) fn assert_refused(browser: &Browser<'_>, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!(answer.field("error"), "bad_passkey");
    assert!(!browser.cookies.contains_key(SESSION), "nobody is signed in");
}

/// Ann, and her phone with a passkey.
pub(crate) async fn ann(world: &World) -> Authenticator {
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mut browser = Browser::signed_in(world, "ann@example.com").await;
    let mut device = Authenticator::new();
    let added = add(&mut browser, &mut device, "Phone <1>").await;
    added.assert_ok();
    assert_eq!(added.field("next"), "/account/passkeys");
    device
}

#[tokio::test]
async fn a_passkey_is_added_and_signs_in() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let app = world.app(ClientKind::Confidential).await;
    let next = app.authorize(&[]);

    let mut browser = Browser::new(&world);
    browser.cookies.insert(SESSION.to_owned(), "bs_planted".to_owned());
    let begun = begin(&mut browser, &next).await;
    assert_eq!(begun["publicKey"]["rpId"], "id.example");
    assert_eq!(begun["publicKey"]["userVerification"], "required");
    assert!(begun.get("mediation").is_none(), "a button, and no list of the browser");
    let credential = device.get(&begun["publicKey"]);
    let answer = finish(&mut browser, &begun, &credential).await;
    answer.assert_ok();
    assert_eq!(answer.field("next"), next);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_ne!(browser.cookies[SESSION], "bs_planted", "a new secret");

    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let id_token = claims(&tokens.field("id_token"));
    assert_eq!(id_token["amr"], json!(["pop", "user", "mfa"]));
    assert_eq!(id_token["auth_time"], world.now().0 / 1_000);

    let page = browser.get("/account/passkeys").await;
    assert!(
        page.text.contains("Phone &lt;1&gt;") && page.text.contains("Last used 2 March 2026"),
        "{page:?}"
    );
    let activity = browser.get("/account/activity").await.text;
    assert!(activity.contains("Added a passkey: Phone &lt;1&gt;"), "{activity}");
    let mails = world.mails("ann@example.com").await;
    assert_eq!(mails.len(), 1, "of the new passkey, and not of the sign-in: {mails:#?}");
    assert!(mails[0].contains("The passkey \"Phone <1>\" signs in to your account now."), "{mails:#?}");
}

#[tokio::test]
async fn options_of_a_new_passkey_ask_for_what_a_sign_in_needs() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let begun = begin_adding(&mut browser, "Again", PASSWORD).await.json();
    let options = &begun["publicKey"];
    assert_eq!(options["rp"], json!({"name": "Promenade", "id": "id.example"}));
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["requireResidentKey"], true);
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["excludeCredentials"].as_array().unwrap().len(), 1);
    // A browser that does not heed the list is not believed.
    let credential = device.create(options);
    let answer = finish_adding(&mut browser, &begun, &credential).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
}

#[tokio::test]
async fn a_passkey_is_both_factors() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    turn_two_step_on(&mut browser).await;
    let mut other = Browser::new(&world);
    sign_in(&mut other, &mut device).await.assert_ok();
    other.get("/account").await.assert_ok();
}

#[tokio::test]
async fn adding_and_removing_need_the_password() {
    let world = World::new().await;
    ann(&world).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let wrong = begin_adding(&mut browser, "Thief's", "wrong password").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.field("message"), "The current password is wrong.");
    for name in ["", "  ", &"x".repeat(201)] {
        let wrong = begin_adding(&mut browser, name, PASSWORD).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
    }
    let page = browser.get("/account/passkeys").await;
    let form = page.form("/account/passkeys/remove");
    let wrong = browser.submit(&form, &[("password", "wrong password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = page.form("/account/passkeys/rename");
    browser.submit(&form, &[("name", "Old phone")]).await.location();
    let page = browser.get("/account/passkeys").await;
    assert!(page.text.contains("<strong>Old phone</strong>"), "{page:?}");
    let activity = browser.get("/account/activity").await.text;
    assert!(activity.contains("Renamed a passkey: Old phone"), "{activity}");
}

#[tokio::test]
async fn a_passkey_that_several_devices_share_does_not_count() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let mut device = Authenticator::new();
    device.syncs = true;
    add(&mut browser, &mut device, "Cloud").await.assert_ok();
    for _ in 0..2 {
        sign_in(&mut Browser::new(&world), &mut device).await.assert_ok();
    }
    // One that was never shared and all at once is, is another one.
    let mut alone = Authenticator::new();
    add(&mut browser, &mut alone, "Key").await.assert_ok();
    alone.syncs = true;
    let mut browser = Browser::new(&world);
    let answer = sign_in(&mut browser, &mut alone).await;
    assert_refused(&browser, &answer);
}

#[tokio::test]
async fn the_script_posts_json_of_our_own_pages_only() {
    let world = World::new().await;
    ann(&world).await;
    let mut browser = Browser::new(&world);
    let page = browser.get("/sign-in").await;
    let token = csrf(&page, "/sign-in/passkey/begin");
    let path = "/sign-in/passkey/begin";
    let of_another = csrf(&Browser::new(&world).get("/sign-in").await, path);
    for body in [json!({"next": "/account"}), json!({"next": "/account", "csrf": of_another})] {
        let answer = browser.post_json(path, &body).await;
        assert_eq!((answer.status.as_u16(), answer.field("error").as_str()), (403, "forged_form"), "{body}");
    }
    let form = [("csrf", token.as_str()), ("next", "/account")];
    assert_eq!(browser.post(path, &form).await.status.as_u16(), 403, "a form is no JSON");
    for body in [json!({"csrf": token}), json!({"csrf": token, "next": "/account", "more": 1})] {
        let answer = browser.post_json(path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.field("error").as_str()),
            (400, "unreadable_form"),
            "{body}"
        );
    }
    let nobody = json!({"csrf": token, "name": "x", "password": PASSWORD});
    let answer = browser.post_json("/account/passkeys/begin", &nobody).await;
    assert_eq!((answer.status.as_u16(), answer.field("error").as_str()), (401, "sign_in_first"));
}

#[tokio::test]
async fn only_the_pages_of_passkeys_may_run_a_script() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::new(&world);
    let page = browser.get("/sign-in").await;
    assert!(page.header("content-security-policy").contains("; script-src 'self'; connect-src 'self'"));
    assert!(page.text.contains("<div id=\"passkey\" hidden"), "a browser without scripts shows no button");
    assert!(page.text.contains("id=\"passkey-sign-in\""), "{page:?}");
    browser.sign_in("ann@example.com", PASSWORD).await;
    let page = browser.get("/account/passkeys").await;
    assert!(page.header("content-security-policy").contains("; script-src 'self'; connect-src 'self'"));
    assert!(page.text.contains("id=\"add-passkey\""), "{page:?}");
    let page = browser.get("/account").await;
    assert!(!page.header("content-security-policy").contains("script-src"));
    let script = browser.get("/identity/passkey.js").await;
    assert_eq!(script.header(header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(script.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn a_server_without_a_name_has_no_passkeys() {
    let world = World::with(|config| config.issuer = Some("http://127.0.0.1:8080".to_owned())).await;
    let page = world.get("/sign-in").await;
    assert!(!page.text.contains("passkey") && !page.header("content-security-policy").contains("script-src"));
}
