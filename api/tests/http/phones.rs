//! People's phones, what people agreed to, and pings over HTTP.

use serde_json::{Value, json};
use store::BuiltInRole;

use crate::tokens::token_of_person;
use crate::world::{Answer, World};

/// A request with an access token of a person.
struct Person<'a> {
    world: &'a World,
    token: String,
}

impl<'a> Person<'a> {
    /// Somebody who is in no organization and uses its application.
    async fn shopper(world: &'a World, name: &str) -> Self {
        let account = world.account(name).await;
        Self { world, token: token_of_person(world, account, "openid pings:write").await }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.world.request(method, path).bearer_auth(&self.token);
        Answer::to(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    async fn register(&self, name: &str) -> String {
        let made = self.ask("POST", "/api/v1/phones", Some(json!({"name": name}))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }
}

fn batch(seq: u64) -> Value {
    json!({"boot": "b1", "seq": seq, "pings": []})
}

#[tokio::test]
async fn a_person_registers_and_removes_their_phones() {
    let world = World::new().await;
    let (ann, ben) = (Person::shopper(&world, "ann").await, Person::shopper(&world, "ben").await);
    let phone = ann.register("Pixel").await;
    let path = format!("/api/v1/phones/{phone}");
    assert_eq!(ann.ask("GET", &path, None).await.json()["name"], "Pixel");
    assert_eq!(ann.ask("GET", "/api/v1/phones", None).await.json()["items"][0]["id"], json!(phone));
    assert_eq!(ben.ask("GET", "/api/v1/phones", None).await.json()["items"], json!([]));
    assert_eq!(ben.ask("GET", &path, None).await.problem(), "not-found");
    assert_eq!(ben.ask("DELETE", &path, None).await.problem(), "not-found");
    let known = world.get(&format!("/api/v1/devices/{phone}")).await;
    assert_eq!(known.json()["kind"], "phone", "the organization sees what reports to it");
    let secret = world.post(&format!("/api/v1/devices/{phone}/credentials"), &json!({})).await;
    assert_eq!(secret.problem(), "conflict", "nobody else speaks for it");
    assert_eq!(ann.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(ann.ask("GET", &path, None).await.problem(), "not-found");
    let log = world.get("/api/v1/audit").await.json()["items"].clone();
    let words: Vec<_> = log.as_array().unwrap().iter().map(|entry| entry["what"].clone()).collect();
    assert!(
        words.contains(&json!("phone_registered")) && words.contains(&json!("phone_removed")),
        "{words:?}"
    );
    for wrong in [json!({}), json!({"name": ""}), json!({"name": "x", "kind": "gateway"}), json!([])] {
        assert_eq!(ann.ask("POST", "/api/v1/phones", Some(wrong)).await.problem(), "invalid-body");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_no_person() {
    let world = World::new().await;
    for (method, path, body) in [
        ("POST", "/api/v1/phones", json!({"name": "x"})),
        ("GET", "/api/v1/phones", json!({})),
        ("GET", "/api/v1/consents", json!({})),
        ("POST", "/api/v1/consents", json!({"purpose": "presence", "version": "1"})),
        ("DELETE", "/api/v1/consents/presence", json!({})),
    ] {
        let answer = Answer::to(world.signed(method, path).json(&body)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "no-person"), "{method} {path}");
    }
    world.stop().await;
}

#[tokio::test]
async fn consent_is_to_a_text_that_was_read() {
    let world = World::new().await;
    let ann = Person::shopper(&world, "ann").await;
    let listed = ann.ask("GET", "/api/v1/consents", None).await.json()["items"][0].clone();
    assert_eq!((&listed["purpose"], &listed["holds"]), (&json!("presence"), &json!(false)));
    assert!(listed["text"].as_str().unwrap().len() > 50 && listed["given"].is_null());
    let give = async |purpose: &str, version: &str| {
        ann.ask("POST", "/api/v1/consents", Some(json!({"purpose": purpose, "version": version}))).await
    };
    assert_eq!(give("presence", "0").await.json()["errors"][0]["pointer"], "/version");
    assert_eq!(give("world peace", "1").await.json()["errors"][0]["pointer"], "/purpose");
    let given = give("presence", "1").await;
    assert_eq!((given.status, &given.json()["holds"]), (200, &json!(true)), "{}", given.text);
    assert_eq!(give("presence", "1").await.json()["given"], given.json()["given"], "again changes nothing");
    assert_eq!(ann.ask("DELETE", "/api/v1/consents/presence", None).await.status, 204);
    assert_eq!(ann.ask("DELETE", "/api/v1/consents/presence", None).await.problem(), "not-found");
    let listed = ann.ask("GET", "/api/v1/consents", None).await.json()["items"][0].clone();
    assert_eq!((&listed["given"], &listed["holds"]), (&Value::Null, &json!(false)));
    world.stop().await;
}

#[tokio::test]
async fn a_phone_is_spoken_for_by_its_application_alone_and_a_device_by_a_key() {
    let world = World::new().await;
    let (ann, ben) = (Person::shopper(&world, "ann").await, Person::shopper(&world, "ben").await);
    let phone = ann.register("Pixel").await;
    let gateway = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "Door"})).await;
    let report = |device: &str| format!("/api/v1/pings?device={device}");
    let taken = ann.ask("POST", &report(&phone), Some(batch(3))).await;
    assert_eq!(taken.json(), json!({"boot": "b1", "through": 3, "refused": []}), "{}", taken.text);
    assert_eq!(ben.ask("POST", &report(&phone), Some(batch(4))).await.problem(), "not-found");
    assert_eq!(ann.ask("POST", &report(&gateway), Some(batch(4))).await.problem(), "not-found");
    assert_eq!(world.post(&report(&gateway), &batch(0)).await.status, 200);
    // Nobody else speaks for a person's phone: not the organization, and not another application of the person.
    assert_eq!(world.post(&report(&phone), &batch(5)).await.problem(), "not-found");
    let account = world.app.store.account_with_email("ann@example.org").await.unwrap().unwrap().id;
    let app = Person { world: &world, token: token_of_person(&world, account, "pings:write").await };
    assert_eq!(app.ask("POST", &report(&phone), Some(batch(5))).await.problem(), "not-found");
    assert_eq!(app.ask("GET", "/api/v1/phones", None).await.json()["items"], json!([]));
    assert_eq!(app.ask("DELETE", &format!("/api/v1/phones/{phone}"), None).await.problem(), "not-found");
    let foreign = world.foreign_key().await;
    let request = world.request("POST", &report(&gateway)).bearer_auth(foreign).json(&batch(0));
    assert_eq!(Answer::to(request).await.problem(), "not-found");
    // Also for whoever may do everything: a token of theirs is in the hands of an application.
    let owner = world.person("owner", BuiltInRole::Owner).await;
    let owner = Person { world: &world, token: token_of_person(&world, owner, "pings:write").await };
    assert_eq!(owner.ask("POST", &report(&gateway), Some(batch(1))).await.problem(), "not-found");
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_batch_is_told() {
    let world = World::new().await;
    let gateway = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "Door"})).await;
    let path = format!("/api/v1/pings?device={gateway}");
    let send = async |body: Vec<u8>, content_type: &str| {
        Answer::to(world.signed("POST", &path).header("content-type", content_type).body(body)).await
    };
    assert_eq!(send(b"{}".to_vec(), "application/json").await.problem(), "unreadable-batch");
    assert_eq!(send(vec![0xff; 3], "application/cbor").await.problem(), "unreadable-batch");
    assert_eq!(send(vec![], "application/json").await.problem(), "unreadable-batch");
    let large = serde_json::to_vec(&json!({"boot": "b1", "seq": 1, "pings": [], "x": "y".repeat(200_000)}));
    assert_eq!(send(large.unwrap(), "application/json").await.status, 200, "more than other bodies may have");
    assert_eq!(send(vec![b' '; 256 * 1024 + 1], "application/json").await.problem(), "body-too-large");
    assert_eq!(world.post("/api/v1/pings", &batch(0)).await.problem(), "invalid-query");
    assert_eq!(world.post("/api/v1/pings?device=x", &batch(0)).await.problem(), "invalid-query");
    assert_eq!(world.post(&format!("{path}&x=1"), &batch(0)).await.problem(), "invalid-query");
    world.stop().await;
}

#[tokio::test]
async fn what_is_good_for_ones_own_phones_is_not_given_away() {
    let world = World::new().await;
    let scopes = json!(["admin", "venues:read"]);
    let role = world.make("/api/v1/roles", &json!({"name": "Key maker", "scopes": scopes})).await;
    let account = world.person("ann", BuiltInRole::Installer).await;
    let patched = world.patch(&format!("/api/v1/members/{account}"), &json!({"role": role})).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let token = token_of_person(&world, account, "admin venues:read pings:write").await;
    let make = async |scope: &str| {
        let body = json!({"name": "made", "scopes": [scope]});
        Answer::to(world.request("POST", "/api/v1/keys").bearer_auth(&token).json(&body)).await
    };
    assert_eq!(make("venues:read").await.status, 201);
    let refused = make("pings:write").await;
    assert_eq!((refused.status, &refused.json()["scope"]), (403, &json!("pings:write")));
    world.stop().await;
}
