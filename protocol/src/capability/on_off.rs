//! On and off.

use serde::{Deserialize, Serialize};

use super::{Capability, Fault};
use crate::command::CommandReason;

/// It can be switched on and off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnOff {}

/// Whether it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Whether it is on.
    pub on: bool,
}

/// What it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// To be on or off.
    #[serde(rename = "on_off.set")]
    Set {
        /// Whether it shall be on.
        on: bool,
    },
}

impl Capability for OnOff {
    const NAME: &'static str = "on_off";
    const ORDERS: &'static [&'static str] = &["on_off.set"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn holds(&self, _: &State) -> Result<(), Fault> {
        Ok(())
    }

    fn after(&self, _: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let Order::Set { on } = *order;
        Ok(State { on })
    }
}
