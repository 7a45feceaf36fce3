//! Home Assistant as the server sees it: a client that reads announcements, does what they say, and says when it is there.

mod occupancy;

use anyhow::{Context, ensure};
use protocol::{Ack, AckStatus, DeviceId, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use store::{Clock, Store};

use crate::commands::device::{Light, object};
use crate::mqtt::{Client, Connect, Delivery};
use crate::world::{Key, World, eventually};

/// What the key of Home Assistant needs, as `docs/home-assistant.md` says it.
const SCOPES: [&str; 5] = [
    "devices:read",
    "analytics:read",
    "commands:write",
    "mqtt:subscribe:homeassistant/#",
    "mqtt:publish:homeassistant/status",
];
const ANNOUNCEMENTS: &str = "homeassistant/device/+/config";

/// A Home Assistant with its key.
struct Home(Key);

impl Home {
    async fn open(world: &World) -> anyhow::Result<Self> {
        Ok(Self(Key::with_topics(world, &SCOPES).await?))
    }

    /// A connection that listens to `filter`.
    async fn listen(&self, world: &World, name: &str, filter: &str) -> anyhow::Result<Client> {
        let hello = Connect::new(5, name).user("home").password(&self.0.secret);
        let mut client = Client::connect(world, hello).await?;
        ensure!(client.subscribe(&[(filter, 1)]).await? == [1], "{filter}");
        Ok(client)
    }
}

async fn switch(world: &World, method: Method) -> anyhow::Result<()> {
    let answer = world.api().ask(method, "/integrations/home-assistant", None).await?;
    ensure!((200..300).contains(&answer.status), "{answer:?}");
    Ok(())
}

fn topic_of(id: impl std::fmt::Display) -> String {
    format!("homeassistant/device/{id}/config")
}

fn json_of(delivery: &Delivery) -> anyhow::Result<Value> {
    serde_json::from_slice(&delivery.payload).with_context(|| format!("{delivery:?}"))
}

/// The next message of a topic.
async fn next_on(client: &mut Client, topic: &str) -> anyhow::Result<Delivery> {
    loop {
        let delivery = client.delivery().await.with_context(|| format!("waiting for {topic}"))?;
        if delivery.topic == topic {
            return Ok(delivery);
        }
    }
}

#[tokio::test]
async fn a_light_is_announced_driven_told_again_and_taken_back() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut device = light.connect(&world).await?;
    let home = Home::open(&world).await?;
    let mut announced = home.listen(&world, "announced", ANNOUNCEMENTS).await?;
    announced.quiet().await?;
    let topic = topic_of(light.id);

    switch(&world, Method::PUT).await?;
    let body = json_of(&next_on(&mut announced, &topic).await?)?;
    let component = &body["components"]["on_off"];
    ensure!(component["platform"] == "light" && body["device"]["name"] == "Window light", "{body}");
    let mut later = home.listen(&world, "later", ANNOUNCEMENTS).await?;
    let kept = next_on(&mut later, &topic).await?;
    ensure!(kept.retain && json_of(&kept)? == body, "{kept:?}");

    // What is done is what the announcement says.
    let text = |option: &str| component[option].as_str().with_context(|| option.to_owned());
    let mut states = home.listen(&world, "states", text("state_topic")?).await?;
    let code = announced.publish(text("command_topic")?, text("payload_on")?, 1, false).await?;
    ensure!(code == 0, "{code:#04x}");
    let (id, command) = device.command().await?;
    ensure!((command.name.as_str(), &command.args) == ("on_off.set", &json!({"on": true})), "{command:?}");
    let given = world.api().get(&format!("/commands/{id}")).await?;
    ensure!(given["author"] == format!("key:{}", home.0.id), "{given}");
    let on = json!({"on_off": {"on": true}});
    let done = Ack { reported: Some(object(&on)), ..Ack::new(AckStatus::Done) };
    ensure!(device.say(id, &done).await? == 0);
    ensure!(json_of(&states.delivery().await?)?["state"] == on);

    // Home Assistant was started again: it hears everything once more.
    ensure!(announced.publish("homeassistant/status", "online", 1, false).await? == 0);
    ensure!(json_of(&next_on(&mut announced, &topic).await?)? == body);
    ensure!(json_of(&states.delivery().await?)?["state"] == on);

    // What a device can no longer do is taken away before it is announced anew.
    let profile = json!({"type": "light", "capabilities": {"brightness": {}}});
    world.api().patch(&format!("/devices/{}", light.id), json!({"profile": profile})).await?;
    let without = json_of(&next_on(&mut announced, &topic).await?)?;
    ensure!(without["components"]["on_off"] == json!({"platform": "light"}), "{without}");
    let body = json_of(&next_on(&mut announced, &topic).await?)?;
    ensure!(body["components"]["on_off"].is_null(), "{body}");
    ensure!(body["components"]["brightness"]["platform"] == "number", "{body}");

    world.api().delete(&format!("/devices/{}", light.id)).await?;
    ensure!(next_on(&mut announced, &topic).await?.payload.is_empty());
    home.listen(&world, "latest", ANNOUNCEMENTS).await?.quiet().await?;
    world.stop().await
}

#[tokio::test]
async fn the_switch_announces_what_comes_and_takes_everything_back() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let store = Store::open(&world.database_url()).await?;
    let foreign = store.create_organization("Other", Clock::System.now()).await?.id.to_string();
    store.close().await;
    let arguments =
        ["--name", "f", "--organization", &foreign, "--scope", "mqtt:subscribe:#", "mqtt:publish:#"];
    let foreigner = world.make_token(&arguments).await?;
    let hello = Connect::new(5, "foreigner").user("f").password(&foreigner);
    let mut foreigner = Client::connect(&world, hello).await?;
    ensure!(foreigner.subscribe(&[("#", 1)]).await? == [1]);

    let home = Home::open(&world).await?;
    let mut announced = home.listen(&world, "announced", ANNOUNCEMENTS).await?;
    switch(&world, Method::PUT).await?;
    let light = Light::register(&world).await?;
    let topic = topic_of(light.id);
    ensure!(json_of(&next_on(&mut announced, &topic).await?)?["components"]["on_off"].is_object());
    // Somebody else's announcements are nobody's to take back.
    let maker = Key::with_topics(&world, &["mqtt:publish:homeassistant/#"]).await?;
    let hello = Connect::new(5, "bridge").user("bridge").password(&maker.secret);
    let mut bridge = Client::connect(&world, hello).await?;
    ensure!(bridge.publish("homeassistant/device/bridge/config", "{}", 1, true).await? == 0);
    // Without a profile there is nothing to announce.
    world.api().patch(&format!("/devices/{}", light.id), json!({"profile": null})).await?;
    ensure!(next_on(&mut announced, &topic).await?.payload.is_empty());
    let other = Light::register(&world).await?;
    let topic = topic_of(other.id);
    next_on(&mut announced, &topic).await?;

    foreigner.quiet().await.context("another organization hears nothing")?;
    // What happened to the switch while the server was away is made good.
    world.stop().await?;
    let store = Store::open(&world.database_url()).await?;
    let [on] = &store.home_assistants().await?[..] else { anyhow::bail!("switched on once") };
    store.disable_home_assistant(on.organization).await?;
    store.close().await;
    world.restart().await?;
    only_the_bridge_is_left(&world, &home).await?;
    let mut announced = home.listen(&world, "again", ANNOUNCEMENTS).await?;
    switch(&world, Method::PUT).await?;
    ensure!(!next_on(&mut announced, &topic).await?.payload.is_empty());
    switch(&world, Method::DELETE).await?;
    ensure!(next_on(&mut announced, &topic).await?.payload.is_empty());
    only_the_bridge_is_left(&world, &home).await?;

    world.stop().await
}

/// Waits until nothing of ours is retained.
async fn only_the_bridge_is_left(world: &World, home: &Home) -> anyhow::Result<()> {
    eventually("everything is taken back", async || {
        let mut latest = home.listen(world, "latest", ANNOUNCEMENTS).await?;
        latest.ping().await?;
        let left: Vec<String> = latest.taken().map(|delivery| delivery.topic).collect();
        Ok((left == ["homeassistant/device/bridge/config"]).then_some(()))
    })
    .await
}

#[tokio::test]
async fn what_is_no_order_is_refused_and_says_why() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let beacon = world.api().post("/devices", json!({"kind": "beacon", "name": "Beacon"})).await?;
    let beacon: DeviceId = beacon["id"].as_str().context("an id")?.parse()?;
    let organization = world.api().get(&format!("/devices/{}", light.id)).await?["organization"].clone();
    let organization = organization.as_str().context("an organization")?.to_owned();
    let orders = |device: DeviceId| format!("v1/organizations/{organization}/devices/{device}/orders");
    let key = Key::make(&world, &["commands:write"]).await?;
    let hello = Connect::new(5, "service").user("service").password(&key.secret);
    let mut service = Client::connect(&world, hello).await?;
    let identify = r#"{"name":"identify"}"#;
    let nobody = DeviceId::new(Timestamp(1), [1; 10]);
    for (device, payload, code) in [
        (light.id, identify, 0),
        (light.id, r#"{"name":"on_off.set","args":{"on":true},"ttl_s":60}"#, 0),
        (light.id, r#"{"name":"of its own"}"#, 0x99),
        (light.id, r#"{"name":"volume.set","args":{"percent":1}}"#, 0x99),
        (light.id, r#"{"name":"on_off.set","args":{"on":1}}"#, 0x99),
        (light.id, r#"{"name":"identify","args":{"x":"\u0000"}}"#, 0x99),
        (beacon, identify, 0x99),
        (light.id, "ON", 0x99),
        (light.id, r#"{"name":"identify","ttl_s":0}"#, 0x99),
        (nobody, identify, 0x90),
    ] {
        for qos in [1, 2] {
            let got = service.publish(&orders(device), payload, qos, false).await?;
            ensure!(got == code, "{payload} for {device} with QoS {qos}: {got:#04x}");
        }
    }
    ensure!(world.refusals("impossible_order").await? == 10);
    ensure!(world.refusals("unreadable_order").await? == 4);
    ensure!(world.refusals("unknown_device").await? == 2);
    // What was acknowledged is committed: no waiting here.
    let given = world.api().get(&format!("/devices/{}/commands", light.id)).await?;
    ensure!(given["items"].as_array().is_some_and(|items| items.len() == 4), "{given}");
    world.stop().await
}
