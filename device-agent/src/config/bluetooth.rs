//! What the agent is told about its Bluetooth adapter, and what of the air is of interest.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// `[scanner]` with `kind = "bluetooth"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BluetoothConfig {
    /// The adapter as BlueZ names it, as `hci0`; without it, the first that is powered, else the first.
    pub adapter: Option<String>,
    /// What is reported of what is heard.
    pub formats: Vec<Format>,
    /// Only identifiers that begin like one of these are reported; empty for all.
    pub prefixes: Vec<String>,
    /// What is heard weaker than this, in dBm, is not reported.
    pub min_rssi: i8,
    /// Milliseconds without any event after which a scan is begun anew.
    pub silence_ms: u64,
    /// Milliseconds between two looks whether the adapter is still there.
    pub probe_ms: u64,
    /// Milliseconds after which an address that was not heard is forgotten.
    pub forget_ms: u64,
    /// Upper bound of the first wait before the adapter is tried again, in milliseconds; doubles with each failure.
    pub retry_min_ms: u64,
    /// Upper bound of any such wait, in milliseconds.
    pub retry_max_ms: u64,
}

/// What may be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apple's Proximity Beacon, as `ibeacon:`.
    Ibeacon,
    /// Eddystone-UID, as `eddystone:`.
    EddystoneUid,
    /// Eddystone-URL, which has no identifier of its own, as the `ble:` address of its sender.
    EddystoneUrl,
    /// Eddystone-TLM: battery and temperature of a beacon whose identifier was heard before.
    EddystoneTlm,
    /// Eddystone-EID, as `eid:`.
    EddystoneEid,
    /// `AltBeacon`, as `altbeacon:`.
    Altbeacon,
    /// Everything that sends none of these, as its `ble:` address.
    Ble,
}

impl BluetoothConfig {
    /// Levels below which nothing may be reported, in dBm.
    pub const MIN_RSSI: RangeInclusive<i8> = -127..=20;

    /// The silence after which a scan is begun anew.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    /// The time between two looks at the adapter.
    pub fn probe(&self) -> Duration {
        Duration::from_millis(self.probe_ms)
    }

    /// The time after which an address is forgotten.
    pub fn forget(&self) -> Duration {
        Duration::from_millis(self.forget_ms)
    }

    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            self.adapter.as_deref().is_none_or(is_adapter),
            "`adapter` is `hci` and a number, as in `hci0`",
        )?;
        check(!self.formats.is_empty(), "`formats` names at least one")?;
        check(Self::MIN_RSSI.contains(&self.min_rssi), "`min_rssi` is -127 to 20 dBm")?;
        check((100..=86_400_000).contains(&self.silence_ms), "`silence_ms` is 100 to 86400000")?;
        check((10..=3_600_000).contains(&self.probe_ms), "`probe_ms` is 10 to 3600000")?;
        check((1_000..=86_400_000).contains(&self.forget_ms), "`forget_ms` is 1000 to 86400000")?;
        check(
            self.retry_min_ms >= 1
                && self.retry_min_ms <= self.retry_max_ms
                && self.retry_max_ms <= 3_600_000,
            "`retry_min_ms` is at least 1 and not above `retry_max_ms`, which is at most 3600000",
        )
    }
}

/// Whether BlueZ names an adapter like this.
pub(super) fn is_adapter(name: &str) -> bool {
    name.strip_prefix("hci")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Default for BluetoothConfig {
    fn default() -> Self {
        Self {
            adapter: None,
            formats: vec![
                Format::Ibeacon,
                Format::EddystoneUid,
                Format::EddystoneTlm,
                Format::EddystoneEid,
                Format::Altbeacon,
            ],
            prefixes: Vec::new(),
            min_rssi: -127,
            silence_ms: 60_000,
            probe_ms: 10_000,
            forget_ms: 900_000,
            retry_min_ms: 500,
            retry_max_ms: 60_000,
        }
    }
}
