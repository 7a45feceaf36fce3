//! `cargo xtask bench commands`: how long an order to a device takes until its answer is back, and what it costs.
//!
//! Orders come through the HTTP API and wait for their end; thousands of devices answer at once. Two yardsticks run beside it in
//! the same rounds: the same number of requests and answers through Mosquitto alone, which keeps nothing, and two commits to the
//! same disk, which is what it takes to keep an order and its end. Orders of Google Assistant (EXECUTE) follow at a rate of their own.

mod commit;
mod echo;
mod google;
mod platform;
mod sample;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use self::platform::Platform;
use self::sample::{Executes, Rows, Sample};
use super::broker::contestant::Contestant;
use super::machine;
use super::process::Programs;
use crate::postgres::Postgres;
use crate::workspace::Workspace;

/// What the bench may be told.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench commands")]
struct Options {
    /// Rounds of each rate; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run is measured, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Commands a second, one rate after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    rates: Vec<u32>,
    /// EXECUTEs of Google a second; none without it.
    #[arg(long, default_value_t = 200)]
    executes: u32,
    /// Devices that are connected.
    #[arg(long, default_value_t = 5_000)]
    devices: u32,
    /// Connections that orders come on; the server lets 256 calls of an organization wait at the same time.
    #[arg(long, default_value_t = 250)]
    connections: usize,
    /// Devices say only how a command ended, and not before that they have it.
    #[arg(long)]
    done_only: bool,
    /// Measures a platform on PostgreSQL, too.
    #[arg(long)]
    postgres: bool,
    /// Waits up to so many seconds before each run until other programs leave the machine alone, and repeats a run that
    /// they disturbed.
    #[arg(long, default_value_t = 0)]
    calm: u64,
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    rate: u32,
    lasting: Duration,
}

/// Runs every rate and prints a table for each.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options =
        Options::parse_from(std::iter::once("commands".to_owned()).chain(arguments.iter().cloned()));
    let programs = Programs::build(workspace)?;
    let mosquitto = Contestant::mosquitto()?;
    let postgres = options.postgres.then(Postgres::start).transpose()?;
    println!(
        "{} devices, {} connections, {} s a run, medians of {} rounds; CPU is the server's, load that of the load generator and \
         the devices, elsewhere the cores that others took",
        options.devices, options.connections, options.seconds, options.rounds
    );
    let mut tables: Vec<_> = options.rates.iter().map(|rate| (*rate, Rows::default())).collect();
    let mut executes = Executes::default();
    for number in 1..=options.rounds {
        let took = round(&mut tables, &mut executes, &options, &programs, &mosquitto, postgres.as_ref());
        if let Err(error) = took {
            eprintln!("   round {number} failed: {error:#}");
        }
    }
    for (rate, rows) in &tables {
        println!("\n{}", rows.rendered(*rate));
    }
    if options.executes > 0 {
        println!("\n{}", executes.rendered(options.executes));
    }
    Ok(())
}

/// Each rate once, at servers that are fresh for the round: everything of a rate, then the next one.
fn round(
    tables: &mut [(u32, Rows)],
    executes: &mut Executes,
    options: &Options,
    programs: &Programs,
    mosquitto: &Contestant,
    postgres: Option<&Postgres>,
) -> Result<()> {
    let mut sqlite = Platform::start(options, programs, None)?;
    let mut other =
        postgres.map(|postgres| Platform::start(options, programs, Some(postgres))).transpose()?;
    let in_calm = |take: &mut dyn FnMut() -> Result<Sample>| {
        machine::in_calm(Duration::from_secs(options.calm), |sample: &Sample| sample.elsewhere, take)
    };
    for (rate, rows) in tables {
        let run = Run { rate: *rate, lasting: Duration::from_secs(options.seconds) };
        rows.commits.push(in_calm(&mut || commit::two(sqlite.folder()))?);
        rows.sqlite.push(in_calm(&mut || sqlite.take(run))?);
        if let Some(platform) = &mut other {
            rows.postgres.push(in_calm(&mut || platform.take(run))?);
        }
        rows.echo.push(in_calm(&mut || echo::take(mosquitto, options.devices, run, programs))?);
    }
    if options.executes > 0 {
        let run = Run { rate: options.executes, lasting: Duration::from_secs(options.seconds) };
        executes.sqlite.push(in_calm(&mut || sqlite.execute(run))?);
        if let Some(platform) = &mut other {
            executes.postgres.push(in_calm(&mut || platform.execute(run))?);
        }
    }
    sqlite.stop()?;
    other.map_or(Ok(()), Platform::stop)
}
