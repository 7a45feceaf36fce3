//! Devices without a keyboard (RFC 8628).

use identity::Audience;
use store::{BuiltInRole, ClientKind};

use crate::browser::Browser;
use crate::world::{Answer, App, ISSUER, MINUTE, World};

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

async fn begin(world: &World, app: &App) -> Answer {
    let answer = world.ask("/oauth/device_authorization", app, &[("scope", "venues:read")]).await;
    answer.assert_ok();
    answer
}

async fn poll(world: &World, app: &App, begun: &Answer) -> Answer {
    world.token(app, &[GRANT, ("device_code", &begun.field("device_code"))]).await
}

/// Types the code of a device and decides.
async fn decide(browser: &mut Browser<'_>, user_code: &str, decision: &str) -> Answer {
    let form = browser.get("/device").await.form("/device");
    let page = browser.submit(&form, &[("user_code", user_code)]).await;
    page.assert_ok();
    browser.submit(&page.form("/device/decision"), &[("decision", decision)]).await
}

#[tokio::test]
async fn a_person_lets_a_device_in() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await;
    let kiosk = world.app(ClientKind::Public).await;
    let begun = begin(&world, &kiosk).await;
    assert_eq!(begun.field("verification_uri"), format!("{ISSUER}/device"));
    assert_eq!(
        (begun.json()["expires_in"].as_i64(), begun.json()["interval"].as_i64()),
        (Some(600), Some(5))
    );
    poll(&world, &kiosk, &begun).await.assert_refused(400, "authorization_pending");
    poll(&world, &kiosk, &begun).await.assert_refused(400, "slow_down");

    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let complete = begun.field("verification_uri_complete");
    let page = browser.get(complete.strip_prefix(ISSUER).unwrap()).await;
    let form = page.form("/device");
    assert!(form.fields.contains(&("user_code".to_owned(), begun.field("user_code"))), "filled in, not used");
    let page = browser.submit(&form, &[]).await;
    assert!(page.text.contains("Lamp &lt;app&gt;") && page.text.contains(&begun.field("user_code")));
    browser.submit(&page.form("/device/decision"), &[("decision", "agree")]).await.assert_ok();

    world.pass(MINUTE);
    let tokens = poll(&world, &kiosk, &begun).await;
    let bearer = world.identity.check(&tokens.field("access_token"), Audience::Api).await.unwrap();
    assert_eq!((bearer.account, bearer.scopes.to_string().as_str()), (Some(ann.id), "venues:read"));
    world.refresh(&kiosk, &tokens.field("refresh_token")).await.assert_ok();
    poll(&world, &kiosk, &begun).await.assert_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_decided_once() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let kiosk = world.app(ClientKind::Public).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let begun = begin(&world, &kiosk).await;
    let user_code = begun.field("user_code");
    let form = browser.get("/device").await.form("/device");
    let page = browser.submit(&form, &[("user_code", &user_code)]).await.form("/device/decision");
    browser.submit(&page, &[("decision", "cancel")]).await.assert_ok();
    assert_eq!(browser.submit(&page, &[("decision", "agree")]).await.status.as_u16(), 400);
    assert_eq!(browser.submit(&form, &[("user_code", &user_code)]).await.status.as_u16(), 422);
    poll(&world, &kiosk, &begun).await.assert_refused(400, "access_denied");
}

#[tokio::test]
async fn codes_end_and_belong_to_their_client() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let (kiosk, other) = (world.app(ClientKind::Public).await, world.app(ClientKind::Public).await);
    let begun = begin(&world, &kiosk).await;
    poll(&world, &other, &begun).await.assert_refused(400, "invalid_grant");
    world.pass(10 * MINUTE);
    poll(&world, &kiosk, &begun).await.assert_refused(400, "expired_token");
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/device").await.form("/device");
    assert_eq!(browser.submit(&form, &[("user_code", &begun.field("user_code"))]).await.status.as_u16(), 422);
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let world = World::new().await;
    world.member("eve@example.com", BuiltInRole::Operator).await;
    let kiosk = world.app(ClientKind::Public).await;
    let begun = begin(&world, &kiosk).await;
    let own = begin(&world, &kiosk).await.field("user_code");
    let nobody = Browser::new(&world).get("/device").await;
    assert!(nobody.location().starts_with("/sign-in"), "who guesses has a name");
    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let form = eve.get("/device").await.form("/device");
    for _ in 0..5 {
        assert_eq!(eve.submit(&form, &[("user_code", "BBBB-BBBB")]).await.status.as_u16(), 422);
        eve.submit(&form, &[("user_code", &own)]).await.assert_ok();
    }
    let right = begun.field("user_code");
    assert_eq!(
        eve.submit(&form, &[("user_code", &right)]).await.status.as_u16(),
        429,
        "a code of one's own does not help"
    );
    // Nor does the other form give a place to guess at.
    let csrf = &form.fields[0].1;
    let guess =
        [("csrf", csrf.as_str()), ("user_code", &right), ("scopes", "venues:read"), ("decision", "agree")];
    assert_eq!(eve.post("/device/decision", &guess).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_decision_is_about_what_was_shown() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let kiosk = world.app(ClientKind::Public).await;
    let (one, two) = (begin(&world, &kiosk).await, begin(&world, &kiosk).await);
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/device").await.form("/device");
    let page =
        browser.submit(&form, &[("user_code", &one.field("user_code"))]).await.form("/device/decision");
    for swapped in
        [("user_code", two.field("user_code")), ("scopes", "venues:read commands:write".to_owned())]
    {
        let fields = [(swapped.0, swapped.1.as_str()), ("decision", "agree")];
        assert_eq!(browser.submit(&page, &fields).await.status.as_u16(), 403, "{swapped:?}");
    }
    decide(&mut browser, &two.field("user_code"), "agree").await.assert_ok();
    poll(&world, &kiosk, &one).await.assert_refused(400, "authorization_pending");
    poll(&world, &kiosk, &two).await.assert_ok();
}

#[tokio::test]
async fn a_client_asks_for_what_it_was_registered_for() {
    let world = World::new().await;
    let kiosk = world.app(ClientKind::Public).await;
    let answer = world.ask("/oauth/device_authorization", &kiosk, &[("scope", "admin")]).await;
    answer.assert_refused(400, "invalid_scope");
    let other = world.app_with(ClientKind::Public, |settings| settings.grants.truncate(1)).await;
    let answer = world.ask("/oauth/device_authorization", &other, &[]).await;
    answer.assert_refused(400, "unauthorized_client");
}
