//! Something that is made to happen: "closing time", "good morning".

use serde::{Deserialize, Serialize};

use super::{Capability, Fault};
use crate::command::CommandReason;

/// It can be made to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// It can be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversible: bool,
}

/// Whether it happened last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// It was made to happen, and not taken back since.
    pub active: bool,
}

/// What it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// To happen.
    #[serde(rename = "scene.activate")]
    Activate {},
    /// To be taken back.
    #[serde(rename = "scene.deactivate")]
    Deactivate {},
}

impl Capability for Scene {
    const NAME: &'static str = "scene";
    const ORDERS: &'static [&'static str] = &["scene.activate", "scene.deactivate"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn holds(&self, _: &State) -> Result<(), Fault> {
        Ok(())
    }

    fn after(&self, _: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        match order {
            Order::Activate {} => Ok(State { active: true }),
            Order::Deactivate {} if self.reversible => Ok(State { active: false }),
            Order::Deactivate {} => Err(CommandReason::NotSupported),
        }
    }
}
