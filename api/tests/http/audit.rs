//! What is written down.

use serde_json::{Value, json};
use store::BuiltInRole;

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

#[tokio::test]
async fn what_was_done_is_read_newest_first() {
    each_engine(async |world| {
        let ada = world.person("ada", BuiltInRole::Owner).await;
        let ben = world.person("ben", BuiltInRole::Analyst).await;
        let mut time = NOW;
        let mut later = || {
            time += 1_000;
            world.set_time(time);
        };
        later();
        let role = world.make("/api/v1/roles", &json!({"name": "Guard", "scopes": ["venues:read"]})).await;
        later();
        world.patch(&format!("/api/v1/members/{ben}"), &json!({"role": role})).await;
        later();
        world.delete(&format!("/api/v1/members/{ben}")).await;
        later();
        world.patch(&format!("/api/v1/roles/{role}"), &json!({"scopes": ["stays:read"]})).await;
        later();
        world.delete(&format!("/api/v1/roles/{role}")).await;
        later();
        let body = json!({"email": "eva@example.org", "role": "admin"});
        let invitation = world.make("/api/v1/invitations", &body).await;
        later();
        world.delete(&format!("/api/v1/invitations/{invitation}")).await;
        later();
        let grant = world.link(ada).await;
        let client = world.get("/api/v1/clients").await.all("id")[0].as_str().unwrap().to_owned();
        later();
        world.patch(&format!("/api/v1/clients/{client}"), &json!({"name": "New"})).await;
        later();
        world.post(&format!("/api/v1/clients/{client}/secret"), &json!({})).await;
        later();
        world.delete(&format!("/api/v1/grants/{grant}")).await;
        world.delete(&format!("/api/v1/grants/{grant}")).await;
        later();
        world.delete(&format!("/api/v1/clients/{client}")).await;
        world.delete(&format!("/api/v1/clients/{client}")).await;
        later();
        let key = world.make("/api/v1/keys", &json!({"name": "K", "scopes": ["admin"]})).await;
        later();
        world.delete(&format!("/api/v1/keys/{key}")).await;
        later();
        // What is refused did not happen.
        world.delete(&format!("/api/v1/members/{ada}")).await.refused(409, "conflict");
        world.post("/api/v1/roles", &json!({"name": "owner", "scopes": ["venues:read"]})).await;

        let words = [
            "key_deleted",
            "key_made",
            "client_disabled",
            "unlinked",
            "client_secret_renewed",
            "client_changed",
            "client_made",
            "invitation_withdrawn",
            "invited",
            "role_deleted",
            "role_changed",
            "member_removed",
            "member_changed",
            "role_made",
        ];
        let log = world.get("/api/v1/audit").await;
        assert_eq!(log.all("what"), words.map(Value::from), "{}", log.text);
        let entries = log.json()["items"].clone();
        let changed = &entries[12];
        assert_eq!((&changed["account"], &changed["at"]), (&json!(ben), &json!("2026-03-02T12:00:02Z")));
        assert_eq!(
            (&changed["detail"]["role"], &changed["detail"]["before"]),
            (&json!(role), &json!("analyst"))
        );
        assert!(changed["detail"]["by"]["key"].is_string(), "{changed}");
        assert_eq!(entries[3]["account"], json!(ada), "whose link it was");
        for secret in ["pk_", "cs_", "in_"] {
            let has = |entry: &Value| entry["detail"].to_string().contains(&format!("\"{secret}"));
            assert!(!entries.as_array().unwrap().iter().any(has), "{secret}: {}", log.text);
        }
        let own = world.app.store.audit_of_account(ben, store::Page::first(9)).await.unwrap();
        assert_eq!(own.items.len(), 2, "the person reads it too");

        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/api/v1/audit?limit=4{cursor}")).await;
            seen.extend(page.all("what"));
            let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, words.map(Value::from));
        let foreign = world.foreign_key().await;
        let theirs = Answer::to(world.request("GET", "/api/v1/audit").bearer_auth(foreign)).await;
        assert_eq!(theirs.json(), json!({"items": [], "next_cursor": null}));
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_access_token_is_named_by_its_grant() {
    let world = World::new().await;
    let token = world.token_with(&["admin", "venues:read"]).await;
    world.set_time(NOW + 1_000);
    let body = json!({"name": "Guard", "scopes": ["venues:read"]});
    let made = Answer::to(world.request("POST", "/api/v1/roles").bearer_auth(token).json(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let entry = world.get("/api/v1/audit?limit=1").await.json()["items"][0].clone();
    let grant = world.get("/api/v1/grants").await.all("id")[0].clone();
    assert_eq!((&entry["what"], &entry["detail"]["by"]["grant"]), (&json!("role_made"), &grant));
    world.stop().await;
}

#[tokio::test]
async fn who_reads_of_single_subjects_is_written_down_once_a_minute() {
    each_engine(async |world| {
        let venue = world.make_venue().await;
        let key = world.key_with("stays:read movements:subscribe analytics:read").await;
        let get = async |path: &str| {
            let path = format!("/api/v1/venues/{venue}/{path}");
            let asked = world.request("GET", &path).bearer_auth(&key).header("x-forwarded-for", "192.0.2.7");
            asked.send().await.unwrap().status().as_u16()
        };
        let day = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
        let asked = [
            (format!("stays?{day}"), 200),
            (format!("stays?{day}&limit=7"), 200),
            ("live".to_owned(), 200),
            ("live".to_owned(), 200),
            (format!("footfall?{day}&bucket=hour"), 200),
            ("stays".to_owned(), 400),
        ];
        for (second, (path, status)) in (0..).zip(asked) {
            world.set_time(NOW + second * 1_000);
            assert_eq!(get(&path).await, status, "{path}");
        }
        let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
        let of_nobody = world.get(&format!("/api/v1/venues/{missing}/stays?{day}")).await;
        assert_eq!(of_nobody.status, 404);
        let log = async || world.get("/api/v1/audit").await.json()["items"].clone();
        let read = log().await;
        let words: Vec<_> = read.as_array().unwrap().iter().map(|entry| entry["what"].clone()).collect();
        assert_eq!(
            words,
            ["movements_read", "stays_read"],
            "what is refused or tells of nobody is not there"
        );
        let stays = &read[1];
        assert_eq!(stays["detail"]["venue"], json!(venue));
        assert_eq!(stays["detail"]["from"], json!("2026-03-01T00:00:00Z"));
        assert!(stays["detail"]["by"]["key"].is_string(), "{stays}");
        assert_eq!(stays["address"], json!("192.0.2.7"));
        world.set_time(NOW + 60_000);
        get(&format!("stays?{day}")).await;
        assert_eq!(log().await.as_array().unwrap().len(), 3, "a minute later it is another read");
        world.stop().await;
    })
    .await;
}
