//! A command's way, step by step.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use protocol::{Ack, AckStatus, CommandId, CommandReason, Topic};
use serde_json::{Value, json};

use super::device::{Light, object};
use crate::mqtt::{Client, Connect};
use crate::world::{Engine, World, eventually};

const SWITCH_ON: &str = "on_off.set";

fn switch_on() -> Value {
    json!({"name": SWITCH_ON, "args": {"on": true}, "ttl_s": 60})
}

async fn read(world: &World, id: &Value) -> anyhow::Result<Value> {
    world.api().get(&format!("/commands/{}", id.as_str().context("an id")?)).await
}

#[tokio::test]
async fn a_command_is_sent_answered_and_told() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut device = light.connect(&world).await?;
    let key = world.make_token(&["--name", "watcher", "--scope", "devices:read"]).await?;
    let mut watcher = Client::connect(&world, Connect::new(5, "w").user("watcher").password(&key)).await?;
    let organization = world.api().get(&format!("/devices/{}", light.id)).await?["organization"].clone();
    let own = format!("v1/organizations/{}/devices/+", organization.as_str().context("an organization")?);
    watcher.subscribe(&[(&format!("{own}/acks"), 1), (&format!("{own}/reported"), 1)]).await?;

    let given = light.order(&world, switch_on()).await?;
    ensure!(given["status"] == "queued", "{given}");
    let (id, command) = device.command().await?;
    ensure!(given["id"] == id.to_string() && command.name == SWITCH_ON, "{given} {command:?}");
    ensure!(command.args == json!({"on": true}) && command.signed.is_none(), "{command:?}");
    let left = command.deadline.context("a deadline")?.since(command.now);
    ensure!((50_000..=60_000).contains(&left), "{left}");
    eventually("it is sent", async || {
        Ok((read(&world, &given["id"]).await?["status"] == "sent").then_some(()))
    })
    .await?;

    // What was acknowledged is committed: no waiting here.
    ensure!(device.say(id, &Ack::new(AckStatus::Accepted)).await? == 0);
    ensure!(read(&world, &given["id"]).await?["status"] == "accepted");
    let done = Ack {
        result: Some(json!({"watts": 7})),
        reported: Some(object(&json!({"on_off": {"on": true}}))),
        ..Ack::new(AckStatus::Done)
    };
    ensure!(device.say(id, &done).await? == 0);
    let ended = read(&world, &given["id"]).await?;
    ensure!(ended["status"] == "done" && ended["result"] == json!({"watts": 7}), "{ended}");
    ensure!(ended["reason"].is_null() && ended["ended_at"].is_string(), "{ended}");
    let twin = world.api().get(&light.path("twin")).await?;
    ensure!(twin["reported"]["state"] == json!({"on_off": {"on": true}}), "{twin}");

    let mut told = Vec::new();
    for _ in 0..3 {
        let delivery = watcher.delivery().await?;
        let leaf = delivery.topic.rsplit('/').next().unwrap_or_default().to_owned();
        told.push((leaf, serde_json::from_slice::<Value>(&delivery.payload)?));
    }
    let expected = [
        ("acks".to_owned(), json!({"command": id, "status": "accepted"})),
        ("acks".to_owned(), json!({"command": id, "status": "done", "result": {"watts": 7}})),
        ("reported".to_owned(), json!({"version": 1, "state": {"on_off": {"on": true}}})),
    ];
    ensure!(told == expected, "{told:?}");
    // The same once more is acknowledged and no news.
    ensure!(device.say(id, &done).await? == 0);
    watcher.quiet().await?;
    // What contradicts the end is kept beside it.
    let late = Ack::because(AckStatus::Failed, CommandReason::DeviceError, Some("it went out".into()));
    ensure!(device.say(id, &late).await? == 0);
    let ended = read(&world, &given["id"]).await?;
    ensure!(ended["status"] == "done" && ended["late_ack"]["status"] == "failed", "{ended}");
    world.stop().await
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let (light, other) = (Light::register(&world).await?, Light::register(&world).await?);
    let (mut device, mut stranger) = (light.connect(&world).await?, other.connect(&world).await?);
    let given = light.order(&world, switch_on()).await?;
    let (id, _) = device.command().await?;
    let done = Ack::new(AckStatus::Done);
    ensure!(stranger.say(id, &done).await? == 0x90, "a command of another device");
    let unknown = CommandId::new(protocol::Timestamp(1), [1; 10]);
    ensure!(device.say(unknown, &done).await? == 0x90, "no such command");
    let topic = Topic::CommandAck { device: light.id, command: id }.to_string();
    for garbage in ["", "{}", r#"{"status":"expired"}"#, r#"{"status":"done","result":"\u0000"}"#] {
        let code = device.client.publish(&topic, garbage, 1, false).await?;
        ensure!(code == 0x99, "{garbage}: {code:#04x}");
    }
    for impossible in
        [json!({"brightness": {"percent": 101}}), json!(["on"]), json!({"long": "x".repeat(40_000)})]
    {
        ensure!(device.report(&impossible).await? == 0x99, "{impossible:.80}");
    }
    ensure!(world.refusals("unknown_command").await? == 2);
    ensure!(world.refusals("unreadable_ack").await? == 3);
    ensure!(world.refusals("impossible_report").await? == 3);
    ensure!(world.refusals("unreadable_report").await? == 1);
    let twin = world.api().get(&light.path("twin")).await?;
    ensure!(twin["reported"]["version"] == 0, "{twin}");
    eventually("it is sent", async || {
        Ok((read(&world, &given["id"]).await?["status"] == "sent").then_some(()))
    })
    .await?;
    // A good answer still counts.
    ensure!(device.say(id, &done).await? == 0);
    ensure!(read(&world, &given["id"]).await?["status"] == "done");
    world.stop().await
}

#[tokio::test]
async fn whoever_waits_gets_the_end() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut device = light.connect(&world).await?;
    let api = world.api();
    let path = light.path("commands?wait=20s");
    let ordered = api.post(&path, switch_on());
    let answered = async {
        let (id, _) = device.command().await?;
        device.say(id, &Ack::new(AckStatus::Running)).await?;
        let refused = Ack::because(AckStatus::Refused, CommandReason::Busy, None);
        device.say(id, &refused).await
    };
    let (ended, code) = tokio::try_join!(ordered, answered)?;
    ensure!(ended["status"] == "refused" && ended["reason"] == "busy" && code == 0, "{ended}");
    let unanswered = api.post(&light.path("commands?wait=100ms"), switch_on()).await?;
    ensure!(unanswered["status"] == "sent" || unanswered["status"] == "queued", "{unanswered}");
    world.stop().await
}

#[tokio::test]
async fn who_is_away_gets_it_when_it_comes_and_until_it_answers() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let first = light.order(&world, switch_on()).await?;
    let second = light.order(&world, json!({"name": "polish"})).await?;
    // Being connected is not enough.
    let mut mute = light.open(&world).await?;
    mute.quiet().await?;
    drop(mute);
    let mut device = light.connect(&world).await?;
    let (id, command) = device.command().await?;
    ensure!(first["id"] == id.to_string() && command.name == SWITCH_ON);
    ensure!(second["id"] == device.command().await?.0.to_string());
    ensure!(device.say(id, &Ack::new(AckStatus::Accepted)).await? == 0);
    device.client.leave(None).await?;
    // The first is in its journal, the second may have been lost.
    let mut device = light.connect(&world).await?;
    let (id, _) = device.command().await?;
    ensure!(second["id"] == id.to_string());
    ensure!(device.say(id, &Ack::new(AckStatus::Done)).await? == 0);
    device.client.leave(None).await?;
    light.connect(&world).await?.client.quiet().await?;
    world.stop().await
}

#[tokio::test]
async fn who_comes_back_to_a_kept_session_need_not_subscribe_again() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    for level in [4, 5] {
        let light = Light::register(&world).await?;
        let hello = || light.hello(level).lasting(600);
        let mut device = light.listen(Client::connect(&world, hello()).await?).await?;
        device.client.quiet().await?;
        device.client.reset()?;
        eventually("it is gone", async || {
            Ok((world.api().get(&format!("/devices/{}", light.id)).await?["connected"] == false)
                .then_some(()))
        })
        .await?;
        let given = light.order(&world, switch_on()).await?;
        let wish = json!({"on_off": {"on": level == 4}});
        world.api().patch(&light.path("twin"), json!({"desired": wish})).await?;
        let client = Client::connect(&world, hello()).await?;
        ensure!(client.is_resumed());
        let mut device = light.resume(client);
        let (desired, _) = device.desired().await?;
        ensure!(Value::Object(desired.state) == wish);
        // It may have come just when the wish was told anyway.
        let other = device.client.delivery().await?;
        let (id, _) = if other.topic.ends_with("/twin/desired") {
            device.command().await?
        } else {
            device.command_in(&other)?
        };
        ensure!(given["id"] == id.to_string(), "{given}");
        ensure!(device.say(id, &Ack::new(AckStatus::Done)).await? == 0);
        device.client.leave(None).await?;
    }
    world.stop().await
}

#[tokio::test]
async fn much_that_waits_comes_in_its_order_as_it_is_answered() -> anyhow::Result<()> {
    const COMMANDS: usize = 150;
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut ordered = Vec::new();
    // Half of it was sent to a connection that was lost before it answered.
    let mut lost = light.connect(&world).await?;
    for number in 0..COMMANDS {
        ordered.push(light.order(&world, json!({"name": "polish"})).await?["id"].clone());
        if number < COMMANDS / 2 {
            lost.command().await?;
        } else if number == COMMANDS / 2 {
            lost.client.reset()?;
            break;
        }
    }
    eventually("it is gone", async || {
        Ok((world.api().get(&format!("/devices/{}", light.id)).await?["connected"] == false).then_some(()))
    })
    .await?;
    while ordered.len() < COMMANDS {
        ordered.push(light.order(&world, json!({"name": "polish"})).await?["id"].clone());
    }
    let mut device = light.connect(&world).await?;
    let (first, _) = device.command().await?;
    ensure!(ordered[0] == first.to_string());
    // What is given now comes after what waits.
    ordered.push(light.order(&world, json!({"name": "dust"})).await?["id"].clone());
    ensure!(device.say(first, &Ack::new(AckStatus::Done)).await? == 0);
    for expected in &ordered[1..] {
        let (id, command) = device.command().await?;
        ensure!(*expected == id.to_string(), "{command:?}");
        ensure!(device.say(id, &Ack::new(AckStatus::Accepted)).await? == 0);
    }
    device.client.quiet().await?;
    // All was told: what is new comes at once again.
    let given = light.order(&world, json!({"name": "dust"})).await?;
    ensure!(given["id"] == device.command().await?.0.to_string());
    world.stop().await
}

#[tokio::test]
async fn a_request_that_was_cut_short_is_not_done_twice() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let mut device = light.connect(&world).await?;
    let path = light.path("commands?wait=20s");
    let (api, body) = (world.api(), switch_on());
    let ordering = tokio::spawn(async move { api.keyed("coffee", &path, body).await });
    let (id, _) = device.command().await?;
    world.kill().await?;
    ensure!(ordering.await?.is_err(), "the server answered");
    world.restart().await?;
    let mut device = light.connect(&world).await?;
    let (again, _) = device.command().await?;
    ensure!(again == id);
    let path = light.path("commands?wait=20s");
    let (api, body) = (world.api(), switch_on());
    let repeated = api.keyed("coffee", &path, body);
    let done = Ack::new(AckStatus::Done);
    let answered = device.say(id, &done);
    let (ended, code) = tokio::try_join!(repeated, answered)?;
    ensure!(ended["id"] == id.to_string() && ended["status"] == "done" && code == 0, "{ended}");
    let all = world.api().get(&light.path("commands")).await?;
    ensure!(all["items"].as_array().is_some_and(|items| items.len() == 1), "{all}");
    device.client.quiet().await?;
    world.stop().await
}

#[tokio::test]
async fn what_is_late_is_not_sent() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let light = Light::register(&world).await?;
    let given = light.order(&world, json!({"name": "polish", "ttl_s": 1})).await?;
    let ended = eventually("it expires", async || {
        let command = read(&world, &given["id"]).await?;
        Ok((command["status"] == "expired").then_some(command))
    })
    .await?;
    ensure!(ended["reason"] == "undelivered", "{ended}");
    light.connect(&world).await?.client.quiet().await?;
    world.stop().await
}

#[tokio::test]
async fn what_was_ordered_survives_sigkill_on_sqlite() -> anyhow::Result<()> {
    what_was_ordered_survives_sigkill(Engine::Sqlite).await
}

#[tokio::test]
async fn what_was_ordered_survives_sigkill_on_postgres() -> anyhow::Result<()> {
    what_was_ordered_survives_sigkill(Engine::Postgres).await
}

async fn what_was_ordered_survives_sigkill(engine: Engine) -> anyhow::Result<()> {
    const COMMANDS: usize = 50;
    let mut world = World::on(engine).await?;
    let light = Light::register(&world).await?;
    let mut ordered = BTreeSet::new();
    for _ in 0..COMMANDS {
        let given = light.order(&world, switch_on()).await?;
        ordered.insert(given["id"].as_str().context("an id")?.parse::<CommandId>()?);
    }
    world.kill().await?;
    world.restart().await?;
    let mut device = light.connect(&world).await?;
    let mut got = BTreeSet::new();
    for _ in 0..COMMANDS {
        let (id, _) = device.command().await?;
        got.insert(id);
        ensure!(device.say(id, &Ack::new(AckStatus::Done)).await? == 0);
    }
    ensure!(got == ordered, "{got:?}");
    world.kill().await?;
    world.restart().await?;
    for id in ordered {
        let command = world.api().get(&format!("/commands/{id}")).await?;
        ensure!(command["status"] == "done", "{command}");
    }
    light.connect(&world).await?.client.quiet().await?;
    world.stop().await
}
