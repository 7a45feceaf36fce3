//! What a device is to people and assistants: its type, what it can do, and how carefully it is to be used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capability::{Capabilities, Fault, Order};
use crate::{DeviceKind, Reporter};

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
    /// The format it reports in, where that is not a batch of pings: only of what stands somewhere and listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<Reporter>,
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
        self.reporter.as_ref().map_or(Ok(()), Reporter::check).map_err(|fault| fault.within("reporter"))
    }

    /// Whether a device of that kind can be described so.
    pub fn check_of(&self, kind: DeviceKind) -> Result<(), Fault> {
        if self.reporter.is_some() && !matches!(kind, DeviceKind::Gateway | DeviceKind::Kiosk) {
            return Err(Fault::new("/reporter", "of a gateway or a kiosk only"));
        }
        self.check()
    }

    /// What must be asked for before the order is given.
    pub fn confirmation(&self, order: &Order) -> Option<Confirmation> {
        self.confirm.get(order.capability()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_and_listens_reports_in_a_format_of_its_own() {
        let profile: Profile =
            serde_json::from_str(r#"{"type":"other","reporter":{"format":"espresense"}}"#).unwrap();
        for kind in DeviceKind::ALL {
            let may = matches!(kind, DeviceKind::Gateway | DeviceKind::Kiosk);
            let fault = profile.check_of(*kind).err().map(|fault| fault.path);
            assert_eq!(fault.as_deref(), (!may).then_some("/reporter"), "{kind}");
        }
        let wrong = r##"{"type":"other","reporter":{"format":"theengs","topic":"#"}}"##;
        let profile: Profile = serde_json::from_str(wrong).unwrap();
        assert_eq!(profile.check().unwrap_err().path, "/reporter/topic");
    }
}
