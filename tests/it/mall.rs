//! A day in a mall through a real server: dead and skewed gateways, phones that sleep, and an agent that delivers its whole
//! day when that day is over. With `--long` all 30,000 people come.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use firmware_sim::{
    Day, Fleet, FleetOptions, Footfall, Registrar, Registration, Scenario, Simulation, Step, report, rfc3339,
};
use protocol::Timestamp;
use store::Clock;

use crate::world::{Engine, World, eventually_within};

const SEED: u64 = 1;

/// The share of the people who come in the ordinary run.
const SHARE: f64 = 1.0 / 60.0;

/// What the server may need for the day when everybody comes, and then for what was late: that is the promise.
const PATIENCE: Duration = Duration::from_mins(10);
const FOLDED_IN: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_mall_is_right_once_the_late_agent_has_delivered() -> anyhow::Result<()> {
    let is_long = std::env::var_os("PROMENADE_TEST_LONG").is_some();
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__PINGS__PER_MINUTE", "4000000000")]).await?;
    let now = Clock::System.now();
    let simulation = mall(now, is_long)?;
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), "mall");
    let registered = simulation.register(&registrar).await?;
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    let mut fleet = Fleet::new(&options, registered.gateways.clone(), now, SEED);

    let day = simulation.day().clone();
    let mut late: Vec<Step> = Vec::new();
    for step in simulation.steps() {
        if step.to > day.to.plus(3_600_000) {
            late.push(step);
        } else {
            ensure!(fleet.deliver(step.batches, &step.uplinks).await? == 0, "something was refused");
        }
    }
    registrar.settled(registered.venue, (day.from, day.to), day.to, PATIENCE).await?;
    let before = registrar.footfall(registered.venue, day.from, day.to).await?;
    let touched = late_zone(&world, &simulation, &registered).await?;
    ensure!(
        !before.recomputing && touched == 0,
        "{touched} visits were in the zone that nobody has reported"
    );

    let pings: usize = late.iter().flat_map(|step| &step.batches).map(|(_, batch)| batch.pings.len()).sum();
    let begun = Instant::now();
    let delivered = Mutex::new(None);
    let deliver = async {
        for step in late {
            ensure!(fleet.deliver(step.batches, &step.uplinks).await? == 0, "something late was refused");
        }
        *delivered.lock().expect("a lock") = Some(begun.elapsed());
        anyhow::Ok(())
    };
    let (sent, seen) = tokio::join!(deliver, recomputing(&registrar, &registered, &day, &before));
    sent?;
    seen?;
    registrar.settled(registered.venue, (day.from, day.to), day.to, PATIENCE).await?;
    let (sending, whole) = (delivered.lock().expect("a lock").context("it was delivered")?, begun.elapsed());
    println!(
        "{pings} pings a day late: delivered in {sending:.1?}, folded in {:.1?} after that; the server had {} of memory at most",
        whole.saturating_sub(sending),
        most_memory(world.pid()?)
    );
    ensure!(
        whole.saturating_sub(sending) <= FOLDED_IN,
        "folding in took {:?}",
        whole.saturating_sub(sending)
    );

    let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
    let touched = late_zone(&world, &simulation, &registered).await?;
    let comparison = report::compare(&simulation.truth(), &footfall, simulation.scenario().bounds);
    println!("mall, seed {SEED}, {} people\n{comparison}", simulation.shoppers().len());
    ensure!(
        comparison.agrees() && touched > 0,
        "seed {SEED}, {}, {touched} in the late zone\n{comparison}",
        day.date()
    );
    Ok(())
}

fn mall(now: Timestamp, is_long: bool) -> anyhow::Result<Simulation> {
    let mut scenario = Scenario::shipped("mall")?;
    if !is_long {
        scenario.shoppers.iter_mut().flat_map(|crowd| &mut crowd.per_hour).for_each(|rate| *rate *= SHARE);
    }
    let yesterday = Day::last_before(&scenario.venue, now)?;
    Ok(Simulation::new(scenario, SEED, yesterday)?)
}

/// Waits until the answer says that it may still change. What it says to be complete stays so all the time.
async fn recomputing(
    registrar: &Registrar,
    registered: &Registration,
    day: &Day,
    before: &Footfall,
) -> anyhow::Result<()> {
    eventually_within(PATIENCE, "what comes late is shown as `recomputing`", async || {
        let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
        ensure!(
            footfall.complete_through >= before.complete_through,
            "complete_through went back: {footfall:?}"
        );
        Ok(footfall.recomputing.then_some(()))
    })
    .await
}

/// How many visits touch the zone that only the late agent hears well.
async fn late_zone(world: &World, simulation: &Simulation, registered: &Registration) -> anyhow::Result<u64> {
    let day = simulation.day();
    let zone = registered.zones[simulation.scenario().zone("shop 14").context("a zone")?];
    let (from, to) = (rfc3339(day.from), rfc3339(day.to));
    let path = format!("/venues/{}/footfall?from={from}&to={to}&bucket=day&zone={zone}", registered.venue);
    world.api().get(&path).await?["series"][0]["visits"].as_u64().context("a number of visits")
}

/// The largest memory that a process had, as the kernel says it.
fn most_memory(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "an unknown amount".to_owned(), |line| line.trim().to_owned())
}
