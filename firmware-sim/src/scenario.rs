//! The scenario file: a venue, its zones and receivers, who comes through the day, the radio and what goes wrong.
//!
//! The file is TOML. Keys that are not known are refused, and so is every number outside its range, with the place and
//! the reason, because a scenario with a silent typing error gives numbers nobody can explain.

mod check;
mod crowd;
mod fault;
mod place;
mod shipped;

pub use crowd::{Crowd, CrowdKind, IdentifierMix, Returns, Sleep, Walking};
pub use fault::{AdapterFault, ClockFault, Faults, Jump, NetworkFault, Spells, Whom};
pub use place::{AppliancePlan, BeaconPlan, GatewayPlan, LocalTime, VenuePlan, ZonePlan};

use crate::report::Bounds;
use serde::Deserialize;
use thiserror::Error;

/// A whole scenario. Lengths are metres, signal strengths dBm, times of day local to the venue.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The scenario's own name, as in `promenade demo --scenario NAME`.
    pub name: String,
    /// The place.
    pub venue: VenuePlan,
    /// Its parts. They do not overlap; floor in no zone is allowed.
    pub zones: Vec<ZonePlan>,
    /// The fixed receivers.
    pub gateways: Vec<GatewayPlan>,
    /// The fixed transmitters: infrastructure, never counted. They keep event time moving when nobody is there.
    #[serde(default)]
    pub beacons: Vec<BeaconPlan>,
    /// What can be controlled there.
    #[serde(default)]
    pub appliances: Vec<AppliancePlan>,
    /// Who comes.
    #[serde(default)]
    pub shoppers: Vec<Crowd>,
    /// What the shoppers' transmitters call themselves.
    #[serde(default)]
    pub identifiers: IdentifierMix,
    /// Whether some of the transmitters sleep.
    #[serde(default)]
    pub sleep: Option<Sleep>,
    /// How people walk.
    #[serde(default)]
    pub walking: Walking,
    /// How the radio carries.
    #[serde(default)]
    pub radio: RadioPlan,
    /// What the gateways' clocks do.
    #[serde(default)]
    pub clock: ClockPlan,
    /// When gateways are cut off. They go on hearing and deliver late.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// What else goes wrong with gateways.
    #[serde(default)]
    pub faults: Faults,
    /// How near the platform's numbers have to come.
    #[serde(default)]
    pub bounds: Bounds,
}

impl Scenario {
    /// Reads and checks a scenario file's text.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        check::check(&scenario)?;
        Ok(scenario)
    }

    /// One of the shipped scenarios, by its name.
    pub fn shipped(name: &str) -> Result<Self, ScenarioError> {
        let (_, text) = shipped::SHIPPED.iter().find(|(shipped, _)| *shipped == name).ok_or_else(|| {
            ScenarioError::Unknown { name: name.to_owned(), known: shipped::names().join(", ") }
        })?;
        Self::parse(text)
    }

    /// The names `shipped` knows.
    pub fn shipped_names() -> Vec<&'static str> {
        shipped::names()
    }

    /// The number of the zone with this name.
    pub fn zone(&self, name: &str) -> Option<usize> {
        self.zones.iter().position(|zone| zone.name == name)
    }

    /// The number of the gateway with this name.
    pub fn gateway(&self, name: &str) -> Option<usize> {
        self.gateways.iter().position(|gateway| gateway.name == name)
    }
}

/// How the radio carries: log-distance path loss with slow shadowing and fast fading.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RadioPlan {
    /// Mean strength at 1 m, dBm.
    pub tx_power_dbm: f32,
    /// Path-loss exponent: 2 in free space, 2.5 to 3.5 in furnished rooms.
    pub path_loss_exponent: f32,
    /// Standard deviation of the slow shadowing, dB.
    pub shadowing_db: f32,
    /// Time after which the shadowing has forgotten 63 % of itself, seconds.
    pub shadowing_memory_s: f32,
    /// Standard deviation of the fast fading from one advertisement to the next, dB.
    pub fading_db: f32,
    /// Weaker advertisements are not heard, dBm.
    pub sensitivity_dbm: f32,
    /// Share of the advertisements that are lost to collisions.
    pub loss: f64,
    /// Time between two advertisements of one transmitter, milliseconds.
    pub advertising_interval_ms: i64,
    /// What the shop front takes between outside and everything else, dB.
    pub front_db: f32,
    /// What shelves and walls take between two zones, dB.
    pub partition_db: f32,
    /// Time between two batches of one gateway, seconds.
    pub batch_every_s: u32,
}

impl Default for RadioPlan {
    fn default() -> Self {
        Self {
            tx_power_dbm: -59.0,
            path_loss_exponent: 2.6,
            shadowing_db: 3.0,
            shadowing_memory_s: 20.0,
            fading_db: 2.0,
            sensitivity_dbm: -92.0,
            loss: 0.1,
            advertising_interval_ms: 1_000,
            front_db: 15.0,
            partition_db: 3.0,
            batch_every_s: 10,
        }
    }
}

/// Small errors of all clocks. These batches carry no `sent`, so nobody corrects them; larger ones are a [`ClockFault`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockPlan {
    /// Standard deviation of each gateway's constant error, milliseconds.
    pub offset_sigma_ms: f32,
    /// Sudden changes, as when time is set over the network.
    pub steps: Vec<ClockStep>,
}

/// A sudden change of one gateway's clock.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// The gateway's name.
    pub gateway: String,
    /// When.
    pub at: LocalTime,
    /// By how much; negative sets it back. Milliseconds.
    pub by_ms: i64,
}

/// A time in which gateways have no connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The gateways' names.
    pub gateways: Vec<String>,
    /// From when.
    pub from: LocalTime,
    /// Until when, later on the same day; if left out, until a day after the end of this one.
    #[serde(default)]
    pub to: Option<LocalTime>,
}

/// Why a scenario cannot be used.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The text is not TOML, lacks a key, or has one nobody knows.
    #[error("the scenario file cannot be read: {0}")]
    Unreadable(#[from] toml::de::Error),
    /// It can be read, but does not make sense.
    #[error("the scenario does not make sense: {place}: {why}")]
    Senseless {
        /// Where in the file, as `zones.entrance.rectangle`.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// No scenario of this name is shipped.
    #[error("no scenario is called {name}; shipped are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}
