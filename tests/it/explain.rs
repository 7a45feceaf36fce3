//! Why a device is offline, refused or throttled: the same answer over HTTP and from the program.

use anyhow::{Context, ensure};
use protocol::DeviceId;
use serde_json::Value;

use crate::mqtt::{Client, Connect};
use crate::world::{Engine, Gateway, Shop, World, batch, eventually, program};

/// The codes of what was found, the most likely cause first.
fn codes(explanation: &Value) -> Vec<String> {
    let findings = explanation["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().filter_map(|finding| finding["code"].as_str().map(str::to_owned)).collect()
}

/// Waits until the first finding is that one, over HTTP and in the program; answers the explanation.
async fn found(world: &World, device: DeviceId, code: &str) -> anyhow::Result<Value> {
    let explanation = eventually(code, async || {
        let explanation = world.api().get(&format!("/devices/{device}/explain")).await?;
        Ok((codes(&explanation).first().map(String::as_str) == Some(code)).then_some(explanation))
    })
    .await
    .with_context(|| format!("{code} is not found first"))?;
    let first = &explanation["findings"][0];
    ensure!(first["what"].is_string() && first["do"].is_string(), "{first}");
    eventually(&format!("promenade explain says {code}"), async || {
        let (ok, text) = told(world, device).await?;
        Ok((ok && text.contains(&format!("\n{code}: "))).then_some(()))
    })
    .await?;
    Ok(explanation)
}

/// What `promenade explain` prints, and whether it succeeds.
async fn told(world: &World, device: DeviceId) -> anyhow::Result<(bool, String)> {
    let mut command = program("promenade");
    command.args(["explain", "--data"]).arg(world.data()).arg(device.to_string());
    let output = command.output().await?;
    Ok((output.status.success(), String::from_utf8(output.stdout)?))
}

fn hello(gateway: &Gateway, secret: &str) -> Connect {
    Connect::new(5, "explained").user(gateway.device.to_string()).password(secret)
}

#[tokio::test]
async fn from_never_seen_to_gone() -> anyhow::Result<()> {
    let mut world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__PINGS__PER_MINUTE", "3")]).await?;
    let shop = Shop::open(&world).await?;
    let (gateway, device) = (&shop.gateway, shop.gateway.device);

    let never = found(&world, device, "never_signed_in").await?;
    assert_eq!((&never["connected"], &never["healthy"]), (&false.into(), &false.into()), "{never}");
    assert!(never["seen_at"].is_null() && never["last_message_at"].is_null(), "{never}");

    assert_eq!(Client::refusal(&world, hello(gateway, "wrong")).await?, Some(0x86));
    let wrong = found(&world, device, "wrong_credentials").await?;
    assert_eq!(wrong["refused_sign_in"]["cause"], "bad_credentials", "{wrong}");

    let mut client = Client::connect(&world, hello(gateway, &gateway.secret)).await?;
    let now = || store::Clock::System.now();
    assert_eq!(client.publish(&gateway.pings_topic(), batch(0, [now()]).to_json(), 1, false).await?, 0);
    found(&world, device, "healthy").await?;
    let connected = eventually("the batch is seen", async || {
        let explanation = world.api().get(&format!("/devices/{device}/explain")).await?;
        Ok(explanation["last_ping_at"].is_string().then_some(explanation))
    })
    .await?;
    let sign_in = &connected["sign_in"];
    assert_eq!((&sign_in["transport"], &sign_in["version"]), (&"tcp".into(), &"5".into()), "{connected}");
    assert_eq!(sign_in["client_id"], "explained", "{connected}");
    assert_eq!((&connected["connected"], &connected["healthy"]), (&true.into(), &true.into()), "{connected}");
    assert!(connected["last_message_at"].is_string(), "{connected}");

    assert_eq!(client.publish("v1/elsewhere", "x", 1, false).await?, 0x87);
    let many = batch(1, (0..5).map(|step| now().plus(step)));
    assert_eq!(client.publish(&gateway.pings_topic(), many.to_json(), 1, false).await?, 0x97);
    let throttled = found(&world, device, "throttled").await?;
    assert_eq!(throttled["refusals"]["publish_not_authorized"]["count"], 1, "{throttled}");
    assert_eq!(throttled["open_losses"][0]["cause"], "rate_limited:pings_per_minute", "{throttled}");
    assert_eq!(codes(&throttled), ["throttled", "not_authorized", "losses_open"], "{throttled}");
    assert_eq!((&throttled["connected"], &throttled["healthy"]), (&true.into(), &false.into()));

    client.leave(None).await?;
    found(&world, device, "offline").await?;
    eventually("its goodbye is seen", async || {
        let explanation = world.api().get(&format!("/devices/{device}/explain")).await?;
        Ok((explanation["disconnected"]["cause"] == "goodbye").then_some(()))
    })
    .await?;

    // What was seen is saved when the server stops, and told without one.
    world.stop().await?;
    let (ok, text) = told(&world, device).await?;
    ensure!(
        ok && text.contains("\nserver_stopped: ") && text.contains("publish_not_authorized: 1"),
        "{text}"
    );
    world.restart().await?;

    world.api().delete(&format!("/devices/{device}")).await?;
    let answer = world.api().ask(reqwest::Method::GET, &format!("/devices/{device}/explain"), None).await?;
    assert_eq!(answer.status, 404, "{answer:?}");
    let (ok, text) = told(&world, device).await?;
    ensure!(ok && text.contains("deleted: "), "{text}");
    let (ok, text) = told(&world, "01890000-0000-7000-8000-000000000000".parse()?).await?;
    ensure!(!ok && text.is_empty(), "{text}");
    Ok(())
}

/// What the ingest log refuses is found, not only what the front does.
#[tokio::test]
async fn what_the_log_refuses_is_told() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let (gateway, device) = (&shop.gateway, shop.gateway.device);
    let mut client = Client::connect(&world, hello(gateway, &gateway.secret)).await?;
    let now = store::Clock::System.now();
    let topic = gateway.pings_topic();
    assert_eq!(client.publish(&topic, batch(0, [now]).to_json(), 1, false).await?, 0);
    // Firmware that counts anew without a new boot.
    assert_eq!(client.publish(&topic, batch(0, [now.plus(1)]).to_json(), 1, false).await?, 0x99);
    assert_eq!(client.publish(&topic, "rubbish", 1, false).await?, 0x99);
    let refused = found(&world, device, "content_refused").await?;
    for cause in ["sequence_reused", "unreadable"] {
        assert_eq!(refused["refusals"][cause]["count"], 1, "{cause}: {refused}");
    }
    assert_eq!(refused["healthy"], false, "{refused}");

    // Of two connections the newer one ends: it is still connected, and how one ended is no refusal.
    let mut second = Connect::new(5, "second").user(device.to_string()).password(&gateway.secret);
    second.keep_alive = 1;
    let second = Client::connect(&world, second).await?;
    eventually("the second ends for its silence", async || {
        let explanation = world.api().get(&format!("/devices/{device}/explain")).await?;
        Ok((explanation["disconnected"]["cause"] == "keep_alive_timeout").then_some(explanation))
    })
    .await
    .and_then(|explanation| {
        ensure!(explanation["connected"] == true, "{explanation}");
        ensure!(explanation["refusals"].get("keep_alive_timeout").is_none(), "{explanation}");
        Ok(())
    })?;
    drop(second);
    client.ping().await
}
