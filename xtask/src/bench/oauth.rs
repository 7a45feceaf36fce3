//! `cargo xtask bench oauth`: what tokens, calls with them and sign-ins cost, beside oidc-provider.
//!
//! Every run has a fresh server, and the two take turns. Both sign an ES256 access token of RFC 9068 for each answer. Ours
//! asks its database and commits to the disk what it changes; the yardstick keeps everything in memory.

pub(super) mod browser;
pub(super) mod contestant;
mod measure;
mod runner;
mod sample;
mod storm;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use self::contestant::Contestant;
use self::measure::{MEASURES, Measure, Size};
use self::sample::Sample;
use super::machine;
use crate::workspace::Workspace;

/// A storm lasts so many times as long as a run: what is asked 50 times a second needs time to have a p99.
const STORM: u32 = 3;

/// What the bench may be told.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench oauth")]
struct Options {
    /// Rounds of each measure; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run asks, in seconds.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Connections that ask.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Only measures whose name contains this, such as `refresh`, `call` or `storm`.
    #[arg(long)]
    only: Option<String>,
    /// Waits up to so many seconds before each run until other programs leave the machine alone.
    #[arg(long, default_value_t = 0)]
    calm: u64,
}

/// Runs every measure and prints a table for each.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once("oauth".to_owned()).chain(arguments.iter().cloned()));
    let contestants = Contestant::both(workspace)?;
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| name.contains(only));
    println!(
        "{} connections, {} s a run, medians of {} rounds; CPU is the server's, load the load generator's, elsewhere the cores that others took",
        options.connections, options.seconds, options.rounds
    );
    for measure in MEASURES.iter().filter(|measure| wanted(measure.name)) {
        println!("\n{}", sample::rendered(measure, &rounds(measure, &contestants, &options)));
    }
    if wanted("storm") {
        let lasting = Duration::from_secs(options.seconds) * STORM;
        machine::wait_until_calm(Duration::from_secs(options.calm));
        storm::run(&contestants[0], options.rounds, lasting)?;
    }
    Ok(())
}

/// Each contestant's samples. One that fails says so and has a sample less; the others go on.
fn rounds<'a>(
    measure: &Measure,
    contestants: &'a [Contestant],
    options: &Options,
) -> Vec<(&'a str, Vec<Sample>)> {
    let size =
        Size { lasting: Duration::from_secs(options.seconds), connections: options.connections.max(1) };
    let contestants: Vec<_> = contestants.iter().filter(|contestant| measure.is_of(contestant)).collect();
    let mut rows: Vec<_> = contestants.iter().map(|contestant| (contestant.name(), Vec::new())).collect();
    for round in 1..=options.rounds {
        for (contestant, (name, samples)) in contestants.iter().zip(&mut rows) {
            machine::wait_until_calm(Duration::from_secs(options.calm));
            match measure.take(contestant, size) {
                Ok(sample) => samples.push(sample),
                Err(error) => eprintln!("   {}, round {round}: {name} failed: {error:#}", measure.name),
            }
        }
    }
    rows
}
