//! What a device measures.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Capability, Fault};
use crate::command::CommandReason;

/// What it measures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Each once.
    pub readings: BTreeSet<Reading>,
}

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Of the air, in degrees Celsius.
    Temperature,
    /// Relative, of the air, in per cent.
    Humidity,
    /// How many people are there.
    Occupancy,
    /// What is left in the battery, in per cent.
    Battery,
    /// Carbon dioxide in the air, in parts per million.
    CarbonDioxide,
}

/// What was measured last, by what it is.
pub type State = BTreeMap<Reading, f64>;

/// It can be told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args")]
pub enum Order {}

impl Reading {
    /// Every reading, in the order of declaration.
    pub const ALL: &[Self] =
        &[Self::Temperature, Self::Humidity, Self::Occupancy, Self::Battery, Self::CarbonDioxide];

    /// The lowest and the highest that can be measured on earth.
    const fn bounds(self) -> (f64, f64) {
        match self {
            Self::Temperature => (-100.0, 1_000.0),
            Self::Humidity | Self::Battery => (0.0, 100.0),
            Self::Occupancy | Self::CarbonDioxide => (0.0, 10_000_000.0),
        }
    }
}

impl Capability for Sensor {
    const NAME: &'static str = "sensor";
    const ORDERS: &'static [&'static str] = &[];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        if self.readings.is_empty() { Err(Fault::new("/readings", "at least one")) } else { Ok(()) }
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        for (reading, value) in state {
            let path =
                || format!("/{}", serde_json::to_value(reading).unwrap_or_default().as_str().unwrap_or(""));
            if !self.readings.contains(reading) {
                return Err(Fault::new(path(), "this device does not measure it"));
            }
            let (min, max) = reading.bounds();
            if !(min..=max).contains(value) {
                return Err(Fault::new(path(), format_args!("a number from {min} to {max}")));
            }
        }
        Ok(())
    }

    fn after(&self, _: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        match *order {}
    }
}
