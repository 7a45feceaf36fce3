//! Signing out at the wish of a client, and telling clients of it.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use store::{BuiltInRole, ClientKind};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::browser::Browser;
use crate::world::{App, World, claims, encoded};

const BYE: &str = "https://app.example/bye";

fn path(query: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", encoded(query))
}

async fn id_token(browser: &mut Browser<'_>, app: &App) -> String {
    let code = browser.code(app).await;
    browser.world.exchange(app, &code).await.field("id_token")
}

async fn world_with_ann() -> World {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    world
}

#[tokio::test]
async fn who_shows_an_id_token_of_the_session_signs_it_out() {
    let world = world_with_ann().await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let token = id_token(&mut browser, &app).await;
    // It may be over by then.
    world.pass(3_600_000);
    let query = [("id_token_hint", token.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a&b")];
    let answer = browser.get(&path(&query)).await;
    assert_eq!(answer.location(), "https://app.example/bye?state=a%26b");
    assert!(browser.get("/account").await.location().starts_with("/sign-in"));
    assert_eq!(
        browser.get(&path(&query)).await.location(),
        "https://app.example/bye?state=a%26b",
        "nobody to sign out"
    );
}

#[tokio::test]
async fn anybody_else_has_the_person_asked() {
    let world = world_with_ann().await;
    let app = world.app(ClientKind::Confidential).await;
    let mut before = Browser::signed_in(&world, "ann@example.com").await;
    let of_another_session = id_token(&mut before, &app).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let id = app.id.to_string();
    for query in [
        vec![],
        vec![("client_id", id.as_str()), ("post_logout_redirect_uri", BYE)],
        vec![("id_token_hint", of_another_session.as_str()), ("post_logout_redirect_uri", BYE)],
    ] {
        let page = browser.get(&path(&query)).await;
        page.form("/oauth/logout/confirm");
        browser.get("/account").await.assert_ok();
    }
    let query = [("client_id", id.as_str()), ("post_logout_redirect_uri", BYE)];
    let form = browser.get(&path(&query)).await.form("/oauth/logout/confirm");
    assert_eq!(browser.submit(&form, &[("to", "https://evil.example")]).await.status.as_u16(), 403);
    assert_eq!(browser.submit(&form, &[("csrf", "x")]).await.status.as_u16(), 403);
    browser.get("/account").await.assert_ok();
    assert_eq!(browser.submit(&form, &[]).await.location(), BYE);
    assert!(browser.get("/account").await.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn nobody_is_sent_where_no_client_registered() {
    let world = world_with_ann().await;
    let (app, other) = (world.app(ClientKind::Confidential).await, world.app(ClientKind::Confidential).await);
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let token = id_token(&mut browser, &app).await;
    let (id, other) = (app.id.to_string(), other.id.to_string());
    for query in [
        vec![("post_logout_redirect_uri", BYE)],
        vec![("client_id", id.as_str()), ("post_logout_redirect_uri", "https://evil.example/")],
        vec![("client_id", id.as_str()), ("post_logout_redirect_uri", "https://app.example/bye/")],
        vec![("client_id", other.as_str()), ("id_token_hint", token.as_str())],
        vec![("id_token_hint", "eyJhbGciOiJub25lIn0.e30."), ("post_logout_redirect_uri", BYE)],
        vec![("state", "1"), ("state", "2")],
    ] {
        let answer = browser.get(&path(&query)).await;
        assert_eq!(answer.status.as_u16(), 400, "{query:?}");
    }
    browser.get("/account").await.assert_ok();
}

/// A client that listens for sign-outs. Gives its address and what it hears.
async fn listening_client() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (told, hears) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let route = post(async move |body: String| told.send(body).unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/out", route)).await.unwrap() });
    (address, hears)
}

#[tokio::test]
async fn clients_hear_of_a_sign_out() {
    let (address, mut hears) = listening_client().await;
    let world = World::with(|config| config.allow_private_addresses = true).await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await;
    let url = format!("http://{address}/out");
    let app = world
        .app_with(ClientKind::Confidential, |settings| settings.backchannel_logout_uri = Some(url))
        .await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let token = id_token(&mut browser, &app).await;
    let form = browser.get("/account").await.form("/sign-out");
    browser.submit(&form, &[]).await;
    world.identity.settled().await;

    let body = hears.recv().await.unwrap();
    let (name, token_out) = url::form_urlencoded::parse(body.as_bytes()).next().unwrap();
    assert_eq!(name, "logout_token");
    let header = URL_SAFE_NO_PAD.decode(token_out.split('.').next().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&header).unwrap()["typ"], "logout+jwt");
    let told = claims(&token_out);
    assert_eq!((&told["sub"], &told["aud"]), (&json!(ann.id), &json!(app.id)));
    assert_eq!(told["sid"], claims(&token)["sid"]);
    assert_eq!(told["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(told["nonce"].is_null(), "it cannot pass for an ID token");
    let as_hint = [("id_token_hint", &*token_out)];
    assert_eq!(browser.get(&path(&as_hint)).await.status.as_u16(), 400, "nor is it taken for one");
}

#[tokio::test]
async fn a_registration_reaches_nothing_inside() {
    let (address, mut hears) = listening_client().await;
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await;
    for url in [
        format!("http://{address}/out"),
        format!("https://{address}/out"),
        format!("https://localhost:{}/out", address.port()),
    ] {
        let app = world
            .app_with(ClientKind::Confidential, |settings| {
                settings.backchannel_logout_uri = Some(url.clone());
            })
            .await;
        let mut browser = Browser::signed_in(&world, "ann@example.com").await;
        browser.code(&app).await;
        let form = browser.get("/account").await.form("/sign-out");
        browser.submit(&form, &[]).await;
        world.identity.settled().await;
        let grant = world.store.find_grant(app.id, ann.id).await.unwrap().unwrap();
        let (error, _) = grant.last_error.expect("it is noted with the link");
        assert!(error.contains("private network"), "{url}: {error}");
    }
    assert!(hears.try_recv().is_err());
}
