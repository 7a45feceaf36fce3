//! Applications that ask for access.

use serde_json::{Value, json};
use store::Change;

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

const LIST: &str = "/api/v1/clients";
const GOOGLE: &str = "https://oauth-redirect.googleusercontent.com/r/my-project";

fn public() -> Value {
    json!({"name": "App", "kind": "public", "scopes": ["openid", "devices:read"],
        "redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb"]})
}

fn assistant() -> Value {
    json!({"name": "Home", "kind": "assistant", "party": "google", "scopes": ["devices:read", "commands:write"],
        "redirect_uris": [GOOGLE]})
}

/// A body with fields in the place of its own.
fn with(mut body: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The places of the mistakes that a refusal names.
fn pointers(refusal: &Value) -> Vec<&str> {
    refusal["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_client_from_the_first_to_the_last() {
    each_engine(async |world| {
        let issuer = world.app.identity.issuer().to_owned();
        let body = json!({"name": "Shop", "kind": "confidential", "logo": "https://shop.example/logo.svg",
            "redirect_uris": ["https://shop.example/cb?tenant=1"], "post_logout_uris": ["https://shop.example/bye"],
            "backchannel_logout_uri": "https://shop.example/out",
            "scopes": ["openid", "email", "venues:read"],
            "grants": ["refresh_token", "authorization_code", "client_credentials"],
            "resources": [format!("{issuer}/mqtt"), format!("{issuer}/api/v1")], "id_token_algorithm": "ES256"});
        let made = world.post(LIST, &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let mut client = made.json();
        let secret = client.as_object_mut().unwrap().remove("secret").unwrap();
        let secret = secret.as_str().unwrap();
        assert_eq!((&secret[..3], secret.len()), ("cs_", 46));
        let id = client["id"].as_str().unwrap().to_owned();
        let path = format!("{LIST}/{id}");
        assert_eq!(made.header("location"), path);
        let mut expected = with(body, &json!({"id": id, "party": null, "created_at": "2026-03-02T12:00:00Z",
            "disabled_at": null, "grants": ["authorization_code", "refresh_token", "client_credentials"]}));
        assert_eq!(client, expected);
        assert_eq!(world.get(&path).await.json(), expected);
        let listed = world.get(LIST).await;
        assert_eq!(listed.json()["items"], json!([expected]));
        assert!(!listed.text.contains("cs_"), "{}", listed.text);

        let change = json!({"name": "Shops", "logo": null, "backchannel_logout_uri": null, "scopes": ["openid"],
            "redirect_uris": ["https://shop.example/cb"], "post_logout_uris": [], "grants": ["authorization_code"],
            "resources": [], "id_token_algorithm": "EdDSA"});
        expected = with(expected, &change);
        let changed = world.patch(&path, &change).await;
        assert_eq!((changed.status, changed.json()), (200, expected.clone()));
        let changed = world.patch(&path, &json!({"name": "One"})).await.json();
        expected["name"] = json!("One");
        assert_eq!(changed, expected, "what is left out stays");
        assert_eq!(world.get(&path).await.json(), expected);

        let renewed = world.post(&format!("{path}/secret"), &json!({})).await;
        assert_eq!(renewed.status, 200, "{}", renewed.text);
        let renewed = renewed.json();
        assert_eq!(renewed["id"], json!(id));
        let store = &world.app.store;
        let id = id.parse().unwrap();
        assert!(store.sign_in_client(id, secret).await.unwrap().is_none(), "the one before is void");
        assert!(store.sign_in_client(id, renewed["secret"].as_str().unwrap()).await.unwrap().is_some());

        world.set_time(NOW + 1_000);
        assert_eq!(world.delete(&path).await.status, 204);
        expected["disabled_at"] = json!("2026-03-02T12:00:01Z");
        assert_eq!(world.get(&path).await.json(), expected);
        world.set_time(NOW + 2_000);
        assert_eq!(world.delete(&path).await.status, 204, "again");
        assert_eq!(world.get(LIST).await.json()["items"], json!([expected]), "it stays to be seen");
        assert!(store.sign_in_client(id, renewed["secret"].as_str().unwrap()).await.unwrap().is_none());
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn little_needs_to_be_said() {
    let world = World::new().await;
    let made = world.post(LIST, &public()).await.json();
    let expected = with(
        public(),
        &json!({"id": made["id"], "secret": null, "party": null, "logo": null,
        "post_logout_uris": [], "backchannel_logout_uri": null, "resources": [], "id_token_algorithm": "RS256",
        "grants": ["authorization_code", "refresh_token"], "created_at": "2026-03-02T12:00:00Z",
        "disabled_at": null}),
    );
    assert_eq!(made, expected, "a public client has no secret");
    let path = format!("{LIST}/{}/secret", made["id"].as_str().unwrap());
    world.post(&path, &json!({})).await.refused(409, "conflict");

    let kiosk = json!({"name": "Kiosk", "kind": "public", "scopes": ["movements:subscribe"],
        "grants": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]});
    let made = world.post(LIST, &kiosk).await;
    assert_eq!(made.status, 201, "who is sent nowhere needs no address: {}", made.text);
    world.stop().await;
}

#[tokio::test]
async fn an_assistant_has_the_addresses_of_its_party() {
    let world = World::new().await;
    let amazon = ["pitangui.amazon.com", "layla.amazon.com", "alexa.amazon.co.jp"]
        .map(|host| format!("https://{host}/api/skill/link/M2AAAAAAAAAAAA"));
    let google =
        [GOOGLE.to_owned(), "https://oauth-redirect-sandbox.googleusercontent.com/r/my-project".to_owned()];
    for (party, uris) in [("google", &google[..]), ("amazon", &amazon[..])] {
        let made =
            world.post(LIST, &with(assistant(), &json!({"party": party, "redirect_uris": uris}))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let made = made.json();
        assert_eq!((&made["party"], &made["redirect_uris"]), (&json!(party), &json!(uris)));
        assert!(made["secret"].as_str().unwrap().starts_with("cs_"));
        let path = format!("{LIST}/{}", made["id"].as_str().unwrap());
        let other = json!({"redirect_uris": ["https://app.example/cb"]});
        assert_eq!(
            pointers(&world.patch(&path, &other).await.refused(422, "invalid-body")),
            ["/redirect_uris/0"]
        );
        world.patch(&path, &json!({"party": "amazon"})).await.refused(422, "invalid-body");
    }
    for (change, places) in [
        (json!({"party": null}), vec!["/party"]),
        (json!({"party": "apple"}), vec!["/party"]),
        (json!({"party": "amazon"}), vec!["/redirect_uris/0"]),
        (json!({"kind": "confidential"}), vec!["/party"]),
        (json!({"redirect_uris": []}), vec!["/redirect_uris"]),
        (
            json!({"redirect_uris": [GOOGLE, format!("{GOOGLE}/x"), "https://app.example/cb"]}),
            vec!["/redirect_uris/1", "/redirect_uris/2"],
        ),
        (json!({"grants": ["authorization_code", "client_credentials"]}), vec!["/grants"]),
        (json!({"post_logout_uris": ["http://127.0.0.1/bye"]}), vec!["/post_logout_uris/0"]),
    ] {
        let refusal = world.post(LIST, &with(assistant(), &change)).await.refused(422, "invalid-body");
        assert_eq!(pointers(&refusal), places, "{change}: {refusal}");
    }
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let world = World::new().await;
    let id = world.make(LIST, &public()).await;
    let path = format!("{LIST}/{id}");
    for (change, places) in [
        (json!({"name": ""}), vec!["/name"]),
        (json!({"name": "x".repeat(101)}), vec!["/name"]),
        (json!({"logo": "http://app.example/logo.png"}), vec!["/logo"]),
        (json!({"logo": "javascript:alert(1)"}), vec!["/logo"]),
        (json!({"backchannel_logout_uri": "com.example.app:/out"}), vec!["/backchannel_logout_uri"]),
        (json!({"scopes": []}), vec!["/scopes"]),
        (json!({"scopes": ["openid", "phone", "openid"]}), vec!["/scopes/1", "/scopes/2"]),
        (json!({"scopes": vec!["openid"; 101]}), vec!["/scopes"]),
        (json!({"grants": []}), vec!["/grants"]),
        (json!({"grants": ["password", "implicit"]}), vec!["/grants/0", "/grants/1", "/grants"]),
        (json!({"grants": ["client_credentials"]}), vec!["/grants"]),
        (json!({"redirect_uris": []}), vec!["/redirect_uris"]),
        (json!({"redirect_uris": vec!["https://app.example/cb"; 51]}), vec!["/redirect_uris"]),
        (json!({"post_logout_uris": ["https://app.example/#x"]}), vec!["/post_logout_uris/0"]),
        (json!({"resources": ["https://app.example/api/v1"]}), vec!["/resources/0"]),
        (json!({"id_token_algorithm": "none"}), vec!["/id_token_algorithm"]),
        (json!({"id_token_algorithm": "HS256", "name": " "}), vec!["/id_token_algorithm", "/name"]),
    ] {
        let refusal = world.post(LIST, &with(public(), &change)).await.refused(422, "invalid-body");
        assert_eq!(pointers(&refusal), places, "{change}: {refusal}");
        let refusal = world.patch(&path, &change).await.refused(422, "invalid-body");
        assert_eq!(pointers(&refusal), places, "{change}: {refusal}");
    }
    let long = format!("https://app.example/{}", "x".repeat(2_000));
    let wrong = [
        "/cb",
        "http://localhost/cb",
        "https://app.example/cb#f",
        "https://me@app.example/",
        "javascript:alert(1)",
        "http://app.example/cb",
        "http://127.0.0.1/cb",
        &long,
    ];
    let uris: Vec<&str> =
        ["https://app.example/cb", "http://127.0.0.1/cb"].into_iter().chain(wrong).collect();
    let refusal = world.patch(&path, &json!({"redirect_uris": uris})).await.refused(422, "invalid-body");
    let places: Vec<String> = (2..10).map(|at| format!("/redirect_uris/{at}")).collect();
    assert_eq!(pointers(&refusal), places, "{refusal}");
    for (body, place) in [
        (with(public(), &json!({"kind": "native"})), "/kind"),
        (with(public(), &json!({"kind": null})), "/kind"),
        (with(public(), &json!({"secret": "mine"})), "/secret"),
        (with(public(), &json!({"kind": "confidential"})), "/redirect_uris/0"),
        (json!({"name": "A", "kind": "public"}), "/scopes"),
    ] {
        assert_eq!(pointers(&world.post(LIST, &body).await.refused(422, "invalid-body"))[0], place, "{body}");
    }
    for (method, path) in [("GET", "x"), ("PATCH", "x"), ("DELETE", "x"), ("POST", "x/secret")] {
        let request = world.signed(method, &format!("{LIST}/{path}")).json(&json!({}));
        Answer::to(request).await.refused(404, "not-found");
    }
    assert_eq!(world.get(LIST).await.all("name"), [json!("App")], "and nothing was made or changed");
    world.stop().await;
}

#[tokio::test]
async fn a_client_asks_for_no_more_than_whoever_has_to_do_with_it_may_do() {
    let world = World::new().await;
    let maker = world.key_with("admin devices:read mqtt:subscribe:a/#").await;
    let send = |method: &str, path: &str, body: Value| {
        Answer::to(world.request(method, path).bearer_auth(&maker).json(&body))
    };
    let own = json!({"scopes": ["openid", "offline_access", "devices:read", "mqtt:subscribe:a/#"]});
    let made = send("POST", LIST, with(public(), &own)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let own = format!("{LIST}/{}", made.json()["id"].as_str().unwrap());
    for scope in ["*", "commands:write", "mqtt:subscribe:#", "mqtt:publish:a/#"] {
        let body = json!({"scopes": ["openid", scope]});
        let refusal = send("POST", LIST, with(public(), &body)).await.refused(403, "missing-scope");
        assert_eq!(refusal["scope"], scope);
        assert_eq!(send("PATCH", &own, body).await.refused(403, "missing-scope")["scope"], scope);
    }
    let wider = world.make(LIST, &assistant()).await;
    let wider = format!("{LIST}/{wider}");
    for answer in [
        send("PATCH", &wider, json!({"redirect_uris": [format!("{GOOGLE}-2")]})).await,
        send("PATCH", &wider, json!({"scopes": ["openid"]})).await,
        send("POST", &format!("{wider}/secret"), json!({})).await,
    ] {
        assert_eq!(answer.refused(403, "missing-scope")["scope"], "commands:write");
    }
    assert_eq!(send("DELETE", &wider, json!({})).await.status, 204, "any admin may put an end to it");
    world.stop().await;
}

#[tokio::test]
async fn with_a_client_everything_ends_that_it_was_allowed() {
    each_engine(async |world| {
        let ada = world.person("ada", store::BuiltInRole::Owner).await;
        let (first, other) = (world.link(ada).await, world.link(ada).await);
        let store = &world.app.store;
        let client = store.grant(world.organization, first).await.unwrap().client;
        let token = store.issue_refresh_token(first, None, world.app.clock.now()).await.unwrap();
        let mut changes = world.app.live.changes();
        assert_eq!(world.delete(&format!("{LIST}/{client}")).await.status, 204);
        assert_eq!(changes.try_next(), Some(Change::Client(client)));
        assert_eq!(changes.try_next(), Some(Change::Grant(first)));
        assert_eq!(changes.try_next(), None);
        assert!(!store.grant_standing(first).await.unwrap().unwrap().is_good());
        assert!(store.grant_standing(other).await.unwrap().unwrap().is_good(), "another client's");
        let refreshed = store.refresh(client, &token.text(), None, world.app.clock.now()).await.unwrap();
        assert!(matches!(refreshed, store::Refresh::Unknown), "{refreshed:?}");
        world.stop().await;
    })
    .await;
}
