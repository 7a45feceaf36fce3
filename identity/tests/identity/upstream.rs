//! Signing in by another provider: who gets in, who gets an account, and who has to do more.

use axum::http::StatusCode;
use identity::{Config, ProviderKind, SignUp};
use serde_json::{Value, json};
use store::{BuiltInRole, ClientKind, Role};

use crate::browser::Browser;
use crate::provider::{Provider, SECRET, callback, parameters, redirect_uri};
use crate::world::{Answer, MINUTE, World, claims};

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
    assert!(!asked.contains_key("prompt") && !asked.contains_key("max_age"), "{location}");
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
    assert_eq!(parameters(&location)["max_age"], "0");
    let query = provider.approve(&world, &location, &json!({"auth_time": world.now().second()}));
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

#[tokio::test]
async fn the_secret_may_be_in_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
    let (world, provider) = world(|config| {
        config.provider[0].client_secret = None;
        config.provider[0].client_secret_file = Some(file.path().to_owned());
    })
    .await;
    go(&mut Browser::new(&world), &provider, "/sign-in", &json!({})).await.location();
}
