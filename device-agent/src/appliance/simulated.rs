//! A thing that is made up: it takes its time, fails now and then, and remembers its state on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{Capabilities, CommandReason, capability, twin};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};
use tracing::warn;

use super::climate::Climate;
use super::{Begun, beginning};
use crate::Clock;
use crate::config::ApplianceConfig;
use crate::durable::replace;

/// The part of the twin that nobody can set.
const SENSOR: &str = "sensor";

/// A made-up thing.
#[derive(Debug)]
pub struct Simulated {
    capabilities: Capabilities,
    delay: Duration,
    failure_rate: f64,
    rng: ChaCha8Rng,
    state: Map<String, Value>,
    climate: Option<Climate>,
    dir: PathBuf,
}

impl Simulated {
    /// Takes up the state in this directory, as far as a thing with these capabilities can be in it.
    pub fn open(config: &ApplianceConfig, dir: &Path, clock: &Clock) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let capabilities = config.capabilities.clone();
        let mut state = beginning::state(&capabilities);
        match fs::read(path(dir)) {
            Ok(bytes) => match serde_json::from_slice::<Map<String, Value>>(&bytes) {
                Ok(saved) => take_up(&mut state, &saved, &capabilities),
                Err(error) => warn!(%error, "the appliance's state cannot be read; it begins anew"),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            climate: Climate::of(config, &state, clock.elapsed()),
            delay: config.delay(),
            failure_rate: config.failure_rate,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            capabilities,
            state,
            dir: dir.to_owned(),
        })
    }

    pub(super) fn state(&self) -> &Map<String, Value> {
        &self.state
    }

    pub(super) fn plan(&self, order: &capability::Order) -> Result<Map<String, Value>, CommandReason> {
        self.capabilities.after(&self.state, order)
    }

    /// A part that it cannot be in is left out with a warning, one that is none of its capabilities without.
    pub(super) fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        let mut open = twin::delta(&self.state, desired);
        open.retain(|name, part| {
            if name == SENSOR || !self.capabilities.names().any(|own| own == name) {
                return false;
            }
            let one = Map::from_iter([(name.clone(), part.clone())]);
            let mut after = self.state.clone();
            twin::merge(&mut after, one);
            after.retain(|other, _| other == name);
            match self.capabilities.holds(&after) {
                Ok(()) if after.contains_key(name) => true,
                Ok(()) => false,
                Err(fault) => {
                    warn!(%fault, "a part of the desired twin cannot be followed");
                    false
                }
            }
        });
        open
    }

    pub(super) fn begin(&mut self, clock: &Clock) -> Begun {
        let works = !self.rng.random_bool(self.failure_rate);
        Begun { until: clock.elapsed() + self.delay, works }
    }

    pub(super) fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        if patch.is_empty() {
            return Ok(());
        }
        let mut after = self.state.clone();
        twin::merge(&mut after, patch.clone());
        let bytes = serde_json::to_vec(&after).map_err(io::Error::other)?;
        replace(&self.dir, &path(&self.dir), &bytes)?;
        self.state = after;
        Ok(())
    }

    /// What is measured is not saved by itself: that would wear the disk out for nothing.
    pub(super) fn drift(&mut self, clock: &Clock) -> (Option<Map<String, Value>>, Option<Duration>) {
        let Some(climate) = &mut self.climate else { return (None, None) };
        let patch = climate.drift(&self.state, clock.elapsed());
        if let Some(patch) = &patch {
            twin::merge(&mut self.state, patch.clone());
        }
        (patch, Some(climate.due()))
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("appliance.json")
}

/// Lays over a state what was saved of each part, where the thing can be in it.
fn take_up(state: &mut Map<String, Value>, saved: &Map<String, Value>, capabilities: &Capabilities) {
    for name in capabilities.names() {
        let Some(part) = saved.get(name) else { continue };
        let mut with = state.clone();
        twin::merge(&mut with, Map::from_iter([(name.to_owned(), part.clone())]));
        if capabilities.holds(&with).is_ok() && with.contains_key(name) {
            *state = with;
        }
    }
}

#[cfg(test)]
mod tests;
