//! SIGKILL at random moments: what was acknowledged is there, once, and the numbers are those of a run without a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use firmware_sim::{Fleet, FleetOptions, Registrar, Registration, Scenario, Simulation};
use protocol::{Boot, DeviceId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use store::segment::SegmentReader;
use store::{Clock, Store};

use crate::world::{Engine, World};

/// Fifty gateways; one of them is offline for an hour and delivers late.
const SCENARIO: &str = include_str!("kill/fifty.toml");
const SEED: u64 = 7;

/// What must be the same with and without kills.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The stays of each subject as (zone, from, to), sorted: pseudonyms differ from server to server.
    stays: Vec<Vec<(usize, String, String)>>,
    /// The hourly footfall.
    series: Value,
}

#[tokio::test]
async fn kills_lose_nothing_on_sqlite() -> anyhow::Result<()> {
    compare(Engine::Sqlite).await
}

#[tokio::test]
async fn kills_lose_nothing_on_postgres() -> anyhow::Result<()> {
    compare(Engine::Postgres).await
}

async fn compare(engine: Engine) -> anyhow::Result<()> {
    let kills = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { 20 } else { 5 };
    let undisturbed = run(engine, 0).await?;
    let disturbed = run(engine, kills).await?;
    ensure!(!undisturbed.stays.is_empty(), "nobody came");
    assert_eq!(disturbed, undisturbed, "seed {SEED}, {kills} kills, {engine:?}");
    Ok(())
}

async fn run(engine: Engine, kills: usize) -> anyhow::Result<Outcome> {
    let unlimited = [("PROMENADE_MQTT__PINGS__PER_MINUTE", "4000000000")];
    let mut world = World::with(engine, &unlimited).await?;
    let scenario = Scenario::parse(SCENARIO)?;
    let yesterday = firmware_sim::Day::last_before(&scenario.venue, Clock::System.now())?;
    let simulation = Simulation::new(scenario, SEED, yesterday)?;
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), "kill");
    let registered = simulation.register(&registrar).await?;
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    let mut fleet = Fleet::new(&options, registered.gateways.clone(), Clock::System.now(), SEED);
    let sent = send(&simulation, &mut fleet, &mut world, kills).await?;
    let day = simulation.day().clone();
    registrar.settled(registered.venue, (day.from, day.to), day.to, Duration::from_mins(4)).await?;
    let outcome = outcome(&world, &simulation, &registered, &registrar).await?;
    world.stop().await?;
    assert_each_batch_once(&world, &registered, &sent).await?;
    Ok(outcome)
}

/// Sends the day step by step. Before some steps, drawn from the seed, the server is killed at a random moment of the step.
async fn send(
    simulation: &Simulation,
    fleet: &mut Fleet,
    world: &mut World,
    kills: usize,
) -> anyhow::Result<BTreeSet<(DeviceId, Boot, u64)>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let steps: Vec<_> = simulation.steps().collect();
    let busy: Vec<usize> = (0..steps.len()).filter(|&step| !steps[step].batches.is_empty()).collect();
    let mut doomed = BTreeSet::new();
    while doomed.len() < kills {
        doomed.insert(busy[rng.random_range(0..busy.len())]);
    }
    let devices = fleet.devices();
    let mut sent = BTreeSet::new();
    for (number, step) in steps.into_iter().enumerate() {
        for (gateway, batch) in &step.batches {
            sent.insert((devices[*gateway], batch.boot, batch.seq));
        }
        if doomed.iter().step_by(2).any(|doomed| *doomed == number) {
            // Every other kill comes when there is a checkpoint to go on from.
            world.metric_reaches("promenade_checkpoints_total", 1.0).await?;
        }
        let delivery = fleet.deliver(step.batches, &step.uplinks);
        if doomed.contains(&number) {
            let moment = Duration::from_micros(rng.random_range(0..20_000));
            let disturbance = async {
                tokio::time::sleep(moment).await; // the moment of the kill, not a wait for something
                world.kill().await?;
                world.restart().await
            };
            let (refused, disturbed) = tokio::join!(delivery, disturbance);
            disturbed?;
            ensure!(refused? == 0, "step {number}, seed {SEED}: something was refused");
        } else {
            ensure!(delivery.await? == 0, "step {number}, seed {SEED}: something was refused");
        }
    }
    fleet.disconnect().await;
    Ok(sent)
}

async fn outcome(
    world: &World,
    simulation: &Simulation,
    registered: &Registration,
    registrar: &Registrar,
) -> anyhow::Result<Outcome> {
    let day = simulation.day();
    let stays = registrar.stays(registered.venue, day.from, day.to).await?;
    let mut subjects: BTreeMap<String, Vec<(usize, String, String)>> = BTreeMap::new();
    for stay in stays {
        let zone = registered.zones.iter().position(|zone| *zone == stay.zone).context("a zone of ours")?;
        let times = (format!("{:?}", stay.from), format!("{:?}", stay.to));
        subjects.entry(stay.subject.clone()).or_default().push((zone, times.0, times.1));
    }
    let mut stays: Vec<_> = subjects.into_values().collect();
    for stays in &mut stays {
        stays.sort();
    }
    stays.sort();
    let path = format!(
        "/venues/{}/footfall?from={}&to={}&bucket=hour",
        registered.venue,
        firmware_sim::rfc3339(day.from),
        firmware_sim::rfc3339(day.to)
    );
    let series = world.api().get(&path).await?["series"].clone();
    Ok(Outcome { stays, series })
}

/// Reads the raw log: every batch that was acknowledged is in it, once, and nothing else is.
async fn assert_each_batch_once(
    world: &World,
    registered: &Registration,
    sent: &BTreeSet<(DeviceId, Boot, u64)>,
) -> anyhow::Result<()> {
    let store = Store::open(&world.database_url()).await?;
    let organization = store.default_organization(Clock::System.now()).await?.id;
    let (mut stored, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = store.segments(organization, registered.venue, after, 100).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for segment in &page {
            for batch in SegmentReader::new(&segment.body)?.batches() {
                let head = batch?.head;
                ensure!(stored.insert((head.device, head.boot, head.seq)), "twice: {head:?}");
            }
        }
    }
    store.close().await;
    ensure!(stored == *sent, "{} batches stored, {} acknowledged", stored.len(), sent.len());
    Ok(())
}
