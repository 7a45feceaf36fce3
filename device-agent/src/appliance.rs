//! The thing that a device controls.
//!
//! A driver has a state, the parts of the twin that belong to its capabilities; it changes it one order at a time, which
//! takes a while and may fail. Whoever drives it asks what an order would change ([`plan`](Driver::plan)), lets it begin,
//! and has it keep what came of it when the [`Effect`] is over.

mod beginning;
mod climate;
mod effect;
mod kept;
mod programs;
mod simulated;

use std::io;
use std::path::Path;
use std::time::Duration;

use protocol::{CommandReason, capability};
use serde_json::{Map, Value};

use crate::Clock;
use crate::config::ApplianceConfig;

pub use effect::{Effect, Failure, Outcome};
pub use programs::Programs;
pub use simulated::Simulated;

pub(crate) use kept::path as state_file;

/// What drives the thing.
#[derive(Debug)]
pub enum Driver {
    /// There is nothing to drive.
    None,
    /// Made up: it does what it is told in its memory.
    Simulated(Box<Simulated>),
    /// Programs of this machine.
    Programs(Box<Programs>),
}

impl Driver {
    /// The driver that the configuration asks for, with the state it had when it was last used in this directory.
    pub fn open(config: Option<&ApplianceConfig>, dir: &Path, clock: &Clock) -> io::Result<Self> {
        match config {
            None => Ok(Self::None),
            Some(ApplianceConfig::Simulated(config)) => {
                Ok(Self::Simulated(Box::new(Simulated::open(config, dir, clock)?)))
            }
            Some(ApplianceConfig::Programs(config)) => {
                Ok(Self::Programs(Box::new(Programs::open(config, dir)?)))
            }
        }
    }

    /// The parts of the twin that belong to its capabilities, as far as they are known.
    pub fn state(&self) -> Map<String, Value> {
        match self {
            Self::None => Map::new(),
            Self::Simulated(simulated) => simulated.state().clone(),
            Self::Programs(programs) => programs.state().clone(),
        }
    }

    /// What the order would change, as a merge patch of the state; or why it is refused.
    pub fn plan(&self, order: &capability::Order) -> Result<Map<String, Value>, CommandReason> {
        match self {
            Self::None => Err(CommandReason::NotSupported),
            Self::Simulated(simulated) => simulated.plan(order),
            Self::Programs(programs) => programs.plan(order),
        }
    }

    /// What of a desired state it can follow and is not so yet, as a merge patch of the state.
    pub fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        match self {
            Self::None => Map::new(),
            Self::Simulated(simulated) => simulated.wanted(desired),
            Self::Programs(programs) => programs.wanted(desired),
        }
    }

    /// Begins to make itself known to whoever stands before it.
    pub fn identify(&mut self, clock: &Clock) -> Effect {
        match self {
            Self::None => Effect::at_once(clock, Map::new()),
            Self::Simulated(simulated) => simulated.begin(Map::new(), clock),
            Self::Programs(programs) => programs.identify(clock),
        }
    }

    /// Begins a change.
    pub fn begin(&mut self, patch: Map<String, Value>, clock: &Clock) -> Effect {
        match self {
            Self::None => Effect::at_once(clock, patch),
            Self::Simulated(simulated) => simulated.begin(patch, clock),
            Self::Programs(programs) => programs.begin(&patch, clock),
        }
    }

    /// Keeps what changed. It survives a power cut when this returns; after an error it may not.
    pub fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Simulated(simulated) => simulated.change(patch),
            Self::Programs(programs) => programs.change(patch),
        }
    }

    /// What changed by itself, if it is time to tell, and when to ask again.
    pub fn drift(&mut self, clock: &Clock) -> (Option<Map<String, Value>>, Option<Duration>) {
        match self {
            Self::None | Self::Programs(_) => (None, None),
            Self::Simulated(simulated) => simulated.drift(clock),
        }
    }
}
