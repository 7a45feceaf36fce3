//! Signing in by another provider: who gets in, who gets an account, and who has to do more.

use axum::http::StatusCode;
use identity::{Config, ProviderKind, SignUp};
use serde_json::{Value, json};
use store::{BuiltInRole, ClientKind, Role};

use crate::browser::Browser;
use crate::own_pages::{code_at, turn_two_step_on};
use crate::provider::{Provider, callback, parameters, redirect_uri};
use crate::world::{Answer, MINUTE, PASSWORD, World, claims};

pub(crate) const SESSION: &str = "__Host-promenade";

/// A server that signs in by a provider, called `work`.
pub(crate) async fn world(change: impl FnOnce(&mut Config)) -> (World, Provider) {
    let provider = Provider::start().await;
    let world = World::with(|config| {
        config.allow_private_addresses = true;
        config.provider = vec![provider.oidc("work")];
        change(config);
    })
    .await;
    (world, provider)
}

/// Presses the button of a page. Gives where the browser is sent.
pub(crate) async fn leave(browser: &mut Browser<'_>, page: &str, id: &str) -> String {
    let form = browser.get(page).await.form(&format!("/identity/providers/{id}"));
    browser.submit(&form, &[]).await.location().to_owned()
}

/// Goes to the provider and comes back as somebody.
pub(crate) async fn go(browser: &mut Browser<'_>, provider: &Provider, page: &str, more: &Value) -> Answer {
    let location = leave(browser, page, "work").await;
    let query = provider.approve(browser.world, &location, more);
    browser.get(&callback("work", &query)).await
}

/// Refused, counted, and nobody is signed in.
#[track_caller]
pub(crate) fn assert_refused(browser: &Browser<'_>, answer: &Answer, cause: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert!(answer.text.contains("role=\"alert\""), "{answer:?}");
    assert!(!answer.text.contains("<script"), "{answer:?}");
    assert!(browser.world.refusals(cause) > 0, "counted as {cause}");
    assert!(!browser.cookies.contains_key(SESSION), "nobody is signed in");
}

#[tokio::test]
async fn a_new_person_gets_an_account_and_comes_back_to_it() {
    let (world, provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    browser.cookies.insert(SESSION.to_owned(), "bs_planted".to_owned());
    let location = leave(&mut browser, "/sign-in?next=%2Faccount%2Fservices", "work").await;
    let asked = parameters(&location);
    assert_eq!(asked["scope"], "openid email profile");
    assert_eq!(asked["redirect_uri"], redirect_uri("work"));
    assert!(!asked.contains_key("prompt"), "{location}");
    let query = provider.approve(&world, &location, &json!({}));
    let answer = browser.get(&callback("work", &query)).await;
    assert_eq!(answer.location(), "/account/services");
    assert_ne!(browser.cookies[SESSION], "bs_planted", "a new secret");
    let account = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    assert_eq!((account.name.as_str(), account.email_verified_at), ("Ann", Some(world.now())));
    assert_eq!(account.password, None);

    // Who it is says the subject, whatever becomes of the address.
    let mut other = Browser::new(&world);
    let answer = go(&mut other, &provider, "/sign-in", &json!({"email": "ann@new.example"})).await;
    assert_eq!(answer.location(), "/account");
    assert!(other.get("/account").await.text.contains("ann@example.com"));
    assert_eq!(world.store.identities(account.id).await.unwrap().len(), 1);
    assert_eq!(provider.times_asked("/.well-known/openid-configuration"), 1, "it is remembered");
    world.pass(61 * MINUTE);
    go(&mut Browser::new(&world), &provider, "/sign-in", &json!({})).await.location();
    assert_eq!(provider.times_asked("/.well-known/openid-configuration"), 2, "for an hour");
}

#[tokio::test]
async fn a_client_learns_how_and_when() {
    let (world, provider) = world(|_| {}).await;
    let mut browser = Browser::new(&world);
    go(&mut browser, &provider, "/sign-in", &json!({})).await.location();
    let account = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let role = Role::BuiltIn(BuiltInRole::Operator);
    world.store.add_member(world.organization, account.id, role, world.now()).await.unwrap();
    let app = world.app(ClientKind::Confidential).await;
    // A client that wants a fresh sign-in has the provider ask again.
    let page = browser.get(&app.authorize(&[("prompt", Some("login"))])).await.location().to_owned();
    world.pass(MINUTE);
    let location = leave(&mut browser, &page, "work").await;
    assert_eq!(parameters(&location)["prompt"], "login");
    let query = provider.approve(&world, &location, &json!({}));
    let next = browser.get(&callback("work", &query)).await.location().to_owned();
    assert!(next.starts_with("/oauth/authorize?"), "{next}");
    let consent = browser.get(&next).await.form("/oauth/consent");
    let code = browser.submit(&consent, &[("decision", "agree")]).await.parameter("code").unwrap();
    let id_token = claims(&world.exchange(&app, &code).await.field("id_token"));
    assert_eq!(id_token["amr"], json!(["fed"]));
    assert_eq!(id_token["auth_time"], world.now().second());
}

#[tokio::test]
async fn an_address_that_the_provider_did_not_verify_is_verified_by_mail() {
    for said in [json!(false), json!("true"), Value::Null] {
        let (world, provider) = world(|_| {}).await;
        let mut browser = Browser::new(&world);
        let answer = go(&mut browser, &provider, "/sign-up", &json!({"email_verified": said})).await;
        answer.assert_ok();
        assert!(answer.text.contains("Look into your mail"), "{said}: {answer:?}");
        assert!(!browser.cookies.contains_key(SESSION), "{said}");
        let link = world.link("ann@example.com", "/verify").await;
        let form = browser.get(&link).await.form("/verify");
        browser.submit(&form, &[]).await.assert_ok();
        let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
        assert_eq!(answer.location(), "/account");
    }
}

#[tokio::test]
async fn what_is_not_in_the_id_token_is_asked_for() {
    let (world, provider) = world(|_| {}).await;
    let without = json!({"email": null, "email_verified": null, "name": null});
    provider.shared().profile = json!({"sub": "eve", "email": "ann@example.com", "email_verified": true});
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &without).await;
    assert_refused(&browser, &answer, "provider_profile");
    provider.shared().profile = json!({"sub": "ann", "email": "ann@example.com", "email_verified": true});
    assert_eq!(go(&mut browser, &provider, "/sign-in", &without).await.location(), "/account");
    assert!(world.store.account_with_email("ann@example.com").await.unwrap().is_some());
    // Nobody tells an address.
    provider.shared().profile = json!({"sub": "ben"});
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &json!({"sub": "ben", "email": "no address"})).await;
    assert_refused(&browser, &answer, "provider_no_email");
}

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
    go(&mut browser, &provider, "/sign-in", &json!({})).await.location();
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
    go(&mut browser, &provider, "/sign-in?again=1", &json!({})).await.location();
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
async fn a_disabled_account_stays_out() {
    let (world, provider) = world(|_| {}).await;
    go(&mut Browser::new(&world), &provider, "/sign-in", &json!({})).await.location();
    let account = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    world.store.disable_account(account.id, world.now()).await.unwrap();
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
    assert_refused(&browser, &answer, "account_disabled");
}

#[tokio::test]
async fn where_people_are_invited_an_invitation_is_needed() {
    let (world, provider) = world(|config| config.sign_up = SignUp::Invited).await;
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
    assert_refused(&browser, &answer, "provider_unknown");
    assert_eq!(world.store.account_with_email("ann@example.com").await.unwrap(), None);

    let role = Role::BuiltIn(BuiltInRole::Installer);
    world.identity.invite(world.organization, "ann@example.com", role, None).await.unwrap();
    let link = world.link("ann@example.com", "/invitation").await;
    // The secret was mailed to the address, so the address is verified, whatever the provider says.
    let answer = go(&mut browser, &provider, &link, &json!({"email_verified": false})).await;
    assert_eq!(answer.location(), "/account");
    let account = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let member = world.store.membership(world.organization, account.id).await.unwrap();
    assert!(member.is_some(), "and is a member");

    // Another address is not.
    world.identity.invite(world.organization, "ben@example.com", role_of(), None).await.unwrap();
    let link = world.link("ben@example.com", "/invitation").await;
    let mut browser = Browser::new(&world);
    let said = json!({"sub": "ben", "email": "ben@other.example", "email_verified": false});
    let answer = go(&mut browser, &provider, &link, &said).await;
    assert!(answer.text.contains("Look into your mail"), "{answer:?}");
    let mut third = Browser::new(&world);
    let used = third.get(&link).await;
    assert_eq!(used.status, StatusCode::GONE, "used");
}

fn role_of() -> Role {
    Role::BuiltIn(BuiltInRole::Installer)
}

#[tokio::test]
async fn facebook_and_amazon_are_asked_who_somebody_is() {
    for (kind, profile) in [
        (ProviderKind::Facebook, json!({"id": "1234", "name": "Ann", "email": "ann@example.com"})),
        (
            ProviderKind::Amazon,
            json!({"user_id": "amzn1.account.A", "name": "Ann", "email": "ann@example.com", "email_verified": true}),
        ),
    ] {
        let provider = Provider::start().await;
        let world = World::with(|config| {
            config.allow_private_addresses = true;
            config.provider = vec![provider.plain("work", kind)];
        })
        .await;
        provider.shared().profile = profile;
        let mut browser = Browser::new(&world);
        let location = leave(&mut browser, "/sign-up", "work").await;
        assert!(!parameters(&location).contains_key("nonce"), "{location}");
        let query = provider.approve(&world, &location, &json!({}));
        let query = query.split("&iss=").next().unwrap();
        let answer = browser.get(&callback("work", query)).await;
        // Neither says that it verified the address in a way that counts.
        assert!(answer.text.contains("Look into your mail"), "{kind:?}: {answer:?}");
        let account = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
        assert_eq!((account.name.as_str(), account.email_verified_at), ("Ann", None));
        assert_eq!(provider.times_asked("/token"), 1);

        provider.shared().profile = json!({"error": {"message": "<script>"}});
        let mut browser = Browser::new(&world);
        let location = leave(&mut browser, "/sign-in", "work").await;
        let query = provider.approve(&world, &location, &json!({}));
        let query = query.split("&iss=").next().unwrap();
        let answer = browser.get(&callback("work", query)).await;
        assert_refused(&browser, &answer, "provider_profile");
    }
}
