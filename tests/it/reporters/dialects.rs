//! `ESPresense` as Mosquitto's client sends it, and `OpenMQTTGateway` through paho-mqtt.
//!
//! `theengs.json` is what Theengs Decoder 2.5 makes of advertisements, or the gateway passes on where it knows none.

use anyhow::{Context, ensure};
use firmware_sim::rfc3339;
use serde_json::json;
use store::Clock;

use super::{made, scanned, sighting};
use crate::clients::{mosquitto_pub, python};
use crate::world::{Shop, World, eventually};

/// Both in one shop, so that the minute until event time has passed is waited for once.
#[tokio::test]
async fn scanners_of_others_are_counted() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let espresense = made(&world, &shop, json!({"format": "espresense"})).await?;
    let omg = made(&world, &shop, json!({"format": "theengs"})).await?;
    let begun = Clock::System.now();

    let (online, battery) = ("espresense/rooms/hall/status", "espresense/devices/keys/hall/battery");
    let will = ["--will-topic", online, "--will-payload", "offline", "--will-retain"];
    let discovery = "homeassistant/sensor/espresense_1/uptime/config";
    let tag = "iBeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e-1-7";
    for (topic, payload, retain) in [
        (online.to_owned(), "online".to_owned(), true),
        (discovery.to_owned(), "{}".to_owned(), true),
        ("espresense/devices/keys/hall".to_owned(), sighting("keys"), false),
        ("espresense/devices/500011223344/hall".to_owned(), sighting("500011223344"), false),
        (format!("espresense/devices/{tag}/hall"), sighting(tag), false),
        ("espresense/devices/node:door/hall".to_owned(), sighting("node:door"), false),
        (battery.to_owned(), "{\"battery\":80}".to_owned(), false),
    ] {
        let sent = ["-q", "0", "-t", &topic, "-m", &payload];
        let retain = if retain { &["-r"][..] } else { &[] };
        let output =
            mosquitto_pub(&world, &espresense, "mqttv311", &[&will[..], &sent, retain].concat()).await?;
        ensure!(output.status.success(), "{topic}: {output:?}");
    }
    world.metric_reaches("promenade_reporter_messages_total{outcome=\"read\"}", 3.0).await?;
    world.metric_reaches("promenade_reporter_messages_total{outcome=\"empty\"}", 1.0).await?;
    world.metric_reaches("promenade_pings_total", 2.0).await?;

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/reporters/open_mqtt_gateway.py");
    let messages = concat!(env!("CARGO_MANIFEST_DIR"), "/it/reporters/theengs.json");
    let (host, port) = (world.mqtt().ip().to_string(), world.mqtt().port().to_string());
    let output = tokio::process::Command::new(python()?)
        .args([script, &host, &port, &omg.device.to_string(), &omg.secret, messages])
        .output()
        .await?;
    let lines = String::from_utf8_lossy(&output.stdout);
    ensure!(lines == "subscription refused 128\nall taken\n", "{output:?}");
    // The thermometer, the tile, the beacon's own address and, as nobody in particular, the phone.
    world.metric_reaches("promenade_pings_total", 6.0).await?;
    assert_eq!(scanned(&world, "read").await?, 8);
    assert_eq!(scanned(&world, "unreadable").await?, 0);
    assert_eq!(world.refusals("publish_not_authorized").await?, 0);
    assert_eq!(
        world.metric("promenade_pings_ignored_total{cause=\"not_admitted\"}").await? as u64,
        2,
        "two iBeacons"
    );

    // They are counted a minute later, which is longer than anything else may take: first half of it, then the rest.
    let period = format!("from={}&to={}", rfc3339(begun.minus(60_000)), rfc3339(begun.plus(3_600_000)));
    let stays = async || world.api().get(&format!("/venues/{}/stays?{period}", shop.venue)).await;
    eventually(
        "half a minute passes",
        async || Ok((Clock::System.now().since(begun) > 30_000).then_some(())),
    )
    .await?;
    // Two of ESPresense, and all of OpenMQTTGateway but the phone, whose address is gone in minutes.
    eventually("five stays", async || {
        Ok((stays().await?["items"].as_array().context("items")?.len() == 5).then_some(()))
    })
    .await?;
    let zone = json!(shop.interior.to_string());
    let items = stays().await?["items"].as_array().cloned().unwrap_or_default();
    ensure!(items.iter().all(|stay| stay["zone"] == zone), "{items:?}");
    Ok(())
}
