//! Fleets that come in with a key in their image.

use serde_json::{Value, json};

use crate::engines::each_engine;
use crate::enrolments::Newcomer;
use crate::world::{Answer, HOUR, NOW, World};

const LIST: &str = "/api/v1/claim-keys";

async fn make(world: &World, body: &Value) -> Value {
    let made = world.post(LIST, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

async fn listed(world: &World) -> Vec<Value> {
    world.get(LIST).await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_fleet_comes_in_up_to_its_quota() {
    each_engine(async |world| {
        let venue = world.make_venue().await;
        let body = json!({"name": "Spring", "kind": "gateway", "venue": venue, "approval": "automatic", "quota": 1,
            "expires_at": "2026-03-03T12:00:00Z"});
        let made = world.post(LIST, &body).await;
        assert_eq!(made.header("location"), format!("{LIST}/{}", made.json()["id"].as_str().unwrap()));
        let mut key = made.json();
        let secret = key.as_object_mut().unwrap().remove("secret").unwrap();
        let expected = json!({"id": key["id"], "name": "Spring", "kind": "gateway", "venue": venue,
            "approval": "automatic", "quota": 1, "used": 0, "refused": 0, "last_refusal": null,
            "created_at": "2026-03-02T12:00:00Z", "expires_at": "2026-03-03T12:00:00Z", "revoked_at": null});
        assert_eq!(key, expected);
        assert_eq!(listed(&world).await, [expected]);

        let asks = json!({"kind": "gateway", "serial": "SN-1", "claim_key": secret});
        world.set_time(NOW + 1);
        let one = Newcomer::begin(&world, &asks).await;
        world.set_time(NOW + 2);
        let fetched = one.poll(&world).await;
        assert_eq!(fetched.status, 200, "it waits for nobody: {}", fetched.text);
        let device = fetched.json()["device"].as_str().unwrap().to_owned();
        let device = world.get(&format!("/api/v1/devices/{device}")).await.json();
        assert_eq!((&device["name"], &device["venue"]), (&json!("SN-1"), &json!(venue)));

        let refused = Newcomer::ask(&world, "192.0.2.1", &asks).await.refused(403, "claim-key-refused");
        assert_eq!(refused["reason"], "used_up");
        let [seen] = &listed(&world).await[..] else { panic!("one key") };
        let last = json!({"reason": "used_up", "at": "2026-03-02T12:00:00.002Z", "address": "192.0.2.1"});
        assert_eq!((&seen["used"], &seen["refused"], &seen["last_refusal"]), (&json!(1), &json!(1), &last));
        let audit = world.get("/api/v1/audit").await;
        let what = audit.all("what");
        assert_eq!(what, ["enrolment_collected", "enrolment_approved", "claim_key_made"].map(Value::from));
        assert_eq!(audit.json()["items"][1]["detail"]["by"]["claim_key"], key["id"]);
        assert_eq!(audit.json()["items"][1]["address"], "192.0.2.1");
        assert!(!audit.text.contains("ck_"), "{}", audit.text);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_fleet_that_waits_is_listed_and_let_in_by_id() {
    each_engine(async |world| {
        let body = json!({"name": "Spring", "kind": "gateway", "approval": "manual", "quota": 5});
        let key = make(&world, &body).await;
        let asks = json!({"kind": "gateway", "serial": "SN-1", "claim_key": key["secret"]});
        let asked = Newcomer::ask(&world, "192.0.2.1", &asks).await.json();
        assert_eq!((&asked["expires_in"], &asked["interval"]), (&json!(86_400), &json!(30)));
        let one = Newcomer::begin(&world, &asks).await;
        let waiting = world.get("/api/v1/enrolments").await;
        assert_eq!(waiting.all("serial"), [json!("SN-1")], "the same device once");
        assert_eq!(waiting.all("claim_key"), [key["id"].clone()]);
        let id = waiting.all("id")[0].as_str().unwrap().to_owned();
        let path = format!("/api/v1/enrolments/{id}");
        let foreign = world.foreign_key().await;
        for (method, path) in
            [("GET", path.clone()), ("POST", format!("{path}/approve")), ("POST", format!("{path}/deny"))]
        {
            let answer =
                Answer::to(world.request(method, &path).bearer_auth(&foreign).json(&json!({}))).await;
            answer.refused(404, "not-found");
        }
        assert_eq!(world.post(&format!("{path}/approve"), &json!({})).await.status, 200);
        assert_eq!(one.poll(&world).await.status, 200);

        let two = Newcomer::begin(&world, &json!({"kind": "gateway", "claim_key": key["secret"]})).await;
        let path = format!("{LIST}/{}", key["id"].as_str().unwrap());
        let taken = Answer::to(world.request("DELETE", &path).bearer_auth(&foreign)).await;
        taken.refused(404, "not-found");
        assert_eq!(world.delete(&path).await.status, 204);
        world.delete(&path).await.refused(404, "not-found");
        two.poll(&world).await.refused(400, "enrolment-denied");
        let refused = Newcomer::ask(&world, "192.0.2.1", &asks).await.refused(403, "claim-key-refused");
        assert_eq!(refused["reason"], "revoked");
        let [seen] = &listed(&world).await[..] else { panic!("one key") };
        assert_eq!((&seen["revoked_at"], &seen["refused"]), (&json!("2026-03-02T12:00:00Z"), &json!(1)));
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_says_why_it_lets_nobody_in() {
    let world = World::new().await;
    let body = json!({"name": "K", "kind": "gateway", "approval": "automatic", "quota": 9,
        "expires_at": "2026-03-02T13:00:00Z"});
    let key = make(&world, &body).await;
    let reason = async |kind: &str, key: &Value| {
        let body = json!({"kind": kind, "claim_key": key});
        Newcomer::ask(&world, "192.0.2.1", &body).await.refused(403, "claim-key-refused")["reason"].clone()
    };
    assert_eq!(reason("gateway", &json!("ck_nothing")).await, "unknown");
    assert_eq!(reason("gateway", &json!("")).await, "unknown");
    assert_eq!(reason("kiosk", &key["secret"]).await, "wrong_kind");
    world.set_time(NOW + HOUR);
    assert_eq!(reason("gateway", &key["secret"]).await, "expired");
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("promenade_http_refusals_total{cause=\"claim-key-refused\"} 4"), "{metrics}");
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named_and_a_repeat_shows_no_secret() {
    let world = World::new().await;
    let body = |field: &str, value: Value| {
        let mut body = json!({"name": "K", "kind": "gateway", "approval": "manual", "quota": 1});
        body[field] = value;
        body
    };
    for (field, value) in [
        ("name", json!("")),
        ("kind", json!("toaster")),
        ("approval", json!("maybe")),
        ("quota", json!(0)),
        ("quota", json!(100_001)),
        ("quota", json!(-1)),
        ("expires_at", json!("2026-03-02T12:00:00Z")),
        ("venue", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
        ("colour", json!("red")),
    ] {
        let refused = world.post(LIST, &body(field, value.clone())).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{value}");
    }
    let post = || world.signed("POST", LIST).header("idempotency-key", "k").json(&body("quota", json!(1)));
    let (first, again) = (Answer::to(post()).await.json(), Answer::to(post()).await.json());
    assert!(first["secret"].as_str().unwrap().starts_with("ck_"));
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_changed_and_says_how_it_is() {
    each_engine(async |world| {
        let body = json!({"name": "K", "kind": "gateway", "approval": "automatic", "quota": 1,
            "expires_at": "2026-03-02T13:00:00Z"});
        let key = make(&world, &body).await;
        let path = format!("{LIST}/{}", key["id"].as_str().unwrap());
        let explain = format!("{path}/explain");
        let asks = json!({"kind": "gateway", "claim_key": key["secret"]});
        Newcomer::begin(&world, &asks).await;
        Newcomer::ask(&world, "192.0.2.9", &asks).await.refused(403, "claim-key-refused");
        let told = world.get(&explain).await;
        assert_eq!((&told.json()["lets_in"], &told.json()["name"]), (&json!(false), &json!("K")));
        assert!(told.text.contains("192.0.2.9") && told.text.contains("1 of 1"), "{}", told.text);

        let changed = world.patch(&path, &json!({"quota": 2, "name": "Kay", "expires_at": null})).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let changed = changed.json();
        assert_eq!(
            (&changed["quota"], &changed["name"], &changed["expires_at"], &changed["used"]),
            (&json!(2), &json!("Kay"), &Value::Null, &json!(1))
        );
        world.set_time(NOW + HOUR);
        assert_eq!(world.get(&explain).await.json()["lets_in"], true);
        Newcomer::begin(&world, &asks).await;
        let lower = world.patch(&path, &json!({"quota": 1})).await;
        assert_eq!(lower.status, 200, "{}", lower.text);
        Newcomer::ask(&world, "192.0.2.9", &asks).await.refused(403, "claim-key-refused");

        for (field, value) in [
            ("quota", json!(0)),
            ("quota", json!(100_001)),
            ("name", json!("")),
            ("expires_at", json!("2026-03-02T12:00:00Z")),
            ("kind", json!("kiosk")),
        ] {
            let refused = world.patch(&path, &json!({field: value})).await.refused(422, "invalid-body");
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{value}");
        }
        let foreign = world.foreign_key().await;
        for (method, path) in [("PATCH", &path), ("GET", &explain)] {
            let request = world.request(method, path).bearer_auth(&foreign).json(&json!({}));
            Answer::to(request).await.refused(404, "not-found");
        }
        assert_eq!(world.delete(&path).await.status, 204);
        world.patch(&path, &json!({"quota": 5})).await.refused(404, "not-found");
        assert!(world.get(&explain).await.text.contains("taken back"));
        let audit = world.get("/api/v1/audit").await.all("what");
        assert!(audit.contains(&json!("claim_key_changed")), "{audit:?}");
        world.stop().await;
    })
    .await;
}
