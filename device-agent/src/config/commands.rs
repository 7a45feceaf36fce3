//! What the agent is told about commands, and about the thing it drives.

use std::path::PathBuf;
use std::time::Duration;

use protocol::{ApplianceType, Capabilities};
use serde::Deserialize;

use super::ConfigError;
use crate::signature::TrustedKey;

/// `[commands]`: which commands are run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsConfig {
    /// Directory of the journal and of the appliance's state, which it has for itself; without it, `commands` in that of
    /// the spool.
    pub dir: Option<PathBuf>,
    /// Whether the device's own clock is right.
    pub clock: ClockSetting,
    /// Whether only commands are run that their operator signed; then no desired twin is followed.
    pub require_signature: bool,
    /// Whose signatures count: raw Ed25519 public keys (RFC 8032) in base64url without padding (RFC 4648 section 5).
    pub trusted_keys: Vec<TrustedKey>,
}

/// Whether the device's own clock is right; never if it is behind what the platform says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockSetting {
    /// It is, if it is not before [`EARLIEST`](crate::reckoning::EARLIEST).
    #[default]
    Auto,
    /// It is, whatever it shows.
    Trusted,
    /// It is not: commands with a deadline are refused.
    Unset,
}

/// `[appliance]`: a made-up thing that the agent drives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplianceConfig {
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

impl CommandsConfig {
    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            !self.require_signature || !self.trusted_keys.is_empty(),
            "[commands] `require_signature` needs `trusted_keys`",
        )
    }
}

impl ApplianceConfig {
    /// How long each order takes.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(self.delay_ms <= 3_600_000, "`delay_ms` is 0 to 3600000")?;
        check((0.0..=1.0).contains(&self.failure_rate), "`failure_rate` is 0 to 1")?;
        check((0.1..=1e6).contains(&self.settle_s), "`settle_s` is 0.1 to 1000000")?;
        check((1..=86_400).contains(&self.report_s), "`report_s` is 1 to 86400")?;
        self.capabilities.check().map_err(|fault| {
            ConfigError::Shape(format!("[appliance.capabilities] {}: {}", fault.path, fault.what))
        })
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
