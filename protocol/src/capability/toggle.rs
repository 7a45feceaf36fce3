//! Further things of a device that can be switched on and off, each by its name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_keys, check_name};
use crate::command::CommandReason;

/// What can be switched, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Toggles(pub BTreeMap<String, Toggle>);

/// One thing that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toggle {
    /// What people call it.
    pub name: String,
}

/// What is on, by name.
pub type State = BTreeMap<String, bool>;

/// What it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// That one of them is to be on or off.
    #[serde(rename = "toggle.set")]
    Set {
        /// Which.
        toggle: String,
        /// Whether it shall be on.
        on: bool,
    },
}

impl Capability for Toggles {
    const NAME: &'static str = "toggle";
    const ORDERS: &'static [&'static str] = &["toggle.set"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        check_keys("toggle", self.0.iter(), |toggle| check_name(&toggle.name))
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        match state.keys().find(|toggle| !self.0.contains_key(*toggle)) {
            Some(unknown) => Err(Fault::new(format!("/{}", super::pointer(unknown)), "no such toggle")),
            None => Ok(()),
        }
    }

    fn after(&self, _: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let Order::Set { toggle, on } = order;
        if !self.0.contains_key(toggle) {
            return Err(CommandReason::NotSupported);
        }
        Ok(State::from([(toggle.clone(), *on)]))
    }
}
