//! Why a device is offline, refused, throttled or silent; and the ledger of what was refused.

use protocol::{DeviceId, Timestamp};
use serde_json::{Value, json};
use store::{Append, Loss};

use crate::engines::each_engine;
use crate::world::{HOUR, NOW, World};

const MINUTE: i64 = 60_000;

async fn gateway(world: &World) -> (DeviceId, String) {
    let venue = world.make_venue().await;
    let body = json!({"kind": "gateway", "name": "Door", "venue": venue});
    let id = world.make("/api/v1/devices", &body).await;
    (id.parse().unwrap(), format!("/api/v1/devices/{id}"))
}

/// What the broker saves of a device that works.
async fn save_facts(world: &World, device: DeviceId, facts: &Value) {
    let facts = [(world.organization, device, facts.to_string())];
    world.app.store.save_facts(&facts, Timestamp(NOW - 1_000)).await.unwrap();
}

fn loss(world: &World, device: DeviceId, boot: Option<&str>, from: u64, cause: &str, begun: i64) -> Loss {
    Loss {
        organization: world.organization,
        device,
        boot: boot.map(|boot| boot.parse().unwrap()),
        cause: cause.parse().unwrap(),
        from,
        to: if boot.is_some() { from + 2 } else { 0 },
        batches: 3,
        recovered: u64::from(from == 9),
        first_at: Timestamp(NOW - begun),
        last_at: Timestamp(NOW - begun + MINUTE),
    }
}

async fn refuse(world: &World, losses: &[Loss]) {
    world.app.store.append(&Append { segments: &[], boots: &[], losses, now: Timestamp(NOW) }).await.unwrap();
}

#[tokio::test]
async fn a_device_that_was_never_there() {
    let world = World::new().await;
    let (device, path) = gateway(&world).await;
    let answer = world.get(&format!("{path}/explain")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let explanation = answer.json();
    assert_eq!(explanation["device"], device.to_string());
    assert_eq!(explanation["findings"][0]["code"], "never_signed_in");
    let three = [&explanation["connected"], &explanation["last_message_at"], &explanation["healthy"]];
    assert_eq!(three, [&json!(false), &Value::Null, &json!(false)]);
    assert_eq!(explanation["seen_at"], Value::Null);
    let beacon = world.make("/api/v1/devices", &json!({"kind": "tag", "name": "T"})).await;
    let explanation = world.get(&format!("/api/v1/devices/{beacon}/explain")).await.json();
    assert_eq!(
        (&explanation["healthy"], &explanation["findings"][0]["code"]),
        (&Value::Null, &json!("transmits_only"))
    );
    world.delete(&path).await;
    assert_eq!(world.get(&format!("{path}/explain")).await.problem(), "not-found");
    assert_eq!(world.get(&format!("{path}/losses")).await.problem(), "not-found");
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_known_is_told() {
    each_engine(async |world| {
        let (device, path) = gateway(&world).await;
        world.make_authority();
        let issued = world.post(&format!("{path}/credentials"), &json!({"kind": "certificate"})).await.json();
        let facts = json!({
            "sign_in": {"at": NOW - HOUR, "address": "10.0.0.7", "transport": "tls", "version": "5",
                "client_id": "gw-1", "certificate": issued["fingerprint"]},
            "refused_sign_in": {"at": NOW - 2 * HOUR, "address": "192.0.2.9", "cause": "bad_credentials"},
            "connected_since": NOW - HOUR, "disconnected": {"at": NOW - 2 * HOUR, "cause": "keep_alive_timeout"},
            "last_message_at": NOW - 2_000, "last_batch_at": NOW - 2_000, "last_ping_at": NOW - 2_500,
            "clock_offset_ms": 7_400, "limits": {"messages_per_s": {"count": 12, "last_at": NOW - MINUTE}},
            "refusals": {"publish_not_authorized": {"count": 1, "last_at": NOW - 2 * HOUR}}
        });
        save_facts(&world, device, &facts).await;
        world.app.live.connected(device, Timestamp(NOW - HOUR));
        refuse(&world, &[
            loss(&world, device, Some("k3v9"), 9, "rate_limited:pings_per_minute", HOUR),
            loss(&world, device, Some("k3v9"), 2, "clock_skew", 2 * HOUR),
        ])
        .await;
        let answer = world.get(&format!("{path}/explain")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut explanation = answer.json();
        let registration = &mut explanation["registration"];
        assert_eq!(registration["organization"].take(), world.organization.to_string());
        assert!(registration["venue"].take().is_string());
        assert_eq!(explanation["device"].take(), device.to_string());
        for place in ["/sign_in/certificate", "/certificates/0/fingerprint"] {
            assert_eq!(explanation.pointer_mut(place).unwrap().take(), issued["fingerprint"], "{place}");
        }
        assert_eq!(explanation["certificates"][0]["serial"].take(), issued["serial"]);
        insta::assert_json_snapshot!("explanation", explanation);

        // What is live counts more than what was saved.
        world.app.live.disconnected(device);
        let explanation = world.get(&format!("{path}/explain")).await.json();
        assert_eq!((&explanation["connected"], &explanation["connected_since"]), (&json!(false), &Value::Null));
        assert_eq!(explanation["findings"][0]["code"], "offline");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn facts_that_cannot_be_read_are_as_good_as_none() {
    let world = World::new().await;
    let (device, path) = gateway(&world).await;
    save_facts(&world, device, &json!({"sign_in": "yesterday"})).await;
    let explanation = world.get(&format!("{path}/explain")).await.json();
    assert_eq!(explanation["findings"][0]["code"], "never_signed_in");
    assert_eq!(explanation["seen_at"], "2026-03-02T11:59:59Z");
    world.stop().await;
}

#[tokio::test]
async fn the_ledger_is_read_page_by_page() {
    each_engine(async |world| {
        let (device, path) = gateway(&world).await;
        let path = format!("{path}/losses");
        assert_eq!(world.get(&path).await.json(), json!({"items": [], "next_cursor": null}));
        refuse(&world, &[
            loss(&world, device, Some("k3v9"), 9, "rate_limited:pings_per_minute", 3 * MINUTE),
            loss(&world, device, Some("k3v9"), 30, "too_old", 2 * MINUTE),
            loss(&world, device, None, 0, "unreadable", MINUTE),
        ])
        .await;
        let first = world.get(&format!("{path}?limit=2")).await.json();
        let expected = json!([
            {"boot": null, "from": null, "to": null, "cause": "unreadable", "batches": 3, "recovered": 0, "open": false,
                "first_at": "2026-03-02T11:59:00Z", "last_at": "2026-03-02T12:00:00Z"},
            {"boot": "k3v9", "from": 30, "to": 32, "cause": "too_old", "batches": 3, "recovered": 0, "open": false,
                "first_at": "2026-03-02T11:58:00Z", "last_at": "2026-03-02T11:59:00Z"}
        ]);
        assert_eq!(first["items"], expected);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = world.get(&format!("{path}?limit=2&cursor={cursor}")).await.json();
        let expected = json!([{"boot": "k3v9", "from": 9, "to": 11, "cause": "rate_limited:pings_per_minute", "batches": 3,
            "recovered": 1, "open": true, "first_at": "2026-03-02T11:57:00Z", "last_at": "2026-03-02T11:58:00Z"}]);
        assert_eq!(second, json!({"items": expected, "next_cursor": null}));
        assert_eq!(world.get(&format!("/api/v1/devices?cursor={cursor}")).await.problem(), "invalid-query");
        world.stop().await;
    })
    .await;
}
