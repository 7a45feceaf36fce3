//! Fleets with bad networks, wrong clocks and dying adapters: the platform still measures what could be heard.

use std::time::Duration;

use anyhow::ensure;
use firmware_sim::{Day, Fleet, FleetOptions, Registrar, Scenario, Simulation, Truth, report};
use store::Clock;

use crate::world::{Engine, World};

const SEED: u64 = 1;

#[tokio::test]
async fn bad_networks_change_nothing_on_sqlite() -> anyhow::Result<()> {
    bad_networks(Engine::Sqlite).await
}

#[tokio::test]
async fn bad_networks_change_nothing_on_postgres() -> anyhow::Result<()> {
    bad_networks(Engine::Postgres).await
}

/// Every batch comes, some twice and some hours late, and all is as if the network were good.
async fn bad_networks(engine: Engine) -> anyhow::Result<()> {
    let (world, simulation) = run(engine, "bad-network").await?;
    assert_eq!(simulation.truth(), without_faults(&simulation)?, "a network changes no truth");
    for (metric, least) in
        [("promenade_batch_repeats_total", 20.0), ("promenade_recomputed_windows_total", 1.0)]
    {
        let count = world.metric(metric).await?;
        ensure!(count >= least, "{metric} is {count}: the network was not bad, seed {SEED}");
    }
    Ok(())
}

/// `sent` puts clocks right that are minutes off, drift and jump; what is stamped with 1970 is refused.
#[tokio::test]
async fn wrong_clocks_are_corrected() -> anyhow::Result<()> {
    let (world, _) = run(Engine::Sqlite, "bad-clocks").await?;
    let skewed = world.refusals("clock_skew").await?;
    ensure!(skewed > 100, "{skewed} batches were refused: the clock was set, seed {SEED}");
    Ok(())
}

#[tokio::test]
async fn deaf_adapters_are_measured_by_what_could_be_heard() -> anyhow::Result<()> {
    let (_, simulation) = run(Engine::Sqlite, "dying-adapters").await?;
    let (heard, real) = (simulation.truth().day.visits, without_faults(&simulation)?.day.visits);
    ensure!(heard != real, "{real} visits: everything was heard, seed {SEED}");
    Ok(())
}

/// A day of the scenario, through real connections; the table must agree with the truth.
async fn run(engine: Engine, name: &str) -> anyhow::Result<(World, Simulation)> {
    let world = World::with(engine, &[("PROMENADE_MQTT__PINGS__PER_MINUTE", "4000000000")]).await?;
    let now = Clock::System.now();
    let scenario = Scenario::shipped(name)?;
    let yesterday = Day::last_before(&scenario.venue, now)?;
    let simulation = Simulation::new(scenario, SEED, yesterday)?;
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), name);
    let registered = simulation.register(&registrar).await?;
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    let mut fleet = Fleet::new(&options, registered.gateways, now, SEED);
    simulation.run(&mut fleet, |_| ()).await?;
    let day = simulation.day();
    registrar.settled(registered.venue, (day.from, day.to), day.to, Duration::from_mins(4)).await?;
    let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
    let truth = simulation.truth();
    let comparison = report::compare(&truth, &footfall, simulation.scenario().bounds);
    println!("{name}, seed {SEED}\n{comparison}");
    ensure!(comparison.agrees(), "{name}, seed {SEED}, {yesterday}\n{comparison}");
    ensure!(truth.day.visits > 50, "{name}: hardly anybody came");
    Ok((world, simulation))
}

/// What really happened on the same day.
fn without_faults(simulation: &Simulation) -> anyhow::Result<Truth> {
    let mut scenario = simulation.scenario().clone();
    (scenario.faults, scenario.outages) = Default::default();
    Ok(Simulation::new(scenario, SEED, simulation.day().date())?.truth())
}
