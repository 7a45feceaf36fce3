//! Access tokens of the `OAuth2` server as callers.

use protocol::AccountId;
use serde_json::{Value, json};
use store::{BuiltInRole, NewGrant};

use crate::world::{Answer, HOUR, NOW, World};

async fn read(world: &World, token: &str) -> Answer {
    Answer::to(world.request("GET", "/api/v1/venues").bearer_auth(token)).await
}

fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn is_unauthenticated(answer: &Answer) {
    let refusal = answer.refused(401, "unauthenticated");
    assert_eq!(refusal["detail"], "the API key or access token is unknown or expired");
    assert!(
        answer.header("www-authenticate").contains("invalid_token"),
        "{}",
        answer.header("www-authenticate")
    );
}

#[tokio::test]
async fn a_service_calls_until_its_grant_is_revoked() {
    let world = World::new().await;
    let service = world.service(&["venues:read", "venues:write"]).await;
    let token = token_of(&world.ask_for_token(&service).await);
    let venue = json!({"name": "Shop", "timezone": "UTC"});
    let made = Answer::to(world.request("POST", "/api/v1/venues").bearer_auth(&token).json(&venue)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(read(&world, &token).await.all("name"), [json!("Shop")]);
    let refused = Answer::to(world.request("GET", "/api/v1/devices").bearer_auth(&token)).await;
    assert_eq!(refused.refused(403, "missing-scope")["scope"], "devices:read");

    let grants = world.get("/api/v1/grants").await.json()["items"].clone();
    let grant = &grants[0];
    assert_eq!((&grant["client"], &grant["account"]), (&json!(service.0), &Value::Null));
    assert_eq!(grant["last_used_at"], "2026-03-02T12:00:00Z");
    let path = format!("/api/v1/grants/{}", grant["id"].as_str().unwrap());
    assert_eq!(world.delete(&path).await.status, 204);
    is_unauthenticated(&read(&world, &token).await);

    let again = token_of(&world.ask_for_token(&service).await);
    assert_eq!(read(&world, &again).await.status, 200, "the client itself may come again");
    is_unauthenticated(&read(&world, &token).await);
    world.stop().await;
}

#[tokio::test]
async fn a_disabled_client_s_tokens_end_with_it() {
    let world = World::new().await;
    let service = world.service(&["venues:read"]).await;
    let token = token_of(&world.ask_for_token(&service).await);
    assert_eq!(read(&world, &token).await.status, 200);
    assert_eq!(world.delete(&format!("/api/v1/clients/{}", service.0)).await.status, 204);
    is_unauthenticated(&read(&world, &token).await);
    let refused = world.ask_for_token(&service).await;
    assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")));
    world.stop().await;
}

#[tokio::test]
async fn a_renewed_secret_is_the_only_one() {
    let world = World::new().await;
    let (id, old) = world.service(&["venues:read"]).await;
    let renewed = world.post(&format!("/api/v1/clients/{id}/secret"), &json!({})).await.json();
    let new = renewed["secret"].as_str().unwrap().to_owned();
    assert_eq!(world.ask_for_token(&(id.clone(), old)).await.status, 401);
    let token = token_of(&world.ask_for_token(&(id, new)).await);
    assert_eq!(read(&world, &token).await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn a_token_ends_when_it_said_and_is_for_one_api() {
    let world = World::new().await;
    let token = world.token_with(&["venues:read"]).await;
    world.set_time(NOW + HOUR - 1_000);
    assert_eq!(read(&world, &token).await.status, 200);
    world.set_time(NOW + HOUR);
    is_unauthenticated(&read(&world, &token).await);
    let (head, signature) = token.rsplit_once('.').unwrap();
    for wrong in [head.to_owned(), format!("{head}."), format!("{head}.{}", signature.to_uppercase())] {
        is_unauthenticated(&read(&world, &wrong).await);
    }

    let resource = format!("{}/mqtt", world.app.identity.issuer());
    let body = json!({"name": "Service", "kind": "confidential", "scopes": ["venues:read"],
        "grants": ["client_credentials"], "resources": [resource]});
    let client = world.post("/api/v1/clients", &body).await.json();
    let request = world
        .request("POST", "/oauth/token")
        .basic_auth(client["id"].as_str().unwrap(), client["secret"].as_str())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("grant_type=client_credentials&resource={resource}"));
    let for_mqtt = token_of(&Answer::to(request).await);
    is_unauthenticated(&read(&world, &for_mqtt).await);
    world.stop().await;
}

#[tokio::test]
async fn a_token_gives_no_more_than_it_has() {
    let world = World::new().await;
    let token = world.token_with(&["admin", "venues:read"]).await;
    let send =
        |path: &str, body: Value| Answer::to(world.request("POST", path).bearer_auth(&token).json(&body));
    let key = send("/api/v1/keys", json!({"name": "K", "scopes": ["venues:read"]})).await;
    assert_eq!(key.status, 201, "{}", key.text);
    assert_eq!(key.json()["expires_at"], "2026-03-02T13:00:00Z", "a key ends no later than the token");
    for (path, body) in [
        ("/api/v1/keys", json!({"name": "K", "scopes": ["stays:read"]})),
        ("/api/v1/roles", json!({"name": "R", "scopes": ["stays:read"]})),
        (
            "/api/v1/clients",
            json!({"name": "C", "kind": "confidential", "scopes": ["stays:read"],
            "grants": ["client_credentials"]}),
        ),
    ] {
        assert_eq!(send(path, body).await.refused(403, "missing-scope")["scope"], "stays:read", "{path}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_repeat_is_a_repeat_of_the_same_grant() {
    let world = World::new().await;
    let service = world.service(&["venues:write"]).await;
    let venue = json!({"name": "Shop", "timezone": "UTC"});
    let make = async |token: String| {
        let request =
            world.request("POST", "/api/v1/venues").bearer_auth(token).header("idempotency-key", "k");
        Answer::to(request.json(&venue)).await
    };
    let first = make(token_of(&world.ask_for_token(&service).await)).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""), "{}", first.text);
    world.set_time(NOW + 2 * HOUR);
    let again = make(token_of(&world.ask_for_token(&service).await)).await;
    assert_eq!(
        (again.header("idempotent-replayed"), again.json()),
        ("true", first.json()),
        "by a later token"
    );
    let other = make(world.token_with(&["venues:write"]).await).await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (201, ""), "of another client");
    world.stop().await;
}

/// An access token that a person allowed a new client to have, refreshed as an assistant would.
pub(crate) async fn token_of_person(world: &World, account: AccountId, scopes: &str) -> String {
    let body = json!({"name": "Home", "kind": "assistant", "party": "google",
        "scopes": scopes.split(' ').collect::<Vec<_>>(),
        "redirect_uris": ["https://oauth-redirect.googleusercontent.com/r/project"]});
    let client = world.post("/api/v1/clients", &body).await.json();
    let (id, secret) = (client["id"].as_str().unwrap(), client["secret"].as_str());
    let (store, now) = (&world.app.store, world.app.clock.now());
    let client = id.parse().unwrap();
    let new = NewGrant { client, account: Some(account), scopes: scopes.to_owned(), resource: None };
    let grant = store.create_grant(world.organization, &new, now).await.unwrap().id;
    let refresh = store.issue_refresh_token(grant, None, now).await.unwrap().text();
    let request = world
        .request("POST", "/oauth/token")
        .basic_auth(id, secret)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("grant_type=refresh_token&refresh_token={refresh}"));
    token_of(&Answer::to(request).await)
}

#[tokio::test]
async fn a_person_s_token_reaches_as_far_as_their_role_does_now() {
    let world = World::new().await;
    let ben = world.person("ben", BuiltInRole::Operator).await;
    let token = token_of_person(&world, ben, "openid venues:read devices:read stays:read").await;
    let status = async |path: &str| Answer::to(world.request("GET", path).bearer_auth(&token)).await.status;
    let stays = "/api/v1/venues/01890a5d-ac96-774b-bcce-b302099a8057/stays";
    assert_eq!((status("/api/v1/venues").await, status("/api/v1/devices").await), (200, 200));
    assert_eq!(status(stays).await, 403, "no operator reads stays, whatever they agreed to");
    assert_eq!(status("/api/v1/members").await, 403);

    let member = format!("/api/v1/members/{ben}");
    world.patch(&member, &json!({"role": "analyst"})).await;
    assert_eq!((status("/api/v1/venues").await, status("/api/v1/devices").await), (200, 403));
    assert_eq!(status(stays).await, 403, "a token never grows; the next one has it");

    let role = world.make("/api/v1/roles", &json!({"name": "Guard", "scopes": ["devices:read"]})).await;
    world.patch(&member, &json!({"role": role})).await;
    assert_eq!((status("/api/v1/venues").await, status("/api/v1/devices").await), (403, 200));
    world.patch(&format!("/api/v1/roles/{role}"), &json!({"scopes": ["venues:read"]})).await;
    assert_eq!((status("/api/v1/venues").await, status("/api/v1/devices").await), (200, 403));

    assert_eq!(world.delete(&member).await.status, 204);
    is_unauthenticated(&read(&world, &token).await);
    world.stop().await;
}

#[tokio::test]
async fn what_a_person_does_is_known_as_theirs() {
    let world = World::new().await;
    let ada = world.person("ada", BuiltInRole::Admin).await;
    let token = token_of_person(&world, ada, "openid admin venues:read").await;
    let send =
        |path: &str, body: Value| Answer::to(world.request("POST", path).bearer_auth(&token).json(&body));
    world.set_time(NOW + 1_000);
    let refused = send("/api/v1/invitations", json!({"email": "ben@example.org", "role": "analyst"})).await;
    assert_eq!(
        refused.refused(403, "missing-scope")["scope"],
        "analytics:read",
        "an application has less than its person"
    );
    let role = json!({"name": "Guard", "scopes": ["venues:read"]});
    let role = send("/api/v1/roles", role).await.json()["id"].clone();
    world.set_time(NOW + 2_000);
    let made = send("/api/v1/invitations", json!({"email": "ben@example.org", "role": role})).await;
    assert_eq!((made.status, &made.json()["invited_by"]), (201, &json!(ada)), "{}", made.text);
    let entry = world.get("/api/v1/audit?limit=1").await.json()["items"][0].clone();
    assert_eq!((&entry["what"], &entry["account"]), (&json!("invited"), &json!(ada)));
    assert_eq!(entry["detail"]["by"]["account"], json!(ada));
    world.stop().await;
}
