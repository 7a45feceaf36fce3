//! Writes that are sent twice.

use protocol::{Ack, AckStatus};
use serde_json::{Value, json};

use crate::commands::{given, id_of, lamp};
use crate::engines::each_engine;
use crate::world::{Answer, HOUR, NOW, World};

fn venue() -> Value {
    json!({"name": "Shop", "timezone": "UTC"})
}

async fn post(world: &World, key: &str, path: &str, body: &Value) -> Answer {
    Answer::to(world.signed("POST", path).header("idempotency-key", key).json(body)).await
}

async fn venues(world: &World) -> usize {
    world.get("/api/v1/venues").await.json()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let world = World::new().await;
    let first = post(&world, "k1", "/api/v1/venues", &venue()).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    let again = post(&world, "k1", "/api/v1/venues", &venue()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.json(), first.json());
    assert_eq!(venues(&world).await, 1);
    let other = post(&world, "k2", "/api/v1/venues", &venue()).await;
    assert_ne!(other.json()["id"], first.json()["id"]);
    world.stop().await;
}

#[tokio::test]
async fn a_repeat_never_shows_a_secret() {
    let world = World::new().await;
    for (path, body) in [
        ("/api/v1/devices".to_owned(), json!({"kind": "gateway", "name": "G"})),
        ("/api/v1/keys".to_owned(), json!({"name": "K", "scopes": ["venues:read"]})),
        (
            "/api/v1/clients".to_owned(),
            json!({"name": "C", "kind": "confidential", "scopes": ["venues:read"], "grants": ["client_credentials"]}),
        ),
    ] {
        let mut first = post(&world, "k", &path, &body).await.json();
        assert!(first["secret"].is_string(), "{path}");
        first["secret"] = Value::Null;
        assert_eq!(post(&world, "k", &path, &body).await.json(), first, "{path}");
    }
    let device = world.get("/api/v1/devices").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/devices/{device}/credentials");
    assert!(post(&world, "r", &path, &json!({})).await.json()["secret"].is_string());
    assert_eq!(post(&world, "r", &path, &json!({})).await.json(), json!({"id": device, "secret": null}));

    let client = world.get("/api/v1/clients").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let renewal = format!("/api/v1/clients/{client}/secret");
    assert!(post(&world, "s", &renewal, &json!({})).await.json()["secret"].is_string());
    assert_eq!(post(&world, "s", &renewal, &json!({})).await.json(), json!({"id": client, "secret": null}));

    let body = json!({"email": "ada@example.org", "role": "analyst"});
    let mut first = post(&world, "i", "/api/v1/invitations", &body).await.json();
    assert!(first["link"].as_str().unwrap().contains("/invitation?token=in_"), "{first}");
    first["link"] = Value::Null;
    assert_eq!(post(&world, "i", "/api/v1/invitations", &body).await.json(), first);
    assert_eq!(world.get("/api/v1/invitations").await.all("email"), [json!("ada@example.org")]);

    world.make_authority();
    let body = json!({"kind": "certificate"});
    let mut first = post(&world, "c", &path, &body).await.json();
    assert!(first["key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    first["key"] = Value::Null;
    assert_eq!(post(&world, "c", &path, &body).await.json(), first);
    let listed = world.get(&format!("/api/v1/devices/{device}/certificates")).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "and one was made");
    world.stop().await;
}

#[tokio::test]
async fn another_body_is_refused() {
    let world = World::new().await;
    post(&world, "k", "/api/v1/venues", &venue()).await;
    let other = post(&world, "k", "/api/v1/venues", &json!({"name": "Other", "timezone": "UTC"})).await;
    assert_eq!((other.status, other.problem().as_str()), (422, "idempotency-key-reused"));
    assert_eq!(venues(&world).await, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_one_caller_s_for_one_path_and_method() {
    let world = World::new().await;
    let id = post(&world, "k", "/api/v1/venues", &venue()).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/venues/{id}");
    let zone = post(&world, "k", &format!("{path}/zones"), &json!({"name": "Z", "kind": "interior"})).await;
    assert_eq!(zone.status, 201);
    let rename = || {
        Answer::to(world.signed("PATCH", &path).header("idempotency-key", "k").json(&json!({"name": "New"})))
    };
    assert_eq!(rename().await.json()["name"], "New");
    let another_key = world.key_with("venues:write").await;
    let request =
        world.request("POST", "/api/v1/venues").bearer_auth(another_key).header("idempotency-key", "k");
    assert_eq!(Answer::to(request.json(&venue())).await.header("idempotent-replayed"), "");
    assert_eq!(venues(&world).await, 2);
    let delete = || Answer::to(world.signed("DELETE", &path).header("idempotency-key", "k"));
    assert_eq!(delete().await.status, 204);
    let again = delete().await;
    assert_eq!((again.status, again.text.as_str(), again.header("idempotent-replayed")), (204, "", "true"));
    world.stop().await;
}

#[tokio::test]
async fn a_refused_request_is_tried_again() {
    let world = World::new().await;
    assert_eq!(post(&world, "k", "/api/v1/venues", &json!({"name": "Shop"})).await.status, 422);
    assert_eq!(post(&world, "k", "/api/v1/venues", &venue()).await.status, 201);
    let missing = world.make_venue().await;
    world.delete(&format!("/api/v1/venues/{missing}")).await;
    let delete = || {
        Answer::to(
            world.signed("DELETE", &format!("/api/v1/venues/{missing}")).header("idempotency-key", "d"),
        )
    };
    assert_eq!(delete().await.status, 404);
    assert_eq!(delete().await.status, 404);
    world.stop().await;
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let world = World::new().await;
    let first = post(&world, "k", "/api/v1/venues", &venue()).await.json();
    world.set_time(NOW + 24 * HOUR - 1);
    assert_eq!(post(&world, "k", "/api/v1/venues", &venue()).await.json(), first);
    world.set_time(NOW + 24 * HOUR);
    assert_ne!(post(&world, "k", "/api/v1/venues", &venue()).await.json(), first);
    world.stop().await;
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let world = World::new().await;
    let body = venue();
    let answers =
        futures_util::future::join_all((0..20).map(|_| post(&world, "k", "/api/v1/venues", &body))).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    let busy = answers.iter().filter(|answer| answer.status == 409).inspect(|answer| {
        assert_eq!(answer.problem(), "idempotency-in-progress");
    });
    assert_eq!(made.len() + busy.count(), 20);
    assert!(!made.is_empty());
    assert!(made.iter().all(|answer| answer.json() == made[0].json()));
    assert_eq!(venues(&world).await, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_checked() {
    let world = World::new().await;
    let long = "k".repeat(256);
    for key in ["", " ", "two words", "tab\there", long.as_str()] {
        let refused = post(&world, key, "/api/v1/venues", &venue()).await;
        assert_eq!(refused.problem(), "invalid-idempotency-key", "{key:?}");
    }
    assert_eq!(post(&world, &long[1..], "/api/v1/venues", &venue()).await.status, 201);
    let twice =
        world.signed("POST", "/api/v1/venues").header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(Answer::to(twice.json(&venue())).await.problem(), "invalid-idempotency-key");
    let stranger =
        world.request("POST", "/api/v1/venues").header("idempotency-key", "two words").json(&venue());
    assert_eq!(Answer::to(stranger).await.problem(), "unauthenticated", "strangers learn nothing");
    assert_eq!(
        Answer::to(world.signed("GET", "/api/v1/venues").header("idempotency-key", "two words")).await.status,
        200
    );
    world.stop().await;
}

#[tokio::test]
async fn a_command_is_not_given_twice_by_a_repeat_after_a_crash() {
    each_engine(async |world| {
        let (device, path) = lamp(&world).await;
        let (path, body) = (format!("{path}?wait=30s"), json!({"name": "identify"}));
        let first = post(&world, "k", &path, &body);
        let repeat = async {
            let id = given(&world).await;
            // As if the program had died in the middle of the first.
            world.app.store.idempotency_release().await.unwrap();
            let repeat = post(&world, "k", &path, &body);
            let answer = async {
                let done = Ack::new(AckStatus::Done);
                world.app.orders.answer(world.organization, device, id, done).await.unwrap();
            };
            let (repeat, ()) = tokio::join!(repeat, answer);
            assert_eq!(repeat.status, 200, "{}", repeat.text);
            assert_eq!(id_of(&repeat.json()), id);
            assert_eq!(repeat.header("idempotent-replayed"), "", "its answer was lost");
        };
        let (first, ()) = tokio::join!(first, repeat);
        assert_eq!(world.get("/api/v1/commands").await.all("id").len(), 1, "{}", first.text);
        // Another request is another command.
        let other = post(&world, "l", &path.replace("30s", "1ms"), &body).await;
        assert_eq!(other.status, 202, "{}", other.text);
        assert_eq!(world.get("/api/v1/commands").await.all("id").len(), 2);
    })
    .await;
}
