//! What a reporter passes on of what beacons around it say of themselves.

use serde::{Deserialize, Serialize};

use crate::{Identifier, Timestamp};

/// Beacons in one message at most.
pub const MAX_BEACONS: usize = 1_000;

/// Body of `v1/{device}/telemetry`. Fields that are not known are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// At most [`MAX_BEACONS`], each at most once.
    pub beacons: Vec<BeaconTelemetry>,
}

/// What one beacon said of itself; what it did not say is not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BeaconTelemetry {
    /// The identifier that is heard from the same beacon.
    pub id: Identifier,
    /// When it was heard, on the reporter's clock.
    pub at: Timestamp,
    /// Battery in millivolts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_mv: Option<u16>,
    /// Battery in per cent of what it holds, where a beacon says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// Temperature in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f32>,
    /// Packets sent since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertisements: Option<u32>,
    /// Seconds since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_beacon_does_not_say_is_not_there() {
        let json = r#"{"beacons":[{"id":"app:a","at":7,"battery_mv":2987,"temperature_c":21.5}]}"#;
        let telemetry: Telemetry = serde_json::from_str(json).unwrap();
        assert_eq!(telemetry.beacons[0].battery_percent, None);
        assert_eq!(serde_json::to_string(&telemetry).unwrap(), json);
    }
}
