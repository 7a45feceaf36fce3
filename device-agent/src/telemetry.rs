//! What beacons around the device say of themselves, on its way to the platform: of each the latest, once a minute at most.
//!
//! Nothing of it is on the disk: what a beacon says of its battery it says again. Until it can be sent it stays where it was
//! heard, which keeps the latest of each and no more than go into one message.

use std::time::Duration;

use protocol::{BeaconTelemetry, Telemetry};

use crate::privacy::Privacy;
use crate::scan;

/// The least time between two messages.
const PERIOD: Duration = Duration::from_mins(1);

/// What is to be passed on.
#[derive(Debug, Default)]
pub struct Passing {
    /// What was to be sent and could not be.
    waiting: Vec<BeaconTelemetry>,
    /// Nothing is sent before, in elapsed time.
    due: Duration,
}

impl Passing {
    /// The message to send now, if there is one; `heard` is asked only then.
    ///
    /// Beacons whose identifier is replaced or withheld are left out: a pseudonym would tell the platform nothing of a
    /// beacon that it knows, and its own name would undo the pseudonym.
    pub fn message(
        &mut self,
        heard: impl FnOnce() -> Vec<scan::Telemetry>,
        privacy: &Privacy,
        elapsed: Duration,
    ) -> Option<Telemetry> {
        if elapsed < self.due {
            return None;
        }
        if self.waiting.is_empty() {
            self.waiting = heard().into_iter().map(BeaconTelemetry::from).collect();
        }
        // What waits may have got a pseudonym meanwhile.
        self.waiting.retain(|telemetry| privacy.is_clear(&telemetry.id));
        (!self.waiting.is_empty()).then(|| Telemetry { beacons: self.waiting.clone() })
    }

    /// The message is on its way.
    pub fn sent(&mut self, elapsed: Duration) {
        self.waiting.clear();
        self.due = elapsed + PERIOD;
    }
}

impl From<scan::Telemetry> for BeaconTelemetry {
    fn from(telemetry: scan::Telemetry) -> Self {
        let scan::Telemetry { id, at, tlm } = telemetry;
        Self {
            id,
            at,
            battery_mv: tlm.battery_mv,
            battery_percent: None,
            temperature_c: tlm.celsius(),
            advertisements: Some(tlm.advertisements),
            uptime_s: Some(tlm.uptime_ds / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;
    use protocol::beacon::Tlm;
    use serde_json::json;

    use super::*;
    use crate::config::{PrivacyConfig, Pseudonyms};

    fn privacy(pseudonyms: Pseudonyms) -> (tempfile::TempDir, Privacy) {
        let dir = tempfile::tempdir().unwrap();
        let privacy = Privacy::open(PrivacyConfig { pseudonyms }, dir.path()).unwrap();
        (dir, privacy)
    }

    fn heard(id: &str) -> scan::Telemetry {
        let tlm = Tlm {
            battery_mv: Some(2_987),
            temperature: Some(21 * 256 + 128),
            advertisements: 7,
            uptime_ds: 125,
        };
        scan::Telemetry { id: id.parse().unwrap(), at: Timestamp(5), tlm }
    }

    #[test]
    fn the_first_goes_at_once_and_the_next_after_a_minute() {
        let (_dir, privacy) = privacy(Pseudonyms::Twin);
        let mut passing = Passing::default();
        let none = || panic!("it is not asked before it is time");
        assert_eq!(passing.message(Vec::new, &privacy, Duration::ZERO), None);
        let first = passing.message(|| vec![heard("app:a")], &privacy, Duration::ZERO).unwrap();
        let expected = json!({"beacons": [{
            "id": "app:a", "at": 5, "battery_mv": 2_987, "temperature_c": 21.5, "advertisements": 7, "uptime_s": 12,
        }]});
        assert_eq!(serde_json::to_value(&first).unwrap(), expected);
        // There was no room for it on the connection.
        assert_eq!(passing.message(|| vec![heard("app:b")], &privacy, Duration::ZERO), Some(first));
        passing.sent(Duration::from_secs(1));
        assert_eq!(passing.message(none, &privacy, Duration::from_mins(1)), None);
        assert!(passing.message(|| vec![heard("app:b")], &privacy, Duration::from_secs(61)).is_some());
    }

    #[test]
    fn only_what_is_reported_under_its_own_name_is_passed_on() {
        let beacons = || {
            vec![heard("ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7"), heard("ble:00:11:22:33:44:55")]
        };
        let ids = |passing: &mut Passing, privacy: &Privacy| {
            let message = passing.message(beacons, privacy, Duration::ZERO).unwrap_or_default();
            message.beacons.len()
        };
        let (_dir, open) = privacy(Pseudonyms::Twin);
        let mut waiting = Passing::default();
        assert_eq!(ids(&mut waiting, &open), 2);
        let (_dir, mut privacy) = privacy(Pseudonyms::Required);
        assert_eq!(ids(&mut Passing::default(), &privacy), 0, "nothing without a key");
        for (version, scope, expected) in [(1, "addresses", 1), (2, "all", 0)] {
            let part = json!({"key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "identifiers": scope});
            let state = serde_json::from_value(json!({"privacy": part})).unwrap();
            privacy.desire(&protocol::Desired { version, state, delta: None });
            assert_eq!(ids(&mut Passing::default(), &privacy), expected, "{scope}");
            assert_eq!(ids(&mut waiting, &privacy), expected, "{scope}, of what waits already");
        }
    }
}
