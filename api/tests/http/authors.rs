//! Who ordered: keys, people and clients, and operators whose signatures the server cannot check.

use protocol::SignedOrder;
use serde_json::{Value, json};
use store::BuiltInRole;

use crate::commands::{id_of, lamp};
use crate::tokens::token_of_person;
use crate::world::{Answer, NOW, World};

const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn an_author_is_a_key_a_person_or_a_client() {
    let world = World::new().await;
    let (_, path) = lamp(&world).await;
    let author = async |token: &str| {
        let request = world.request("POST", &path).bearer_auth(token).json(&json!({"name": "identify"}));
        let given = Answer::to(request).await;
        assert_eq!(given.status, 202, "{}", given.text);
        given.json()["author"].as_str().unwrap().to_owned()
    };
    let key = world.key_with("commands:write").await;
    assert!(author(&key).await.starts_with("key:"));
    let service = world.service(&["commands:write"]).await;
    let token = world.ask_for_token(&service).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(author(&token).await, format!("client:{}", service.0));
    let account = world.person("ada", BuiltInRole::Operator).await;
    let token = token_of_person(&world, account, "commands:write").await;
    assert_eq!(author(&token).await, format!("account:{account}"));
    world.stop().await;
}

#[tokio::test]
async fn a_signed_order_says_everything_itself() {
    let world = World::new().await;
    let (device, path) = lamp(&world).await;
    let order = |device: &str| {
        json!({"device": device, "name": "on_off.set", "args": {"on": true}, "deadline": NOW + 60_000,
            "nonce": "0123456789abcdef"})
    };
    let given = world.post(&path, &json!({"signed": jws(&order(&device.to_string()))})).await;
    assert_eq!(given.status, 202, "{}", given.text);
    let given = given.json();
    assert_eq!(
        (&given["signed"], &given["name"], &given["args"], &given["deadline"]),
        (&json!(true), &json!("on_off.set"), &json!({"on": true}), &json!("2026-03-02T12:01:00Z"))
    );
    let kept = world.app.store.command(world.organization, id_of(&given)).await.unwrap();
    assert_eq!(kept.signed, Some(jws(&order(&device.to_string()))));
    let mut beyond = order(&device.to_string());
    beyond["name"] = json!("volume.set");
    beyond["args"] = json!({"percent": 40});
    let mut zero = order(&device.to_string());
    zero["name"] = json!("vendor.dance");
    zero["args"] = json!({"text": "\u{0}"});
    for (body, words) in [
        (jws(&order(NOWHERE)), "another device"),
        (jws(&zero), "U+0000"),
        (jws(&beyond), "not_supported"),
        ("e30.e30.e30".to_owned(), "the header"),
    ] {
        let refused = world.post(&path, &json!({"signed": body})).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["pointer"], "/signed");
        assert!(refused["errors"][0]["detail"].as_str().unwrap().contains(words), "{refused}");
    }
    world.stop().await;
}

/// What an operator's program prints. The server cannot tell a good signature from another.
fn jws(payload: &Value) -> String {
    let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE, "kid": "shop"});
    let [header, payload] = [&header, payload].map(|json| base64url(json.to_string().as_bytes()));
    format!("{header}.{payload}.{}", base64url(&[7; 64]))
}

fn base64url(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
}
