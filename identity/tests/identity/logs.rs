//! What must never be in a log, an address or a cache.

use std::io;
use std::sync::{Arc, Mutex};

use axum::http::header;
use serde_json::json;
use store::{BuiltInRole, ClientKind};
use tracing_subscriber::fmt::MakeWriter;

use crate::browser::Browser;
use crate::provider::{SECRET, callback, parameters};
use crate::upstream;
use crate::world::{PASSWORD, VERIFIER, World, encoded};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_put_into_an_address() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let logging = tracing::subscriber::set_default(subscriber.finish());
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Public).await;
    let server = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("ann@example.com", "a wrong password").await;
    let signed_in = browser.sign_in("ann@example.com", PASSWORD).await;
    let mut secrets = vec!["a wrong password".to_owned(), PASSWORD.to_owned(), VERIFIER.to_owned()];
    secrets.extend(server.secret.clone());
    secrets.extend(browser.cookies.values().cloned());

    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let (access, refresh) = (tokens.field("access_token"), tokens.field("refresh_token"));
    let next = world.refresh(&app, &refresh).await.field("refresh_token");
    world.refresh(&app, &next).await.assert_ok();
    world.userinfo(&access).await.assert_ok();
    // What is worth a warning is where a secret is most easily said.
    world.refresh(&app, &refresh).await.assert_refused(400, "invalid_grant");
    world.exchange(&app, &code).await.assert_refused(400, "invalid_grant");
    let form = browser.get("/reset").await.form("/reset");
    browser.submit(&form, &[("email", "ann@example.com")]).await.assert_ok();
    let link = world.link("ann@example.com", "/reset/password").await;
    world.token(&server, &[("grant_type", "client_credentials")]).await.assert_ok();
    drop(logging);

    assert!(!signed_in.location().contains(PASSWORD), "{signed_in:?}");
    secrets.extend([code, access, refresh, next, link.split_once('=').unwrap().1.to_owned()]);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("a refresh token came again after its successor"),
        "the log is not listened to: {log}"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn no_secret_of_a_provider_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let logging = tracing::subscriber::set_default(subscriber.finish());
    let (world, provider) = upstream::world(|_| {}).await;
    let mut browser = Browser::new(&world);
    let location = upstream::leave(&mut browser, "/sign-in", "work").await;
    let asked = parameters(&location);
    let query = provider.approve(&world, &location, &json!({}));
    browser.get(&callback("work", &query)).await.location();
    let code = parameters(&format!("?{query}"))["code"].clone();
    // One that fails is where a secret is most easily said.
    let failed = upstream::go(&mut browser, &provider, "/sign-in?again=1", &json!({"nonce": "wrong"})).await;
    assert_eq!(failed.status.as_u16(), 400);
    let location = upstream::leave(&mut browser, "/sign-in?again=1", "work").await;
    let state = parameters(&location)["state"].clone();
    let query = encoded(&[("code", "unknown-code"), ("state", &state), ("iss", &provider.issuer)]);
    browser.get(&callback("work", &query)).await;
    drop(logging);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a provider did not say who somebody is"), "the log is not listened to: {log}");
    let encoded_secret: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let mut secrets = vec![SECRET.to_owned(), encoded_secret, "upstream-access-token".to_owned()];
    secrets.extend([
        "upstream-refresh-token".to_owned(),
        "unknown-code".to_owned(),
        "provider text".to_owned(),
    ]);
    secrets.extend([state, asked["state"].clone(), asked["nonce"].clone(), format!("{code}&")]);
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn nothing_with_a_secret_in_it_is_kept() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let access = tokens.field("access_token");
    let answers = [
        world.refresh(&app, &tokens.field("refresh_token")).await,
        world.userinfo(&access).await,
        world.ask("/oauth/introspect", &app, &[("token", &access)]).await,
        world.ask("/oauth/device_authorization", &app, &[]).await,
        world.ask("/oauth/revoke", &app, &[("token", &access)]).await,
        world.userinfo(&access).await,
        browser.get("/account/services").await,
        browser.get("/account/two-step").await,
        tokens,
    ];
    for answer in answers {
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{answer:?}");
    }
}
