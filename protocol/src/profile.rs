//! What a device is to people and assistants: its type, what it can do, and how carefully it is to be used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capability::{Capabilities, Fault, Order};

/// What a device is to people and assistants. In the registry as `profile`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is.
    pub r#type: ApplianceType,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What an assistant must ask for before it uses a capability, by the capability's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confirm: BTreeMap<String, Confirmation>,
    /// Whether assistants that people linked may see and use it; not unless it says so.
    #[serde(default)]
    pub voice: bool,
}

/// What kind of thing a device is to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplianceType {
    /// Shines.
    Light,
    /// Switches what is plugged into it.
    Plug,
    /// Heats and cools.
    Thermostat,
    /// Shows something.
    Display,
    /// Shows something and can be touched.
    Kiosk,
    /// Stands for something that is made to happen.
    Scene,
    /// Measures.
    Sensor,
    /// Moves air.
    Fan,
    /// Plays.
    Speaker,
    /// None of these.
    Other,
}

/// What an assistant must ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// A yes.
    Yes,
    /// The device's PIN.
    Pin,
}

impl Profile {
    /// Whether a device can be described so.
    pub fn check(&self) -> Result<(), Fault> {
        self.capabilities
            .check()
            .map_err(|fault| Fault { path: format!("/capabilities{}", fault.path), ..fault })?;
        for capability in self.confirm.keys() {
            if !self.capabilities.names().any(|name| name == capability) {
                return Err(Fault::new(format!("/confirm/{capability}"), "a capability that the device has"));
            }
        }
        Ok(())
    }

    /// What must be asked for before the order is given.
    pub fn confirmation(&self, order: &Order) -> Option<Confirmation> {
        self.confirm.get(order.capability()).copied()
    }
}
