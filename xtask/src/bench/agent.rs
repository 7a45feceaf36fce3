//! `cargo xtask bench agent`: what listening costs, beside Theengs Gateway on the same air.
//!
//! A BlueZ without a radio tells whoever scans of a steady stream of advertisements, on a D-Bus of its own. Every run has
//! fresh programs, and contestants take turns. What BlueZ and the bus take is not counted, nor is the server or broker.

mod air;
mod contestant;
mod sample;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use self::contestant::Contestant;
use self::sample::Sample;
use super::machine;
use crate::agent_image;
use crate::workspace::Workspace;

/// What the bench may be told.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench agent")]
struct Options {
    /// Rounds of each contestant; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run is measured, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Advertisements a second.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Senders of them.
    #[arg(long, default_value_t = 100)]
    senders: u32,
    /// Only contestants whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Waits up to so many seconds before each run until other programs leave the machine alone.
    #[arg(long, default_value_t = 0)]
    calm: u64,
}

/// Lets each listen in turn and prints a table.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once("agent".to_owned()).chain(arguments.iter().cloned()));
    let mut contestants = Contestant::all(workspace)?;
    let bytes = std::fs::metadata(agent_image::native(workspace)?)?.len();
    println!("promenade-agent has {:.1} MB, built as for a Raspberry Pi", bytes as f64 / 1e6);
    if let Some(only) = &options.only {
        contestants.retain(|contestant| contestant.name().contains(only.as_str()));
    }
    println!(
        "{} advertisements a second of {} senders, {} s a run, medians of {} rounds; elsewhere are the cores that others took, \
         the mock of BlueZ among them",
        options.rate, options.senders, options.seconds, options.rounds
    );
    let mut rows: Vec<_> = contestants.iter().map(|contestant| (contestant.name(), Vec::new())).collect();
    for round in 1..=options.rounds {
        for (contestant, (name, samples)) in contestants.iter().zip(&mut rows) {
            machine::wait_until_calm(Duration::from_secs(options.calm));
            match contestant.listen(&options) {
                Ok(sample) => samples.push(sample),
                Err(error) => eprintln!("   round {round}: {name} failed: {error:#}"),
            }
        }
    }
    println!("\n{}", Sample::rendered(&rows));
    Ok(())
}
