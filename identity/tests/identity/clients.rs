//! Clients: how they show who they are, and what they get for themselves.

use axum::body::Body;
use axum::http::{Method, Request, header};
use identity::Audience;
use store::{Change, ClientKind, Party};

use crate::world::{App, World};

const FORM: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_secret_comes_in_the_header_or_in_the_body() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let (id, secret) = (app.id.to_string(), app.secret.clone().unwrap());
    world.post("/oauth/token", &[FORM], Some(&app.basic())).await.assert_ok();
    world.post("/oauth/token", &[FORM, ("client_id", &id)], Some(&app.basic())).await.assert_ok();
    let post = [FORM, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
    world.post("/oauth/token", &post, None).await.assert_ok();
}

#[tokio::test]
async fn never_in_both() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let (id, secret) = (app.id.to_string(), app.secret.clone().unwrap());
    let both = [FORM, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
    world.post("/oauth/token", &both, Some(&app.basic())).await.assert_refused(400, "invalid_request");
    let secret_alone = [FORM, ("client_secret", secret.as_str())];
    world
        .post("/oauth/token", &secret_alone, Some(&app.basic()))
        .await
        .assert_refused(400, "invalid_request");
    let other = world.app(ClientKind::Confidential).await.id.to_string();
    let another = [FORM, ("client_id", other.as_str())];
    world.post("/oauth/token", &another, Some(&app.basic())).await.assert_refused(400, "invalid_request");
    let request = Request::post("/oauth/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, app.basic())
        .header(header::AUTHORIZATION, app.basic());
    let answer = world.send(request.body(Body::from("grant_type=client_credentials")).unwrap()).await;
    answer.assert_refused(400, "invalid_request");
}

#[tokio::test]
async fn a_wrong_client_is_401_and_hears_so_in_kind() {
    let world = World::new().await;
    let (app, other) = (world.app(ClientKind::Confidential).await, world.app(ClientKind::Confidential).await);
    let public = world.app(ClientKind::Public).await;
    let (id, secret) = (app.id.to_string(), app.secret.clone().unwrap());
    let of_other = other.secret.clone().unwrap();
    let public_id = public.id.to_string();
    for form in [
        vec![FORM],
        vec![FORM, ("client_id", "nobody"), ("client_secret", secret.as_str())],
        vec![FORM, ("client_id", id.as_str()), ("client_secret", "cs_wrong")],
        vec![FORM, ("client_id", id.as_str()), ("client_secret", of_other.as_str())],
        vec![FORM, ("client_id", id.as_str())],
        vec![FORM, ("client_id", public_id.as_str()), ("client_secret", secret.as_str())],
        vec![FORM, ("client_id", id.as_str()), ("client_assertion", "eyJ")],
    ] {
        let answer = world.post("/oauth/token", &form, None).await;
        answer.assert_refused(401, "invalid_client");
        assert!(answer.header(header::WWW_AUTHENTICATE).is_empty(), "{form:?}");
    }
    for authorization in ["Basic !", "Basic Og==", "Bearer x", &other.basic().replace("Basic ", "Basic AA")] {
        let answer = world.post("/oauth/token", &[FORM], Some(authorization)).await;
        answer.assert_refused(401, "invalid_client");
        assert!(answer.header(header::WWW_AUTHENTICATE).starts_with("Basic "), "{authorization}");
    }
    world.store.disable_client(world.organization, app.id, world.now()).await.unwrap();
    world.identity.changed(Change::Client(app.id));
    world.post("/oauth/token", &[FORM], Some(&app.basic())).await.assert_refused(401, "invalid_client");
}

#[tokio::test]
async fn a_secret_in_the_address_or_in_json_is_none() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let path = format!("/oauth/token?client_id={}&client_secret={}", app.id, app.secret.clone().unwrap());
    world.post(&path, &[FORM], None).await.assert_refused(401, "invalid_client");
    let request = Request::post("/oauth/token")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, app.basic());
    let body = Body::from(r#"{"grant_type":"client_credentials"}"#);
    world.send(request.body(body).unwrap()).await.assert_refused(400, "invalid_request");
}

#[tokio::test]
async fn a_bearer_says_whose_assistant_its_client_is() {
    let world = World::new().await;
    let party_of = async |app: &App| {
        let token = world.token(app, &[FORM]).await.field("access_token");
        world.identity.check(&token, Audience::Api).await.unwrap().party
    };
    for party in [Party::Google, Party::Amazon] {
        let app = world.app_with(ClientKind::Assistant, |settings| settings.party = Some(party)).await;
        assert_eq!(party_of(&app).await, Some(party));
    }
    assert_eq!(party_of(&world.app(ClientKind::Confidential).await).await, None);
    assert_eq!(party_of(&world.app(ClientKind::Assistant).await).await, None, "whose it is was not said");
}

#[tokio::test]
async fn a_service_gets_what_it_was_registered_for_and_no_identity() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let answer = world.token(&app, &[FORM]).await;
    answer.assert_ok();
    assert!(answer.json()["refresh_token"].is_null() && answer.json()["id_token"].is_null());
    assert_eq!(answer.field("scope"), "venues:read devices:read commands:write");
    let bearer = world.identity.check(&answer.field("access_token"), Audience::Api).await.unwrap();
    assert_eq!((bearer.account, bearer.client), (None, app.id));
    assert_eq!(bearer.organization, world.organization);
    let less = world.token(&app, &[FORM, ("scope", "venues:read")]).await;
    let less = world.identity.check(&less.field("access_token"), Audience::Api).await.unwrap();
    assert_eq!(less.scopes.to_string(), "venues:read");
    assert_eq!(less.grant, bearer.grant, "one row, however often it asks");
    for more in ["openid", "admin", "*", "nonsense"] {
        world.token(&app, &[FORM, ("scope", more)]).await.assert_refused(400, "invalid_scope");
    }
}

#[tokio::test]
async fn a_service_whose_client_is_disabled_is_out() {
    let world = World::new().await;
    let app = world.app(ClientKind::Confidential).await;
    let access = world.token(&app, &[FORM]).await.field("access_token");
    world.store.disable_client(world.organization, app.id, world.now()).await.unwrap();
    // Nobody told the server: what it remembers is believed for half a minute.
    world.pass(30_000);
    world.identity.check(&access, Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn pages_of_other_origins_ask_for_tokens_and_reach_no_page() {
    let world = World::new().await;
    let preflight = async |path: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header(header::ORIGIN, "https://app.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
        world.send(request.body(Body::empty()).unwrap()).await
    };
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/.well-known/openid-configuration"] {
        let answer = preflight(path).await;
        answer.assert_ok();
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{path}");
        assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "{path}");
    }
    for path in ["/oauth/authorize", "/oauth/consent", "/sign-in", "/account"] {
        let answer = preflight(path).await;
        assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{path}");
    }
}
