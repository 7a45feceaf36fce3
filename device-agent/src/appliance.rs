//! The thing that a device controls.
//!
//! A driver has a state, the parts of the twin that belong to its capabilities; it changes it one order at a time, which
//! takes a while and may fail. Whoever drives it asks what an order would change ([`plan`](Driver::plan)), lets it begin,
//! and has it change when the time is over.

mod beginning;
mod climate;
mod simulated;

use std::io;
use std::path::Path;
use std::time::Duration;

use protocol::{CommandReason, capability};
use serde_json::{Map, Value};

use crate::Clock;
use crate::config::ApplianceConfig;

pub use simulated::Simulated;

/// What drives the thing. Drivers of real things will be variants of their own.
#[derive(Debug)]
pub enum Driver {
    /// There is nothing to drive.
    None,
    /// Made up: it does what it is told in its memory.
    Simulated(Box<Simulated>),
}

/// Something a device can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// To make itself known: the device blinks.
    Identify,
    /// To use a capability.
    Order(capability::Order),
}

/// What has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// When it will be over, in elapsed time.
    pub until: Duration,
    /// Whether it will have worked.
    pub works: bool,
}

impl Task {
    /// Reads a command. Otherwise why it is refused, and in words.
    pub fn read(name: &str, args: &Value) -> Result<Self, (CommandReason, Option<String>)> {
        if name == "identify" {
            return Ok(Self::Identify);
        }
        if !args.is_object() {
            return Err((CommandReason::BadArguments, Some("arguments are an object".into())));
        }
        match capability::Order::read(name, args) {
            Ok(Some(order)) => Ok(Self::Order(order)),
            Ok(None) => Err((CommandReason::UnknownCommand, None)),
            Err(fault) => Err((CommandReason::BadArguments, Some(fault.to_string()))),
        }
    }
}

impl Driver {
    /// The driver that the configuration asks for, with the state it had when it was last used in this directory.
    pub fn open(config: Option<&ApplianceConfig>, dir: &Path, clock: &Clock) -> io::Result<Self> {
        match config {
            None => Ok(Self::None),
            Some(config) => Ok(Self::Simulated(Box::new(Simulated::open(config, dir, clock)?))),
        }
    }

    /// The parts of the twin that belong to its capabilities.
    pub fn state(&self) -> Map<String, Value> {
        match self {
            Self::None => Map::new(),
            Self::Simulated(simulated) => simulated.state().clone(),
        }
    }

    /// What the task would change, as a merge patch of the state; or why it is refused.
    pub fn plan(&self, task: &Task) -> Result<Map<String, Value>, CommandReason> {
        match (self, task) {
            (_, Task::Identify) => Ok(Map::new()),
            (Self::None, Task::Order(_)) => Err(CommandReason::NotSupported),
            (Self::Simulated(simulated), Task::Order(order)) => simulated.plan(order),
        }
    }

    /// What of a desired state it can follow and is not so yet, as a merge patch of the state.
    pub fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        match self {
            Self::None => Map::new(),
            Self::Simulated(simulated) => simulated.wanted(desired),
        }
    }

    /// Begins a change.
    pub fn begin(&mut self, clock: &Clock) -> Begun {
        match self {
            Self::None => Begun { until: clock.elapsed(), works: true },
            Self::Simulated(simulated) => simulated.begin(clock),
        }
    }

    /// Makes the change that began. It survives a power cut when this returns; after an error it may not.
    pub fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Simulated(simulated) => simulated.change(patch),
        }
    }

    /// What changed by itself, if it is time to tell, and when to ask again.
    pub fn drift(&mut self, clock: &Clock) -> (Option<Map<String, Value>>, Option<Duration>) {
        match self {
            Self::None => (None, None),
            Self::Simulated(simulated) => simulated.drift(clock),
        }
    }
}
