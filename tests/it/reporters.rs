//! Scanners that people own already, on topics of their own and in formats of their own, are counted.

mod dialects;

use anyhow::{Context, ensure};
use firmware_sim::rfc3339;
use protocol::Timestamp;
use serde_json::{Value, json};
use store::Clock;

use crate::mqtt::{Client, Connect, Will};
use crate::world::{Gateway, Key, Shop, World, eventually};

fn espresense() -> Value {
    json!({"format": "espresense"})
}

/// Declares the format that a gateway reports in; none takes it away.
async fn declare(world: &World, gateway: &Gateway, format: Option<Value>) -> anyhow::Result<()> {
    let profile = format.map(|format| json!({"type": "other", "reporter": format}));
    world.api().patch(&format!("/devices/{}", gateway.device), json!({"profile": profile})).await?;
    Ok(())
}

fn hello(level: u8, gateway: &Gateway) -> Connect {
    Connect::new(level, "scanner").user(gateway.device.to_string()).password(&gateway.secret)
}

/// A gateway that was made to report in the format: the broker knows it once it signs in.
async fn made(world: &World, shop: &Shop, format: Value) -> anyhow::Result<Gateway> {
    let body = json!({"kind": "gateway", "name": "Scanner", "venue": shop.venue, "zone": shop.interior,
        "profile": {"type": "other", "reporter": format}});
    let made = world.api().post("/devices", body).await?;
    let text = |field: &str| made[field].as_str().with_context(|| format!("{field} in {made}"));
    Ok(Gateway { device: text("id")?.parse()?, secret: text("secret")?.to_owned() })
}

/// The same, connected.
async fn scanner(world: &World, shop: &Shop, format: Value) -> anyhow::Result<(Gateway, Client)> {
    let gateway = made(world, shop, format).await?;
    let client = Client::connect(world, hello(5, &gateway)).await?;
    Ok((gateway, client))
}

/// Publishes until it is taken: what was declared takes a moment to reach the broker.
async fn taken(client: &mut Client, topic: &str, payload: &str) -> anyhow::Result<()> {
    let client = tokio::sync::Mutex::new(client);
    eventually(&format!("{topic} is taken"), async || {
        let code = client.lock().await.publish(topic, payload, 1, false).await?;
        Ok((code == 0).then_some(()))
    })
    .await
}

/// How many messages of scanners came to that.
async fn scanned(world: &World, outcome: &str) -> anyhow::Result<u64> {
    Ok(world.metric(&format!("promenade_reporter_messages_total{{outcome=\"{outcome}\"}}")).await? as u64)
}

fn sighting(id: &str) -> String {
    json!({"mac": "500011223344", "id": id, "rssi@1m": -59, "rssi": -55.00, "distance": 0.8}).to_string()
}

/// Times of its own make visits of the past, which are there at once.
#[tokio::test]
async fn a_list_with_times_makes_visits() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let format = json!({"format": "json", "topic": "/gw/+/status", "items": "/devices",
        "id": {"as": "ble", "mac": "/mac", "random": "/random"}, "rssi": "/rssi",
        "at": {"pointer": "/seen", "unit": "ms"}});
    let (_, mut client) = scanner(&world, &shop, format).await?;
    let quarter = 900_000;
    let start = Timestamp(Clock::System.now().minus(3 * 3_600_000).0 / quarter * quarter);
    let message = |from: i64, macs: &[&str]| {
        let devices = (0..6).flat_map(|step| {
            let seen = start.plus((from + 10 * step) * 1000).0;
            macs.iter().map(move |mac| json!({"mac": mac, "random": 0, "rssi": -60, "seen": seen}))
        });
        json!({"gateway": "ac233fc00000", "devices": devices.collect::<Vec<_>>()}).to_string()
    };
    let topic = "/gw/ac233fc00000/status";
    // Two of whom one stays for a minute, and somebody much later, so that event time moves on.
    let first = message(0, &["500011223344", "500011223355"]);
    assert_eq!(client.publish(topic, first, 1, false).await?, 0);
    for minute in 1..10 {
        assert_eq!(client.publish(topic, message(60 * minute, &["500011223344"]), 1, false).await?, 0);
    }
    assert_eq!(client.publish(topic, message(2 * 3600, &["500011223366"]), 2, false).await?, 0);
    let period = format!("from={}&to={}", rfc3339(start), rfc3339(start.plus(3_600_000)));
    eventually("a visit and a bounce", async || {
        let path = format!("/venues/{}/footfall?{period}&bucket=15m", shop.venue);
        let footfall = world.api().get(&path).await?;
        let first = &footfall["series"][0];
        Ok((first["visits"] == 1 && first["bounces"] == 1).then_some(()))
    })
    .await?;
    assert_eq!(world.metric("promenade_batches_total").await? as u64, 11);
    Ok(())
}

/// Nothing of a scanner reaches anybody, and it reaches nothing but its own topics.
#[tokio::test]
async fn nobody_hears_a_scanner_and_it_hears_nobody() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    let scopes = ["mqtt:publish:#", "mqtt:subscribe:#"];
    let key = Key::with_topics(&world, &scopes).await?;
    let service = Connect::new(5, "service").user("service").password(&key.secret);
    let mut service = Client::connect(&world, service).await?;
    service.subscribe(&[("#", 1)]).await?;

    let (gateway, mut client) = scanner(&world, &shop, espresense()).await?;
    let topic = "espresense/devices/keys/hall";
    assert_eq!(client.publish(topic, sighting("keys"), 1, false).await?, 0);
    for (topic, retain) in [
        ("espresense/rooms/hall/status", true),
        ("espresense/devices/keys/hall/battery", false),
        ("homeassistant/binary_sensor/espresense_1/connectivity/config", true),
    ] {
        for qos in [0, 1, 2] {
            assert_eq!(client.publish(topic, "online", qos, retain).await?, 0, "{topic} {qos}");
        }
    }
    for refused in [
        "espresence/devices/keys/hall".to_owned(),
        "home/OMG/BTtoMQTT/AABBCCDDEEFF".to_owned(),
        other.pings_topic(),
    ] {
        assert_eq!(client.publish(&refused, "{}", 1, false).await?, 0x87, "{refused}");
    }
    let filters = [("espresense/rooms/*/+/set", 1), ("espresense/settings/+/config", 1), ("home/#", 1)];
    assert_eq!(client.subscribe(&filters).await?, [0x87, 0x87, 0x87]);
    assert_eq!(world.refusals("reporter_subscription").await?, 2, "what it asks for among its own");
    assert_eq!(world.refusals("subscribe_not_authorized").await?, 1);
    // A 3.1.1 client: the will is taken, and spoken to nobody.
    let will = Will::new("espresense/rooms/hall/status", "offline").retained();
    let mut old = Client::connect(&world, hello(4, &gateway).will(will.clone())).await?;
    assert_eq!(old.subscribe(&[("espresense/rooms/*/+/set", 1)]).await?, [0x80]);
    old.send("espresense/rooms/hall/telemetry", "{}", 0, false).await?;
    old.ping().await?;
    drop(old);
    // Not by a device without such a profile.
    let refusal = Client::refusal(&world, hello(5, &other).will(will)).await?;
    assert_eq!(refusal, Some(0x87));
    let mut plain = Client::connect(&world, hello(4, &other)).await?;
    plain.send("espresense/devices/keys/hall", sighting("keys"), 0, false).await?;
    plain.ended().await?;

    eventually("its will went nowhere", async || {
        let explained = world.api().get(&format!("/devices/{}/explain", gateway.device)).await?;
        Ok((explained["disconnected"]["cause"] == "connection_lost").then_some(()))
    })
    .await?;
    let aside = scanned(&world, "aside").await?;
    ensure!(aside == 10, "{aside} messages were passed over");
    service.publish("free", "last", 1, false).await?;
    let heard = service.until("last").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    let retained = Connect::new(5, "late").user("service").password(&key.secret);
    let mut late = Client::connect(&world, retained).await?;
    late.subscribe(&[("#", 1)]).await?;
    late.quiet().await
}

/// A profile that changes holds for connections that are open.
#[tokio::test]
async fn a_profile_reaches_open_connections() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let mut client = Client::connect(&world, hello(5, &shop.gateway)).await?;
    let topic = "espresense/devices/keys/hall";
    assert_eq!(client.publish(topic, sighting("keys"), 1, false).await?, 0x87);
    declare(&world, &shop.gateway, Some(espresense())).await?;
    taken(&mut client, topic, &sighting("keys")).await?;
    declare(&world, &shop.gateway, None).await?;
    let client = tokio::sync::Mutex::new(client);
    eventually("it is refused again", async || {
        let code = client.lock().await.publish(topic, sighting("keys"), 1, false).await?;
        Ok((code == 0x87).then_some(()))
    })
    .await?;
    // Only of what stands somewhere and listens.
    let beacon = json!({"kind": "beacon", "name": "Shelf", "profile": {"type": "other", "reporter": {"format": "theengs"}}});
    let answer = world.api().ask(reqwest::Method::POST, "/devices", Some(beacon)).await?;
    ensure!(answer.status == 422 && answer.body.to_string().contains("/profile/reporter"), "{answer:?}");
    Ok(())
}

/// What cannot be read is refused by itself, counted, told and listed, and the connection goes on.
#[tokio::test]
async fn what_cannot_be_read_is_told() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let (gateway, mut client) = scanner(&world, &shop, espresense()).await?;
    let topic = "espresense/devices/keys/hall";
    assert_eq!(client.publish(topic, sighting("keys"), 1, false).await?, 0);
    let deep = "[".repeat(10_000);
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(300_000));
    for (payload, cause) in [
        ("{", "unreadable"),
        ("7", "unreadable"),
        (deep.as_str(), "unreadable"),
        (large.as_str(), "too_large"),
        (r#"{"id":"keys of anna","rssi":-50}"#, "bad_identifier"),
        (r#"{"id":"keys","rssi":"near"}"#, "bad_rssi"),
    ] {
        let before = world.refusals(cause).await?;
        for (qos, code) in [(0, 0), (1, 0x99)] {
            assert_eq!(client.publish(topic, payload, qos, false).await?, code, "{payload:.40}");
        }
        assert_eq!(world.refusals(cause).await?, before + 2, "{payload:.40}");
    }
    // No sighting, and nothing wrong with it.
    assert_eq!(client.publish(topic, r#"{"id":"keys"}"#, 1, false).await?, 0);
    assert_eq!(client.publish(topic, "", 2, true).await?, 0);
    assert_eq!(scanned(&world, "unreadable").await?, 8);
    assert_eq!(scanned(&world, "empty").await?, 2);
    let path = format!("/devices/{}", gateway.device);
    let explained = eventually("what it sends is explained", async || {
        let explained = world.api().get(&format!("{path}/explain")).await?;
        let is_whole = explained["reported"]["empty"]["count"] == 2;
        Ok(is_whole.then_some(explained))
    })
    .await?;
    let finding = &explained["findings"][0];
    assert_eq!(finding["code"], "reporter_unreadable", "{explained}");
    let unread = &explained["unread"];
    assert_eq!((&unread["filter"], &unread["pointer"]), (&"espresense/devices/+/+".into(), &"/rssi".into()));
    assert_eq!(explained["refusals"]["bad_rssi"]["count"], 2, "{explained}");
    let losses = world.api().get(&format!("{path}/losses")).await?;
    let causes: Vec<_> =
        losses["items"].as_array().context("items")?.iter().map(|loss| &loss["cause"]).collect();
    for cause in ["unreadable", "too_large", "bad_identifier", "bad_rssi"] {
        ensure!(causes.contains(&&json!(cause)), "{cause} is not listed: {losses}");
    }
    assert_eq!(client.publish(topic, sighting("keys"), 1, false).await?, 0, "the connection goes on");
    Ok(())
}

/// What is over quota is entered among the losses, though a scanner cannot send it again.
#[tokio::test]
async fn what_is_over_quota_is_lost_by_name() -> anyhow::Result<()> {
    let settings = [("PROMENADE_MQTT__PINGS__PER_MINUTE", "3")];
    let world = World::with(crate::world::Engine::Sqlite, &settings).await?;
    let shop = Shop::open(&world).await?;
    let (gateway, mut client) = scanner(&world, &shop, espresense()).await?;
    let topic = "espresense/devices/keys/hall";
    assert_eq!(client.publish(topic, sighting("keys"), 1, false).await?, 0);
    let mut refused = 0;
    for _ in 0..5 {
        let code = client.publish(topic, sighting("keys"), 1, false).await?;
        ensure!(code == 0 || code == 0x97, "{code:#x}");
        refused += u64::from(code == 0x97);
    }
    ensure!(refused >= 2, "{refused} were refused");
    assert_eq!(world.refusals("rate_limited:pings_per_minute").await?, refused);
    let path = format!("/devices/{}", gateway.device);
    let losses = world.api().get(&format!("{path}/losses")).await?;
    assert_eq!(losses["items"][0]["cause"], "rate_limited:pings_per_minute", "{losses}");
    let explained = eventually("it is explained", async || {
        let explained = world.api().get(&format!("{path}/explain")).await?;
        Ok((explained["reported"]["read"]["count"] == 6).then_some(explained))
    })
    .await?;
    let codes: Vec<_> =
        explained["findings"].as_array().context("findings")?.iter().map(|it| &it["code"]).collect();
    assert_eq!(codes, ["throttled"], "{explained}");
    Ok(())
}
