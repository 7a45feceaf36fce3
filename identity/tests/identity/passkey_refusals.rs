//! Passkeys that are refused, and what nobody may do with those of others.

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::Page;

use crate::authenticator::Authenticator;
use crate::browser::Browser;
use crate::passkeys::{
    SESSION, add, ann, assert_refused, begin, begin_adding, csrf, finish, finish_adding, sign_in,
};
use crate::world::{MINUTE, PASSWORD, World};

#[tokio::test]
async fn a_challenge_is_answered_once() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browser = Browser::new(&world);
    let begun = begin(&mut browser, "/account").await;
    let credential = device.get(&begun["publicKey"]);
    finish(&mut browser, &begun, &credential).await.assert_ok();
    browser.cookies.remove(SESSION);
    let again = finish(&mut browser, &begun, &credential).await;
    assert_refused(&browser, &again);
    // What was signed for one challenge is worth nothing for the next.
    let other = begin(&mut browser, "/account").await;
    let answer = finish(&mut browser, &other, &credential).await;
    assert_refused(&browser, &answer);
    // Nor does one wrong answer leave the challenge open for a right one.
    let right = device.get(&other["publicKey"]);
    let answer = finish(&mut browser, &other, &right).await;
    assert_refused(&browser, &answer);
}

#[tokio::test]
async fn a_challenge_is_of_its_browser_and_its_moment() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut one = Browser::new(&world);
    let mut two = Browser::new(&world);
    let begun = begin(&mut one, "/account").await;
    let credential = device.get(&begun["publicKey"]);
    let answer = finish(&mut two, &begun, &credential).await;
    assert_refused(&two, &answer);
    finish(&mut one, &begun, &credential).await.assert_ok();

    let begun = begin(&mut two, "/account").await;
    let credential = device.get(&begun["publicKey"]);
    world.pass(5 * MINUTE);
    let answer = finish(&mut two, &begun, &credential).await;
    assert_refused(&two, &answer);
    assert_eq!(world.refusals("bad_passkey"), 2);
}

#[tokio::test]
async fn a_challenge_is_for_one_thing_and_one_person() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    world.account("eve@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let begun = begin_adding(&mut browser, "Second", PASSWORD).await.json();
    let mut second = Authenticator::new();
    let credential = second.create(&begun["publicKey"]);
    // Somebody else signs in in the same browser before it is finished.
    browser.sign_in("eve@example.com", PASSWORD).await;
    let answer = finish_adding(&mut browser, &begun, &credential).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let page = browser.get("/account/passkeys").await;
    assert!(page.text.contains("You have none."), "{page:?}");

    // A challenge of a registration signs nobody in.
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let mut begun = begin_adding(&mut browser, "Second", PASSWORD).await.json();
    browser.cookies.remove(SESSION);
    begun["publicKey"]["rpId"] = json!("id.example");
    let credential = device.get(&begun["publicKey"]);
    let answer = finish(&mut browser, &begun, &credential).await;
    assert_refused(&browser, &answer);
}

#[tokio::test]
async fn what_the_device_says_is_checked() {
    let world = World::new().await;
    let device = ann(&world).await;
    let mut browser = Browser::new(&world);

    let mut phished = device;
    phished.origin = "https://id.example.evil.example".to_owned();
    let answer = sign_in(&mut browser, &mut phished).await;
    assert_refused(&browser, &answer);
    phished.origin = "https://id.example:8443".to_owned();
    let answer = sign_in(&mut browser, &mut phished).await;
    assert_refused(&browser, &answer);

    let mut unverified = phished;
    unverified.origin = crate::world::ISSUER.to_owned();
    unverified.verifies = false;
    let answer = sign_in(&mut browser, &mut unverified).await;
    assert_refused(&browser, &answer);
    unverified.verifies = true;

    // Another key under the same id, and the same key for somebody else.
    let mut forged = Authenticator::new();
    (forged.id, forged.handle) = (unverified.id.clone(), unverified.handle.clone());
    let answer = sign_in(&mut browser, &mut forged).await;
    assert_refused(&browser, &answer);
    let eve = world.account("eve@example.com").await;
    unverified.handle = eve.id.as_uuid().as_bytes().to_vec();
    let answer = sign_in(&mut browser, &mut unverified).await;
    assert_refused(&browser, &answer);
    let mut unknown = Authenticator::new();
    let answer = sign_in(&mut browser, &mut unknown).await;
    assert_refused(&browser, &answer);
}

#[tokio::test]
async fn a_new_passkey_is_checked_too() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let mut elsewhere = Authenticator::new();
    elsewhere.origin = "https://evil.example".to_owned();
    let answer = add(&mut browser, &mut elsewhere, "Phone").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let mut unverified = Authenticator::new();
    unverified.verifies = false;
    let answer = add(&mut browser, &mut unverified, "Phone").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let begun = begin_adding(&mut browser, "Phone", PASSWORD).await.json();
    let mut other = begun.clone();
    other["publicKey"]["challenge"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let credential = Authenticator::new().create(&other["publicKey"]);
    let answer = finish_adding(&mut browser, &begun, &credential).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert!(browser.get("/account/passkeys").await.text.contains("You have none."));
}

#[tokio::test]
async fn a_copy_of_a_key_is_refused_and_written_down() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browser = Browser::new(&world);
    sign_in(&mut browser, &mut device).await.assert_ok();
    browser.cookies.remove(SESSION);
    device.counter = 0;
    let answer = sign_in(&mut browser, &mut device).await;
    assert_refused(&browser, &answer);
    assert!(answer.field("message").contains("copy"), "{answer:?}");
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let log = world.store.audit_of_account(ann.id, Page { cursor: None, limit: 50 }).await.unwrap();
    let written = log.items.iter().find(|entry| entry.what == "passkey_copied").expect("it is written down");
    assert_eq!(written.detail["passkey"], "Phone <1>");
    let mails = world.mails("ann@example.com").await;
    let copied = |mail: &&String| mail.contains("Subject: Somebody may have a copy of your passkey");
    let mail = mails.iter().find(copied).expect("the person is told");
    assert!(mail.contains("\"Phone <1>\"") && mail.contains("remove it"), "{mail}");
    device.counter = 10;
    sign_in(&mut browser, &mut device).await.assert_ok();
}

/// What the script posts to finish a sign-in with a device.
async fn shown(browser: &mut Browser<'_>, device: &mut Authenticator) -> Value {
    let begun = begin(browser, "/account").await;
    let page = browser.get("/sign-in?again=1").await;
    let csrf = csrf(&page, "/sign-in/passkey/begin");
    json!({"csrf": csrf, "ceremony": begun["ceremony"], "credential": device.get(&begun["publicKey"])})
}

#[tokio::test]
async fn a_copy_that_signs_in_at_the_same_moment_is_refused_too() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browsers = [Browser::new(&world), Browser::new(&world), Browser::new(&world)];
    let mut all = Vec::new();
    for browser in &mut browsers {
        all.push(shown(browser, &mut device).await);
        device.counter -= 1;
    }
    let [one, two, three] = &mut browsers;
    let path = "/sign-in/passkey/finish";
    let (one, two, three) = tokio::join!(
        one.post_json(path, &all[0]),
        two.post_json(path, &all[1]),
        three.post_json(path, &all[2])
    );
    let statuses = [one, two, three].map(|answer| answer.status);
    let good = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    let refused = statuses.iter().filter(|status| **status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert_eq!((good, refused), (1, 2), "{statuses:?}");
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let log = world.store.audit_of_account(ann.id, Page { cursor: None, limit: 50 }).await.unwrap();
    let written = log.items.iter().filter(|entry| entry.what == "passkey_copied").count();
    assert_eq!(written, 2, "it is written down");
}

#[tokio::test]
async fn a_removed_passkey_and_a_disabled_account_sign_nobody_in() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    // The older one is listed first.
    world.pass(MINUTE);
    let mut second = Authenticator::new();
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    add(&mut browser, &mut second, "Second").await.assert_ok();
    let form = browser.get("/account/passkeys").await.form("/account/passkeys/remove");
    assert_eq!(browser.submit(&form, &[("password", PASSWORD)]).await.location(), "/account/passkeys");
    let mut other = Browser::new(&world);
    let removed = sign_in(&mut other, &mut device).await;
    assert_refused(&other, &removed);
    sign_in(&mut other, &mut second).await.assert_ok();

    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    world.store.disable_account(ann.id, world.now()).await.unwrap();
    let mut other = Browser::new(&world);
    let disabled = sign_in(&mut other, &mut second).await;
    assert_refused(&other, &disabled);
    assert_eq!(disabled.text, removed.text, "neither learns which");
}

#[tokio::test]
async fn nobody_changes_the_passkeys_of_others() {
    let world = World::new().await;
    ann(&world).await;
    world.account("eve@example.com").await;
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let id = world.store.passkeys(ann.id).await.unwrap()[0].id.to_string();
    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let page = eve.get("/account/passkeys").await;
    let csrf = csrf(&page, "/account/passkeys/begin");
    for (path, more) in
        [("/account/passkeys/rename", ("name", "mine")), ("/account/passkeys/remove", ("password", PASSWORD))]
    {
        let answer = eve.post(path, &[("csrf", &csrf), ("passkey", &id), more]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.store.passkeys(ann.id).await.unwrap()[0].name, "Phone <1>");
}

#[tokio::test]
async fn nobody_fills_the_database_with_sign_ins() {
    let world = World::new().await;
    let mut device = ann(&world).await;
    let mut browser = Browser::new(&world);
    let begun = begin(&mut browser, &format!("/account?{}", "a".repeat(60_000))).await;
    let credential = device.get(&begun["publicKey"]);
    assert_eq!(finish(&mut browser, &begun, &credential).await.field("next"), "/account", "too long");
    for _ in 1..60 {
        begin(&mut browser, "/account").await;
    }
    let page = browser.get("/sign-in?again=1").await;
    let asked = json!({"csrf": csrf(&page, "/sign-in/passkey/begin"), "next": "/account"});
    let answer = browser.post_json("/sign-in/passkey/begin", &asked).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    assert_eq!(answer.field("error"), "too_many_sign_ins");
    assert!(answer.field("message").contains("Wait ten minutes"), "{answer:?}");
    assert_eq!(world.refusals("too_many_sign_ins"), 1);
    world.pass(10 * MINUTE + 1);
    begin(&mut browser, "/account").await;
}
