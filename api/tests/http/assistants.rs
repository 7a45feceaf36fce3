//! What people see and set of voice assistants.

use serde_json::{Value, json};
use store::{Assistant, BuiltInRole, LinkState, PinTry};

use crate::engines::each_engine;
use crate::tokens::token_of_person;
use crate::world::{Answer, NOW, World};

const LINKS: &str = "/voice/links";

#[tokio::test]
async fn a_person_sees_how_it_is_with_their_links() {
    each_engine(async |world| {
        let ann = world.person("ann", BuiltInRole::Operator).await;
        let ben = world.person("ben", BuiltInRole::Operator).await;
        let grant = world.link(ann).await;
        let (store, organization) = (&world.app.store, world.organization);
        let token = token_of_person(&world, ann, "openid devices:read").await;
        let links = async |token: &str| Answer::to(world.request("GET", LINKS).bearer_auth(token)).await;
        assert_eq!(links(&token).await.json(), json!({"items": [], "next_cursor": null}));
        for assistant in [Assistant::Google, Assistant::Alexa] {
            let now = world.app.clock.now();
            store.link_assistant(organization, ann, assistant, grant, true, now).await.unwrap();
        }
        world.set_time(NOW + 5_000);
        let (google, broken) = (Assistant::Google, LinkState::Broken);
        let now = world.app.clock.now();
        store.end_assistant_link(organization, ann, google, grant, broken, now).await.unwrap();
        let items = links(&token).await.json()["items"].clone();
        let alexa = json!({"assistant": "alexa", "state": "linked", "reports": false, "venues": true,
            "linked_at": "2026-03-02T12:00:00Z", "changed_at": "2026-03-02T12:00:00Z"});
        let google = json!({"assistant": "google", "state": "broken", "reports": false, "venues": true,
            "linked_at": "2026-03-02T12:00:00Z", "changed_at": "2026-03-02T12:00:05Z"});
        assert_eq!(items, json!([alexa, google]));

        let bens = token_of_person(&world, ben, "openid devices:read").await;
        assert_eq!(links(&bens).await.json()["items"], json!([]), "nobody else's");
        links(&world.key).await.refused(409, "no-person");
        links("nobody").await.refused(401, "unauthenticated");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_pin_is_set_and_removed_and_nobody_reads_it() {
    let world = World::new().await;
    let gate = world.make("/api/v1/devices", &json!({"kind": "appliance", "name": "Gate"})).await;
    let path = format!("/voice/devices/{gate}/pin");
    let put = async |body: Value| Answer::to(world.signed("PUT", &path).json(&body)).await;
    for wrong in [json!({}), json!({"pin": "12"}), json!({"pin": "abcd"}), json!({"pin": 1234}), json!([])] {
        assert_eq!(put(wrong.clone()).await.problem(), "invalid-body", "{wrong}");
    }
    assert_eq!(world.delete(&path).await.status, 204, "it has none, as it should");
    let ann = world.person("ann", BuiltInRole::Installer).await;
    let token = token_of_person(&world, ann, "openid devices:write").await;
    let set = world.request("PUT", &path).bearer_auth(&token).json(&json!({"pin": "73019264"}));
    let set = Answer::to(set).await;
    assert_eq!((set.status, set.text.as_str()), (204, ""));
    let device = gate.parse().unwrap();
    let tried = async || {
        let now = world.app.clock.now();
        world.app.store.try_device_pin(world.organization, device, now).await.unwrap()
    };
    let PinTry::Counted { pin, .. } = tried().await else { panic!("it has a PIN") };
    assert!(!String::from_utf8_lossy(&pin).contains("73019264"), "a hash");
    world.set_time(NOW + 1_000);
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(tried().await, PinTry::NoPin);

    let log = world.get("/api/v1/audit").await;
    let words = log.all("what");
    let of_pins: Vec<_> =
        words.iter().filter_map(Value::as_str).filter(|what| what.contains("pin")).collect();
    assert_eq!(of_pins, ["pin_removed", "pin_set"], "{}", log.text);
    assert!(log.text.contains("\"name\":\"Gate\"") && !log.text.contains("73019264"), "{}", log.text);
    let own = world.app.store.audit_of_account(ann, store::Page::first(9)).await.unwrap();
    let own: Vec<_> = own.items.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(own, ["pin_set"], "the person reads what they did");
    world.stop().await;
}
