//! Linking other providers to an account, and what becomes of an account that signs in by one.

use axum::http::StatusCode;
use serde_json::json;

use crate::browser::Browser;
use crate::own_pages::{code_at, turn_two_step_on};
use crate::provider::callback;
use crate::upstream::{SESSION, assert_refused, go, world};
use crate::world::{MINUTE, PASSWORD};

#[tokio::test]
async fn an_address_links_nobody() {
    let (world, provider) = world(|_| {}).await;
    let ann = world.account("Ann@example.com").await;
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
    assert_refused(&browser, &answer, "provider_email_taken");
    assert!(answer.text.contains("sign in to it another way"), "{answer:?}");
    assert_eq!(world.store.identities(ann.id).await.unwrap(), []);

    // Linked on the account page, with the password, it is the same account.
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account/providers").await.form("/account/providers/link");
    let wrong = browser.submit(&form, &[("password", "wrong password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let location = browser.submit(&form, &[("password", PASSWORD)]).await.location().to_owned();
    let query = provider.approve(&world, &location, &json!({}));
    assert_eq!(browser.get(&callback("work", &query)).await.location(), "/account/providers");
    let page = browser.get("/account/providers").await;
    assert!(page.text.contains("The &lt;work&gt;") && page.text.contains("ann@example.com"), "{page:?}");
    let mails = world.mails("Ann@example.com").await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("signs in with your account at The <work>"), "{mails:#?}");
    let mut other = Browser::new(&world);
    assert_eq!(go(&mut other, &provider, "/sign-in", &json!({})).await.location(), "/account");
    let activity = other.get("/account/activity").await.text;
    assert!(activity.contains("Linked another way to sign in: The &lt;work&gt;"), "{activity}");

    // Nobody else can link it too.
    world.account("eve@example.com").await;
    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let form = eve.get("/account/providers").await.form("/account/providers/link");
    let location = eve.submit(&form, &[("password", PASSWORD)]).await.location().to_owned();
    let query = provider.approve(&world, &location, &json!({}));
    let answer = eve.get(&callback("work", &query)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert_eq!(world.refusals("provider_linked_already"), 1);

    let form = browser.get("/account/providers").await.form("/account/providers/unlink");
    let wrong = browser.submit(&form, &[("password", "wrong password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.submit(&form, &[("password", PASSWORD)]).await.location(), "/account/providers");
    assert_eq!(world.store.identities(ann.id).await.unwrap(), []);
}

#[tokio::test]
async fn a_link_is_of_whoever_began_it() {
    let (world, provider) = world(|_| {}).await;
    let ann = world.account("ann@example.com").await;
    let eve = world.account("eve@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account/providers").await.form("/account/providers/link");
    let location = browser.submit(&form, &[("password", PASSWORD)]).await.location().to_owned();
    let query = provider.approve(&world, &location, &json!({"sub": "eve"}));
    browser.sign_in("eve@example.com", PASSWORD).await;
    let answer = browser.get(&callback("work", &query)).await;
    assert!(answer.location().starts_with("/sign-in"), "{answer:?}");
    for account in [ann.id, eve.id] {
        assert_eq!(world.store.identities(account).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_last_way_in_stays_and_who_has_no_password_signs_in_anew() {
    let (world, provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    let fresh = json!({"auth_time": world.now().second()});
    go(&mut browser, &provider, "/sign-in", &fresh).await.location();
    let form = browser.get("/account/providers").await.form("/account/providers/unlink");
    let last = browser.submit(&form, &[]).await;
    assert_eq!(last.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(last.text.contains("the last way to sign in"), "{last:?}");
    // A password is another one; who has none shows lately who they are.
    world.pass(11 * MINUTE);
    let set = browser.get("/account/password").await.form("/account/password");
    assert!(set.fields.iter().all(|(name, _)| name != "password"), "{set:?}");
    let late = browser.submit(&set, &[("new_password", "another horse battery")]).await;
    assert!(late.text.contains("ten minutes after you signed in"), "{late:?}");
    let fresh = json!({"auth_time": world.now().second()});
    go(&mut browser, &provider, "/sign-in?again=1", &fresh).await.location();
    let set = browser.get("/account/password").await.form("/account/password");
    browser.submit(&set, &[("new_password", "another horse battery")]).await.location();
    let form = browser.get("/account/providers").await.form("/account/providers/unlink");
    let answer = browser.submit(&form, &[("password", "another horse battery")]).await;
    assert_eq!(answer.location(), "/account/providers");
}

#[tokio::test]
async fn the_second_step_is_asked_for_here_too() {
    let (world, provider) = world(|_| {}).await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (secret, _) = turn_two_step_on(&mut browser).await;
    let form = browser.get("/account/providers").await.form("/account/providers/link");
    let location = browser.submit(&form, &[("password", PASSWORD)]).await.location().to_owned();
    let query = provider.approve(&world, &location, &json!({}));
    browser.get(&callback("work", &query)).await.location();
    world.pass(MINUTE);
    let mut other = Browser::new(&world);
    let page = go(&mut other, &provider, "/sign-in", &json!({})).await;
    let form = page.form("/sign-in/code");
    assert!(!other.cookies.contains_key(SESSION), "the provider alone signs nobody in");
    let code = code_at(&secret, world.now());
    assert_eq!(other.submit(&form, &[("code", &code)]).await.location(), "/account");
}

#[tokio::test]
async fn who_verifies_an_address_learns_who_else_gets_in() {
    let (world, provider) = world(|_| {}).await;
    // Eve makes an account with Ann's address.
    let said = json!({"sub": "eve", "email_verified": false});
    go(&mut Browser::new(&world), &provider, "/sign-up", &said).await.assert_ok();
    let mail = world.mails("ann@example.com").await.concat();
    assert!(
        mail.contains("signs in to this account with The <work>") && mail.contains("do not go on"),
        "{mail}"
    );
    let link = world.link("ann@example.com", "/verify").await;
    let page = world.get(&link).await;
    assert!(page.text.contains("signs in to this account with The &lt;work&gt;"), "{page:?}");

    // The same with an address that an account is to have from now on.
    let ben = json!({"sub": "ben", "email": "ben@example.com", "auth_time": world.now().second()});
    let mut browser = Browser::new(&world);
    go(&mut browser, &provider, "/sign-up", &ben).await.location();
    let form = browser.get("/account").await.form("/account/email");
    browser.submit(&form, &[("new_email", "cleo@example.com")]).await.assert_ok();
    let mail = world.mails("cleo@example.com").await.concat();
    assert!(mail.contains("signs in to this account with The <work>"), "{mail}");

    // Who has a password is asked for it.
    world.account("dora@example.com").await;
    let mut browser = Browser::signed_in(&world, "dora@example.com").await;
    let form = browser.get("/account").await.form("/account/email");
    browser.submit(&form, &[("new_email", "d@example.com"), ("password", PASSWORD)]).await.assert_ok();
    let mail = world.mails("d@example.com").await.concat();
    assert!(mail.contains("/verify?token=") && !mail.contains("signs in"), "{mail}");
}

#[tokio::test]
async fn a_provider_that_only_knew_the_browser_again_confirms_nothing() {
    let (world, provider) = world(|_| {}).await;
    for said in [json!({}), json!({"auth_time": "now"}), json!({"auth_time": world.now().second() - 300})] {
        let mut browser = Browser::new(&world);
        go(&mut browser, &provider, "/sign-in", &said).await.location();
        let page = browser.get("/account/password").await;
        assert!(page.text.contains("did not say that it asked you"), "{said}: {page:?}");
        let set = page.form("/account/password");
        let answer = browser.submit(&set, &[("new_password", "another horse battery")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{said}: {answer:?}");
    }
}

#[tokio::test]
async fn a_provider_that_was_to_ask_anew_has_to() {
    let (world, provider) = world(|_| {}).await;
    let at = |ago: i64| json!({"auth_time": world.now().second() - ago});
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in?again=1", &at(301)).await;
    assert_refused(&browser, &answer, "provider_stale");
    assert!(answer.text.contains("did not ask you anew"), "{answer:?}");
    go(&mut browser, &provider, "/sign-in", &at(301)).await.location();
    go(&mut browser, &provider, "/sign-in?again=1", &at(200)).await.location();
    let set = browser.get("/account/password").await.form("/account/password");
    browser.submit(&set, &[("new_password", "another horse battery")]).await.location();
}
