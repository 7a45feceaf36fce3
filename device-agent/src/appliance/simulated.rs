//! A thing that is made up: it takes its time, fails now and then, and remembers its state on disk.

use std::io;
use std::path::Path;
use std::time::Duration;

use protocol::{CommandReason, capability};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::climate::Climate;
use super::kept::Kept;
use super::{Effect, Outcome, beginning};
use crate::Clock;
use crate::config::SimulatedApplianceConfig;

/// A made-up thing.
#[derive(Debug)]
pub struct Simulated {
    kept: Kept,
    delay: Duration,
    failure_rate: f64,
    rng: ChaCha8Rng,
    climate: Option<Climate>,
}

impl Simulated {
    /// Takes up the state in this directory, as far as a thing with these capabilities can be in it.
    pub fn open(config: &SimulatedApplianceConfig, dir: &Path, clock: &Clock) -> io::Result<Self> {
        let kept = Kept::open(&config.capabilities, beginning::state(&config.capabilities), dir)?;
        Ok(Self {
            climate: Climate::of(config, kept.state(), clock.elapsed()),
            delay: config.delay(),
            failure_rate: config.failure_rate,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            kept,
        })
    }

    pub(super) fn state(&self) -> &Map<String, Value> {
        self.kept.state()
    }

    pub(super) fn plan(&self, order: &capability::Order) -> Result<Map<String, Value>, CommandReason> {
        self.kept.plan(order)
    }

    pub(super) fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        self.kept.wanted(desired)
    }

    pub(super) fn begin(&mut self, patch: Map<String, Value>, clock: &Clock) -> Effect {
        let outcome = if self.rng.random_bool(self.failure_rate) {
            Outcome::failed(CommandReason::DeviceError, None)
        } else {
            Outcome { changed: patch, ..Outcome::default() }
        };
        Effect::Timed(clock.elapsed() + self.delay, outcome)
    }

    pub(super) fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        self.kept.change(patch)
    }

    pub(super) fn drift(&mut self, clock: &Clock) -> (Option<Map<String, Value>>, Option<Duration>) {
        let Some(climate) = &mut self.climate else { return (None, None) };
        let patch = climate.drift(self.kept.state(), clock.elapsed());
        if let Some(patch) = &patch {
            self.kept.note(patch);
        }
        (patch, Some(climate.due()))
    }
}

#[cfg(test)]
mod tests;
