//! What a device can do of what it is told: its appliance, its scan, its log, and its own end.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::admission::Refusal;
use super::task::Task;
use crate::Clock;
use crate::appliance::{Driver, Effect, Outcome};
use crate::config::Config;
use crate::log::Log;
use crate::tuning::{self, Tuning};

/// Everything that tasks are done with.
#[derive(Debug)]
pub(super) struct Abilities {
    pub(super) driver: Driver,
    pub(super) tuning: Tuning,
    log: Log,
}

impl Abilities {
    /// As the configuration asks for it, taken up where it was left in this directory.
    pub(super) fn open(config: &Config, dir: &Path, log: Log, clock: &Clock) -> io::Result<Self> {
        Ok(Self {
            driver: Driver::open(config.appliance.as_ref(), dir, clock)?,
            tuning: Tuning::open(&config.scanner, &config.batches, dir)?,
            log,
        })
    }

    /// The parts of the twin that tasks change.
    pub(super) fn state(&self) -> Map<String, Value> {
        let mut state = self.driver.state();
        state.insert(tuning::PART.to_owned(), self.tuning.report());
        state
    }

    /// What the task would change, as a merge patch of the state; or why it is refused.
    pub(super) fn plan(&self, task: &Task) -> Result<Map<String, Value>, Refusal> {
        match task {
            Task::Identify | Task::Restart | Task::Logs(_) => Ok(Map::new()),
            Task::Order(order) => Ok(self.driver.plan(order)?),
            Task::Scan(change) => {
                self.tuning.check(change).map_err(|(reason, detail)| Refusal { reason, detail })?;
                Ok(scan(change.clone()))
            }
        }
    }

    /// What of a desired state can be followed and is not so yet, as a merge patch of the state.
    pub(super) fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        let mut wanted = self.driver.wanted(desired);
        let change = desired.get(tuning::PART).and_then(|part| self.tuning.wanted(part));
        wanted.extend(change.map(scan).into_iter().flatten());
        wanted
    }

    /// Begins a task of which this was planned.
    pub(super) fn begin(&mut self, task: &Task, patch: Map<String, Value>, clock: &Clock) -> Effect {
        match task {
            Task::Identify => self.driver.identify(clock),
            Task::Order(_) => self.driver.begin(patch, clock),
            Task::Scan(_) => Effect::at_once(clock, patch),
            Task::Restart => Effect::Leaving,
            Task::Logs(query) => {
                let result = Some(self.log.answer(query));
                Effect::Over(Outcome { result, ..Outcome::default() })
            }
        }
    }

    /// Begins what a desired state wants of the appliance.
    pub(super) fn follow(&mut self, patch: Map<String, Value>, clock: &Clock) -> Effect {
        self.driver.begin(patch, clock)
    }

    /// Keeps what changed. It survives a power cut when this returns; after an error it may not.
    pub(super) fn change(&mut self, mut patch: Map<String, Value>) -> io::Result<()> {
        if let Some(Value::Object(change)) = patch.remove(tuning::PART) {
            self.tuning.change(&change)?;
        }
        self.driver.change(&patch)
    }

    /// What changed by itself, if it is time to tell, and when to ask again.
    pub(super) fn drift(&mut self, clock: &Clock) -> (Option<Map<String, Value>>, Option<Duration>) {
        self.driver.drift(clock)
    }
}

fn scan(change: Map<String, Value>) -> Map<String, Value> {
    Map::from_iter([(tuning::PART.to_owned(), Value::Object(change))])
}
