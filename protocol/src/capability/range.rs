//! Things of a device that are numbers between two ends: a temperature to hold, a height, a speed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_keys, check_name, pointer};
use crate::command::CommandReason;

/// What can be set, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(pub BTreeMap<String, Range>);

/// One number that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// What people call it.
    pub name: String,
    /// The lowest it can be.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// What it goes by; more than 0.
    pub step: f64,
    /// What it counts; none for bare numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Degrees Celsius.
    Celsius,
    /// Hundredths of the whole.
    Percent,
    /// Degrees of a circle.
    Degrees,
    /// Metres.
    Metres,
}

/// What each is set to, by name.
pub type State = BTreeMap<String, f64>;

/// What it can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// One of them is to be that number.
    #[serde(rename = "range.set")]
    Set {
        /// Which.
        range: String,
        /// The number, between its ends.
        value: f64,
    },
    /// One of them is to go up or down by that much; it stops at its ends.
    #[serde(rename = "range.adjust")]
    Adjust {
        /// Which.
        range: String,
        /// By how much.
        by: f64,
    },
}

impl Range {
    /// Whether it can be that number.
    pub fn contains(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        let is_number = |number: f64| number.is_finite() && number.abs() <= 1e9;
        if !is_number(self.min) || !is_number(self.max) || self.min >= self.max {
            return Err(Fault::new("/max", "more than min, and both between -1e9 and 1e9"));
        }
        if !self.step.is_finite() || self.step <= 0.0 || self.step > self.max - self.min {
            return Err(Fault::new("/step", "more than 0 and no more than from end to end"));
        }
        Ok(())
    }
}

impl Capability for Ranges {
    const NAME: &'static str = "range";
    const ORDERS: &'static [&'static str] = &["range.set", "range.adjust"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        check_keys("range", self.0.iter(), Range::check)
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        for (range, value) in state {
            let path = || format!("/{}", pointer(range));
            let known = self.0.get(range).ok_or_else(|| Fault::new(path(), "no such range"))?;
            if !known.contains(*value) {
                let what = format_args!("a number from {} to {}", known.min, known.max);
                return Err(Fault::new(path(), what));
            }
        }
        Ok(())
    }

    fn after(&self, state: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let (Order::Set { range: name, .. } | Order::Adjust { range: name, .. }) = order;
        let range = self.0.get(name).ok_or(CommandReason::NotSupported)?;
        let value = match *order {
            Order::Set { value, .. } if range.contains(value) => value,
            Order::Adjust { by, .. } if by.is_finite() => {
                let current = state.and_then(|state| state.get(name)).copied().unwrap_or(range.min);
                (current + by).clamp(range.min, range.max)
            }
            Order::Set { .. } | Order::Adjust { .. } => return Err(CommandReason::OutOfRange),
        };
        Ok(State::from([(name.clone(), value)]))
    }
}
