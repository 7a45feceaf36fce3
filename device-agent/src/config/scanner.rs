//! What the agent is told about where advertisements come from.

use std::path::PathBuf;

use serde::Deserialize;

use super::{BluetoothConfig, ConfigError};

/// `[scanner]`: where advertisements come from, by `kind`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScannerConfig {
    /// A Bluetooth adapter.
    Bluetooth(BluetoothConfig),
    /// A recording.
    Replay(ReplayConfig),
    /// Made up from a seed.
    Simulated(SimulatedConfig),
}

/// `[scanner]` with `kind = "replay"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// The recording; its format is documented with [`Replay`](crate::scan::Replay).
    pub file: PathBuf,
    /// Recorded seconds per second; 0 is as fast as the spool takes it.
    #[serde(default = "real_time")]
    pub speed: f64,
    /// What is done to the recorded times.
    #[serde(default)]
    pub shift: Shift,
    /// Whether the agent stops when the recording is over and every batch has its receipt.
    #[serde(default)]
    pub exit_at_end: bool,
}

/// How recorded times are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// As recorded.
    #[default]
    None,
    /// The first advertisement is stamped with the moment the recording is opened.
    StartsNow,
    /// The last advertisement is stamped with the moment the recording is opened.
    EndsNow,
}

/// `[scanner]` with `kind = "simulated"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedConfig {
    /// The same seed gives the same air.
    pub seed: u64,
    /// How many senders there are.
    pub identifiers: u32,
    /// Advertisements a second, all senders together.
    pub per_second: f64,
}

impl ScannerConfig {
    /// Whether the agent stops when there is nothing more to hear and to deliver.
    pub fn exit_at_end(&self) -> bool {
        matches!(self, Self::Replay(ReplayConfig { exit_at_end: true, .. }))
    }

    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        match self {
            Self::Bluetooth(bluetooth) => bluetooth.validate(check),
            Self::Replay(replay) => check(
                replay.speed == 0.0 || (0.001..=1e6).contains(&replay.speed),
                "`speed` is 0, or 0.001 to 1000000",
            ),
            Self::Simulated(simulated) => {
                check((1..=100_000).contains(&simulated.identifiers), "`identifiers` is 1 to 100000")?;
                check((0.001..=100_000.0).contains(&simulated.per_second), "`per_second` is 0.001 to 100000")
            }
        }
    }
}

impl Default for SimulatedConfig {
    fn default() -> Self {
        Self { seed: 1, identifiers: 20, per_second: 50.0 }
    }
}

fn real_time() -> f64 {
    1.0
}
