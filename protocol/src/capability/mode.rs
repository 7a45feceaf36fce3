//! Things of a device that are one of several settings: a wash programme, a fan's speed, heating or cooling.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_keys, check_name, pointer};
use crate::command::CommandReason;

/// What can be set, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Modes(pub BTreeMap<String, Mode>);

/// One thing with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// What people call it.
    pub name: String,
    /// What it can be set to, in their order.
    pub settings: Vec<Setting>,
    /// The settings are steps, from little to much: the next and the one before can be asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
}

/// What something can be set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name in the twin.
    pub key: String,
    /// What people call it.
    pub name: String,
}

/// What each is set to, by name.
pub type State = BTreeMap<String, String>;

/// What it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// One of them is to have that setting.
    #[serde(rename = "mode.set")]
    Set {
        /// Which.
        mode: String,
        /// The setting by its key.
        setting: String,
    },
    /// One of them is to go some steps up or down; it stops at the ends.
    #[serde(rename = "mode.adjust")]
    Adjust {
        /// Which; its settings must be ordered.
        mode: String,
        /// Steps.
        by: i16,
    },
}

impl Mode {
    /// The setting of that key.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        let settings: BTreeMap<_, _> = self.settings.iter().map(|setting| (&setting.key, setting)).collect();
        if settings.len() != self.settings.len() {
            return Err(Fault::new("/settings", "each key once"));
        }
        let names: BTreeSet<_> = self.settings.iter().map(|setting| setting.name.to_lowercase()).collect();
        if names.len() != self.settings.len() {
            return Err(Fault::new("/settings", "each name once: people choose by it"));
        }
        check_keys("setting", settings.into_iter(), |setting| check_name(&setting.name))
            .map_err(|fault| fault.within("settings"))
    }
}

impl Capability for Modes {
    const NAME: &'static str = "mode";
    const ORDERS: &'static [&'static str] = &["mode.set", "mode.adjust"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        check_keys("mode", self.0.iter(), Mode::check)
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        for (mode, setting) in state {
            let path = || format!("/{}", pointer(mode));
            let known = self.0.get(mode).ok_or_else(|| Fault::new(path(), "no such mode"))?;
            known.setting(setting).ok_or_else(|| Fault::new(path(), "no such setting"))?;
        }
        Ok(())
    }

    fn after(&self, state: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let (Order::Set { mode: name, .. } | Order::Adjust { mode: name, .. }) = order;
        let mode = self.0.get(name).ok_or(CommandReason::NotSupported)?;
        let setting = match order {
            Order::Set { setting, .. } => mode.setting(setting).ok_or(CommandReason::OutOfRange)?,
            Order::Adjust { .. } if !mode.ordered => return Err(CommandReason::NotSupported),
            Order::Adjust { by, .. } => {
                let current = state.and_then(|state| state.get(name));
                let is_current = |setting: &Setting| Some(&setting.key) == current;
                let at = mode.settings.iter().position(is_current).unwrap_or(0) as i64;
                let at = (at + i64::from(*by)).clamp(0, mode.settings.len() as i64 - 1);
                &mode.settings[at as usize]
            }
        };
        Ok(State::from([(name.clone(), setting.key.clone())]))
    }
}
