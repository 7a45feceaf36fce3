//! Other people's clients: here `mosquitto_pub` and paho-mqtt with a device's secret, and in the parts everybody's on free
//! topics.

mod endpoint;
mod exchange;
mod mosquitto;
mod rumqttc;

use std::process::Output;

use anyhow::Context;
use store::Clock;
use tokio::process::Command;

use crate::world::{Gateway, Shop, World, batch};

/// Runs `mosquitto_pub` as a device.
pub(crate) async fn mosquitto_pub(
    world: &World,
    gateway: &Gateway,
    version: &str,
    arguments: &[&str],
) -> anyhow::Result<Output> {
    let (host, port) = (world.mqtt().ip().to_string(), world.mqtt().port().to_string());
    Command::new("mosquitto_pub")
        .args([
            "-V",
            version,
            "-h",
            &host,
            "-p",
            &port,
            "-u",
            &gateway.device.to_string(),
            "-P",
            &gateway.secret,
        ])
        .args(arguments)
        .output()
        .await
        .context("mosquitto_pub is missing; `cargo xtask test` installs it")
}

/// A Python with paho-mqtt and aiomqtt.
pub(crate) fn python() -> anyhow::Result<String> {
    std::env::var("PROMENADE_TEST_PYTHON").context(
        "this test needs the Python environment that `cargo xtask test` makes (PROMENADE_TEST_PYTHON)",
    )
}

fn body(seq: u64) -> String {
    let now = Clock::System.now();
    String::from_utf8(batch(seq, [now, now.plus(10)]).to_json()).expect("JSON is text")
}

#[tokio::test]
async fn mosquitto_pub_publishes_batches() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let topic = shop.gateway.pings_topic();
    for (seq, (version, qos)) in
        (0..).zip([("mqttv311", "0"), ("mqttv311", "1"), ("mqttv5", "0"), ("mqttv5", "1")])
    {
        let arguments = ["-q", qos, "-t", &topic, "-m", &body(seq)];
        let output = mosquitto_pub(&world, &shop.gateway, version, &arguments).await?;
        assert!(output.status.success(), "{version} QoS {qos}: {output:?}");
    }
    world.metric_reaches("promenade_batches_total", 4.0).await?;
    assert!((world.metric("promenade_pings_total").await? - 8.0).abs() < 0.5);
    Ok(())
}

#[tokio::test]
async fn mosquitto_pub_is_refused_what_is_not_its_own() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    for version in ["mqttv311", "mqttv5"] {
        let thief = Gateway { device: shop.gateway.device, secret: other.secret.clone() };
        let output = mosquitto_pub(
            &world,
            &thief,
            version,
            &["-q", "1", "-t", &shop.gateway.pings_topic(), "-m", &body(0)],
        )
        .await?;
        assert!(!output.status.success(), "{version}: a wrong secret is let in");
        let output = mosquitto_pub(
            &world,
            &shop.gateway,
            version,
            &["-q", "1", "-t", &other.pings_topic(), "-m", &body(0)],
        )
        .await?;
        let complaint = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(
            !output.status.success() || complaint.contains("not authorized"),
            "{version}: someone else's topic is taken: {output:?}"
        );
    }
    assert!(world.metric(r#"promenade_refusals_total{cause="bad_credentials"}"#).await? >= 2.0);
    assert!(world.metric(r#"promenade_refusals_total{cause="publish_not_authorized"}"#).await? >= 2.0);
    assert!(world.metric("promenade_batches_total").await? < 0.5);
    Ok(())
}

/// What paho-mqtt reports: one line for each step.
#[tokio::test]
async fn paho_signs_in_publishes_and_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    let python = python()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/clients/device.py");
    for (seq, version) in (0..).zip(["4", "5"]) {
        let output = Command::new(&python)
            .arg(script)
            .args([&world.mqtt().ip().to_string(), &world.mqtt().port().to_string(), version])
            .args([
                &shop.gateway.device.to_string(),
                &shop.gateway.secret,
                &other.device.to_string(),
                &body(seq),
            ])
            .output()
            .await?;
        let lines = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
        let expected = match version {
            "4" => {
                "published\nreceipt through\nwildcard refused 128\nforeign subscription refused 128\n\
                    foreign publish ends the connection\nwrong secret refused 4\n"
            }
            _ => {
                "published\nreceipt through\nwildcard refused 135\nforeign subscription refused 135\n\
                  foreign publish refused 135\nwrong secret refused 134\n"
            }
        };
        assert_eq!(lines, expected, "version {version}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!((world.metric("promenade_batches_total").await? - 2.0).abs() < 0.5);
    Ok(())
}
