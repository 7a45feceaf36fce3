//! Kills at random moments on both sides: each command is run once at most, none after its deadline, and each ends.

mod agents;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use firmware_sim::appliance::{Appliance, Appliances, Deeds, Manners, Ran};
use firmware_sim::{Credentials, FleetOptions};
use protocol::{Capabilities, CommandId, CommandReason, CommandStatus, DeviceId, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use store::{Clock, Command, CommandFilter, Page, Store};
use tokio::task::JoinSet;

use self::agents::{Agents, Begun};
use crate::world::{Api, Engine, World, eventually};

const SEED: u64 = 11;

/// How much is ordered of how many, and what is killed meanwhile.
struct Size {
    agents: usize,
    appliances: usize,
    commands: usize,
    /// Commands that are ordered at once.
    chunk: usize,
    /// Chunks from one kill of the server to the next, and from one of an agent.
    server_every: usize,
    agent_every: usize,
}

const ORDINARY: Size =
    Size { agents: 10, appliances: 20, commands: 1_000, chunk: 20, server_every: 17, agent_every: 4 };
const LONG: Size =
    Size { agents: 200, appliances: 50, commands: 20_000, chunk: 50, server_every: 40, agent_every: 3 };

#[tokio::test]
async fn nothing_is_run_twice_or_late_on_sqlite() -> anyhow::Result<()> {
    nothing_is_run_twice_or_late(Engine::Sqlite).await.with_context(|| format!("seed {SEED}"))
}

#[tokio::test]
async fn nothing_is_run_twice_or_late_on_postgres() -> anyhow::Result<()> {
    nothing_is_run_twice_or_late(Engine::Postgres).await.with_context(|| format!("seed {SEED}"))
}

async fn nothing_is_run_twice_or_late(engine: Engine) -> anyhow::Result<()> {
    let size = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { LONG } else { ORDINARY };
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut world = World::on(engine).await?;
    let api = world.api();
    let mut agents = Agents::start(&world, size.agents).await?;
    let (appliances, lamps) = start_appliances(&world, size.appliances).await?;
    let devices: Vec<DeviceId> = agents.devices().chain(lamps).collect();
    for chunk in 0..size.commands / size.chunk {
        let mut orders = JoinSet::new();
        for _ in 0..size.chunk {
            let device = devices[rng.random_range(0..devices.len())];
            // Some have hardly a chance, most have time for a restart.
            let ttl_s = if rng.random_bool(0.1) { 1 } else { rng.random_range(5..20) };
            orders.spawn(order(api.clone(), device, ttl_s));
        }
        if chunk % size.agent_every == size.agent_every - 1 {
            let doomed = rng.random_range(0..size.agents);
            agents.kill(doomed).await?;
            if chunk % size.server_every == size.server_every - 1 {
                world.kill().await?;
                world.restart().await?;
            }
            agents.restart(doomed)?;
        } else if chunk % size.server_every == size.server_every - 1 {
            world.kill().await?;
            world.restart().await?;
        }
        // Of those that a kill cut off nobody knows whether they were given; the rows tell.
        while orders.join_next().await.is_some() {}
    }
    let commands = all_ended(&world, size.commands).await?;
    let begun = agents.stop().await?;
    let deeds = appliances.deeds();
    drop(appliances);
    world.stop().await?;
    judge(&commands, &begun, &deeds)
}

/// Orders one step up; what becomes of the request does not matter here.
async fn order(api: Api, device: DeviceId, ttl_s: u32) {
    let body = json!({"name": "range.adjust", "args": {"range": "count", "by": 1}, "ttl_s": ttl_s});
    let _ = api.post(&format!("/devices/{device}/commands"), body).await;
}

/// What every device can do: count.
fn capabilities() -> Value {
    json!({"range": {"count": {"name": "Count", "min": 0, "max": 1_000_000, "step": 1}}})
}

/// Plain devices that go away, answer late and twice.
async fn start_appliances(world: &World, count: usize) -> anyhow::Result<(Appliances, Vec<DeviceId>)> {
    let manners = Manners {
        // Slow enough that some have to wait until it is too late.
        delay_ms: [1, 250],
        failure_rate: 0.05,
        duplicate_acks: 0.3,
        ack_delay_ms: [0, 500],
        online_ms: 4_000,
        offline_ms: 700,
        ..Manners::default()
    };
    let mut devices = Vec::new();
    for number in 0..count {
        let (device, secret) = agents::register(world, &format!("Lamp {number}")).await?;
        let capabilities: Capabilities = serde_json::from_value(capabilities())?;
        devices.push(Appliance {
            credentials: Credentials { device, secret },
            capabilities,
            manners: manners.clone(),
        });
    }
    let ids = devices.iter().map(|appliance| appliance.credentials.device).collect();
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    Ok((Appliances::start(&options, devices, Clock::System.now(), SEED), ids))
}

/// Waits until every command that was given has ended.
async fn all_ended(world: &World, most: usize) -> anyhow::Result<Vec<Command>> {
    let store = Store::join(&world.database_url()).await?;
    let organization = store.default_organization(Clock::System.now()).await?.id;
    let commands = eventually("every command ends", async || {
        let mut page = Page::first(500);
        let mut commands = Vec::new();
        loop {
            let listed = store.commands(organization, CommandFilter::default(), page).await?;
            commands.extend(listed.items);
            page.cursor = listed.next;
            if page.cursor.is_none() {
                break;
            }
        }
        Ok(commands.iter().all(|command| command.status.is_final()).then_some(commands))
    })
    .await?;
    store.close().await;
    ensure!(commands.len() <= most && commands.len() > most / 2, "{} of {most} were given", commands.len());
    Ok(commands)
}

fn judge(
    commands: &[Command],
    begun: &BTreeMap<DeviceId, Vec<Begun>>,
    deeds: &[(DeviceId, Deeds)],
) -> anyhow::Result<()> {
    let deadlines: BTreeMap<CommandId, Timestamp> =
        commands.iter().map(|command| (command.id, command.deadline)).collect();
    let by_agents = begun.iter().flat_map(|(&device, begun)| begun.iter().map(move |&begun| (device, begun)));
    let by_appliances = deeds.iter().flat_map(|(device, deeds)| {
        let begun = |&Ran { command, began_at }: &Ran| Begun { command, at: began_at };
        deeds.ran.iter().map(move |ran| (*device, begun(ran)))
    });
    let mut run = BTreeSet::new();
    for (device, Begun { command, at }) in by_agents.chain(by_appliances) {
        ensure!(run.insert(command), "{device} began {command} twice");
        let deadline = *deadlines.get(&command).with_context(|| format!("{command} was never given"))?;
        ensure!(at <= deadline, "{device} began {command} at {at:?}, due {deadline:?}");
    }
    let repeated: u64 = deeds.iter().map(|(_, deeds)| deeds.repeated).sum();
    let mut statuses: BTreeMap<CommandStatus, usize> = BTreeMap::new();
    for command in commands {
        *statuses.entry(command.status).or_default() += 1;
        match command.status {
            // An agent that was killed between its journal and its log says what it was about to do.
            CommandStatus::Failed if command.reason == Some(CommandReason::Interrupted) => {}
            CommandStatus::Done | CommandStatus::Failed => {
                ensure!(run.contains(&command.id), "{} was never begun: {command:?}", command.id);
            }
            CommandStatus::Refused | CommandStatus::Cancelled => {
                ensure!(!run.contains(&command.id), "{} was run: {command:?}", command.id);
            }
            _ => {}
        }
    }
    let done = statuses.get(&CommandStatus::Done).copied().unwrap_or_default();
    ensure!(done * 2 > commands.len(), "hardly anything worked: {statuses:?}");
    println!("{} commands: {statuses:?}, {} begun, {repeated} came again", commands.len(), run.len());
    Ok(())
}
