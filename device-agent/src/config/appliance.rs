//! What the agent is told about the thing it drives.

use std::time::Duration;

use protocol::{ApplianceType, Capabilities};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{ConfigError, ProgramsConfig};

/// `[appliance]`: the thing that the agent drives, by `kind`; a made-up one where it does not say.
#[derive(Clone, Debug, PartialEq)]
pub enum ApplianceConfig {
    /// Made up.
    Simulated(Box<SimulatedApplianceConfig>),
    /// What programs of this machine do.
    Programs(Box<ProgramsConfig>),
}

/// `[appliance]` with `kind = "simulated"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedApplianceConfig {
    /// What it is.
    pub r#type: ApplianceType,
    /// What it can do, as in the registry's profile of the device.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Milliseconds that each order takes it.
    #[serde(default = "delay_ms")]
    pub delay_ms: u64,
    /// Share of the orders that it fails at.
    #[serde(default)]
    pub failure_rate: f64,
    /// The same seed fails at the same orders.
    #[serde(default)]
    pub seed: u64,
    /// Seconds in which what it measures comes 63 % nearer to what is set, for a thermostat.
    #[serde(default = "settle_s")]
    pub settle_s: f64,
    /// Least seconds between two reports of what it measures.
    #[serde(default = "report_s")]
    pub report_s: u64,
}

impl<'de> Deserialize<'de> for ApplianceConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A tag of serde's own could not be left out.
        let mut table = Map::deserialize(deserializer)?;
        let kind = table.remove("kind").unwrap_or_else(|| "simulated".into());
        let read = match kind.as_str() {
            Some("simulated") => serde_json::from_value(Value::Object(table)).map(Self::Simulated),
            Some("programs") => serde_json::from_value(Value::Object(table)).map(Self::Programs),
            _ => return Err(D::Error::custom("`kind` of [appliance] is \"simulated\" or \"programs\"")),
        };
        read.map_err(|error| D::Error::custom(format_args!("[appliance] {error}")))
    }
}

impl ApplianceConfig {
    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let capabilities = match self {
            Self::Simulated(simulated) => {
                simulated.validate(&check)?;
                &simulated.capabilities
            }
            Self::Programs(programs) => {
                programs.validate(&check)?;
                &programs.capabilities
            }
        };
        capabilities.check().map_err(|fault| {
            ConfigError::Shape(format!("[appliance.capabilities] {}: {}", fault.path, fault.what))
        })
    }
}

impl SimulatedApplianceConfig {
    /// How long each order takes.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(self.delay_ms <= 3_600_000, "`delay_ms` is 0 to 3600000")?;
        check((0.0..=1.0).contains(&self.failure_rate), "`failure_rate` is 0 to 1")?;
        check((0.1..=1e6).contains(&self.settle_s), "`settle_s` is 0.1 to 1000000")?;
        check((1..=86_400).contains(&self.report_s), "`report_s` is 1 to 86400")
    }
}

fn delay_ms() -> u64 {
    200
}

fn settle_s() -> f64 {
    300.0
}

fn report_s() -> u64 {
    30
}
