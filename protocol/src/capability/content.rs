//! What a screen shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_keys, check_name};
use crate::command::CommandReason;

/// What it can show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// By name.
    pub items: BTreeMap<String, Item>,
}

/// Something that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What people call it.
    pub name: String,
}

/// What it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The item by its name.
    pub item: String,
}

/// What it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// To show something.
    #[serde(rename = "display.show")]
    Show {
        /// The item by its name.
        item: String,
    },
}

impl Capability for Content {
    const NAME: &'static str = "content";
    const ORDERS: &'static [&'static str] = &["display.show"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        check_keys("item", self.items.iter(), |item| check_name(&item.name))
            .map_err(|fault| fault.within("items"))
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        if self.items.contains_key(&state.item) { Ok(()) } else { Err(Fault::new("/item", "no such item")) }
    }

    fn after(&self, _: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let Order::Show { item } = order;
        if !self.items.contains_key(item) {
            return Err(CommandReason::OutOfRange);
        }
        Ok(State { item: item.clone() })
    }
}
