//! How bright a light or a screen is.

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_percent, moved};
use crate::command::CommandReason;

/// It can be made brighter and darker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brightness {}

/// How bright it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// 0 to 100 per cent of what it can.
    pub percent: u8,
}

/// What it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// To be that bright.
    #[serde(rename = "brightness.set")]
    Set {
        /// 0 to 100.
        percent: u8,
    },
    /// To be brighter or darker than it is; it stops at 0 and 100.
    #[serde(rename = "brightness.adjust")]
    Adjust {
        /// Points of a per cent: -100 to 100.
        by: i16,
    },
}

impl Capability for Brightness {
    const NAME: &'static str = "brightness";
    const ORDERS: &'static [&'static str] = &["brightness.set", "brightness.adjust"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        check_percent(state.percent)
    }

    fn after(&self, state: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        match *order {
            Order::Set { percent } if percent <= 100 => Ok(State { percent }),
            Order::Adjust { by } if (-100..=100).contains(&by) => {
                Ok(State { percent: moved(state.map_or(0, |state| state.percent), by) })
            }
            Order::Set { .. } | Order::Adjust { .. } => Err(CommandReason::OutOfRange),
        }
    }
}
