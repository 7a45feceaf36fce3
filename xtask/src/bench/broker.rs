//! `cargo xtask bench broker`: what connections and messages cost that are no pings, beside other brokers.
//!
//! Every run has a fresh broker, and brokers take turns, so that what the machine does meanwhile happens to all of them.
//! `promenade-sim load` makes the traffic, as a process of its own.

mod aim;
pub(super) mod contestant;
mod measure;
mod sample;
mod table;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use self::contestant::{Beside, Contestant};
use self::measure::{Length, MEASURES, Measure};
use self::sample::Sample;
use super::machine;
use super::process::Programs;
use crate::workspace::Workspace;

/// What the bench may be told.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench broker")]
struct Options {
    /// Rounds of each measure; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run sends, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only measures whose name contains this, such as `idle`, `fan-out` or `qos1`.
    #[arg(long)]
    only: Option<String>,
    /// Another broker that listens already and lets anybody publish and subscribe. May be repeated.
    #[arg(long, value_name = "NAME=HOST:PORT")]
    beside: Vec<Beside>,
    /// Waits up to so many seconds before each run until other programs leave the machine alone, and repeats a run that
    /// they disturbed.
    #[arg(long, default_value_t = 0)]
    calm: u64,
}

/// Runs every measure and prints a table for each.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once("broker".to_owned()).chain(arguments.iter().cloned()));
    let programs = Programs::build(workspace)?;
    let mut contestants = vec![Contestant::Promenade, Contestant::mosquitto()?];
    contestants.extend(options.beside.iter().cloned().map(Contestant::Beside));
    println!(
        "{} s a run, medians of {} rounds; CPU is the broker's, load the load generator's, elsewhere the cores that others took",
        options.seconds, options.rounds
    );
    for measure in MEASURES {
        if options.only.as_deref().is_none_or(|only| measure.name.contains(only)) {
            let rows = rounds(measure, &contestants, &options, &programs);
            println!("\n{}", table::rendered(measure, &rows));
        }
    }
    Ok(())
}

/// Each contestant's samples. One that fails says so and has a sample less; the others go on.
fn rounds<'a>(
    measure: &Measure,
    contestants: &'a [Contestant],
    options: &Options,
    programs: &Programs,
) -> Vec<(&'a str, Vec<Sample>)> {
    let mut rows: Vec<_> = contestants.iter().map(|contestant| (contestant.name(), Vec::new())).collect();
    for round in 1..=options.rounds {
        for (contestant, (name, samples)) in contestants.iter().zip(&mut rows) {
            let take = || measure.take(contestant, Length { seconds: options.seconds }, programs);
            match machine::in_calm(
                Duration::from_secs(options.calm),
                |sample: &Sample| sample.elsewhere,
                take,
            ) {
                Ok(sample) => samples.push(sample),
                Err(error) => eprintln!("   {}, round {round}: {name} failed: {error:#}", measure.name),
            }
        }
    }
    rows
}
