//! `promenade explain`.

use protocol::Timestamp;
use serde_json::json;
use store::Clock;

use crate::world::World;

#[tokio::test]
async fn a_device_is_explained_without_a_server_and_beside_one() {
    let world = World::new();
    let (device, _) = world.register().await;
    let id = device.to_string();
    let said = world.run(&["explain", &id]);
    assert!(said.succeeded, "{said:?}");
    for part in [
        "gateway `Door`",
        "connected      no",
        "healthy        no",
        "server_stopped: ",
        "never_signed_in: ",
        "stands in      no venue",
        "never saved anything",
    ] {
        assert!(said.out.contains(part), "{part} is not in {}", said.out);
    }

    let server = world.serve(&["--mqtt", "127.0.0.1:0"]);
    let (store, now) = (world.store().await, Clock::System.now());
    let organization = store.registered(device).await.expect("read").expect("there").device.organization;
    let facts = json!({
        "sign_in": {"at": now.0 - 5_000, "address": "10.0.0.7", "transport": "tls", "version": "5",
            "client_id": "gw\u{1b}[31m", "certificate": null},
        "connected_since": now.0 - 5_000, "last_message_at": now.0 - 1_000, "clock_offset_ms": 3,
        "limits": {"messages_per_s": {"count": 7, "last_at": now.0 - 1_000}}
    });
    store.save_facts(&[(organization, device, facts.to_string())], now).await.expect("saved");
    store.close().await;
    let said = world.run(&["explain", &id]);
    for part in [
        "connected      yes, since ",
        "throttled: ",
        "10.0.0.7 over tls, MQTT 5",
        "limit          messages_per_s: 7",
    ] {
        assert!(said.out.contains(part), "{part} is not in {}", said.out);
    }
    assert!(!said.out.contains('\u{1b}'), "a client cannot write to the terminal: {:?}", said.out);
    drop(server);
    let said = world.run(&["explain", &id]);
    assert!(said.out.contains("connected      no") && said.out.contains("server_stopped: "), "{said:?}");
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_was_deleted() {
    let world = World::new();
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let said = world.run(&["explain", nobody]);
    assert!(!said.succeeded && said.err.contains("no database"), "{said:?}");
    assert!(!world.store_is_there(), "looking makes nothing");
    let (device, _) = world.register().await;
    let said = world.run(&["explain", nobody]);
    assert!(!said.succeeded && said.err.contains(nobody), "{said:?}");
    let said = world.run(&["explain", "ck_secret"]);
    assert!(!said.succeeded && said.err.contains("that is no id"), "{said:?}");
    assert!(!said.err.contains("ck_secret"), "a secret that was taken for an id is repeated: {said:?}");
    let store = world.store().await;
    let organization = store.registered(device).await.expect("read").expect("there").device.organization;
    store.delete_device(organization, device, Timestamp(Clock::System.now().0 + 1)).await.expect("deleted");
    store.close().await;
    let said = world.run(&["explain", &device.to_string()]);
    assert!(said.succeeded && said.out.starts_with("deleted: "), "{said:?}");
}
