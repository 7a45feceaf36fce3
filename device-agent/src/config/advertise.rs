//! What the agent is told about advertising.

use protocol::Identifier;
use protocol::beacon::IBeacon;
use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// `[advertise]`: what this device sends itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvertiseConfig {
    /// The adapter as BlueZ names it, as `hci0`; without it, that of the scanner if it names one, else the first that can.
    #[serde(default)]
    pub adapter: Option<String>,
    /// What is sent.
    pub ibeacon: IBeaconConfig,
    /// Milliseconds between two advertisements, 20..=10240; BlueZ follows it where its experimental interfaces are on.
    #[serde(default = "a_second")]
    pub interval_ms: u32,
}

/// `{ uuid, major, minor, power }`: an iBeacon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IBeaconConfig {
    #[serde(deserialize_with = "uuid")]
    uuid: [u8; 16],
    major: u16,
    minor: u16,
    /// dBm at one metre, as it was measured.
    power: i8,
}

impl IBeaconConfig {
    /// The frame that is sent.
    pub fn frame(self) -> IBeacon {
        IBeacon { uuid: self.uuid, major: self.major, minor: self.minor, power: self.power }
    }
}

impl AdvertiseConfig {
    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            self.adapter.as_deref().is_none_or(super::bluetooth::is_adapter),
            "`adapter` is `hci` and a number, as in `hci0`",
        )?;
        // Core Specification 5.4, volume 4 part E section 7.8.5: what legacy advertising may have.
        check((20..=10_240).contains(&self.interval_ms), "[advertise] `interval_ms` is 20 to 10240")
    }
}

fn a_second() -> u32 {
    1_000
}

/// As in an identifier, which is read in one place.
fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    let text = String::deserialize(deserializer)?;
    match format!("ibeacon:{text}:0:0").parse() {
        Ok(Identifier::IBeacon { uuid, .. }) => Ok(uuid),
        _ => Err(serde::de::Error::custom(format!("{text:?} is no UUID"))),
    }
}
