//! What beacons say of themselves (Eddystone-TLM), until somebody asks.

use std::collections::BTreeMap;

use protocol::beacon::Tlm;
use protocol::{Identifier, MAX_BEACONS, Timestamp};

/// Beacons whose state is kept: what goes into one message to the platform, and more than are heard in one place.
const MOST: usize = MAX_BEACONS;

/// What a beacon said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// The identifier that was heard from the same address.
    pub id: Identifier,
    /// When, on this device's wall clock.
    pub at: Timestamp,
    /// Battery, temperature, and how long it has been running.
    pub tlm: Tlm,
}

/// The latest of each beacon since it was taken.
#[derive(Debug, Default)]
pub(super) struct Latest(BTreeMap<Identifier, Telemetry>);

impl Latest {
    /// Notes one; when there are too many, the one that is oldest goes.
    pub(super) fn note(&mut self, telemetry: Telemetry) {
        if self.0.len() >= MOST && !self.0.contains_key(&telemetry.id) {
            let oldest = self.0.values().min_by_key(|telemetry| telemetry.at).map(|oldest| oldest.id.clone());
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(telemetry.id.clone(), telemetry);
    }

    pub(super) fn take(&mut self) -> Vec<Telemetry> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telemetry(n: i64, at: i64) -> Telemetry {
        Telemetry {
            id: format!("app:{n}").parse().unwrap(),
            at: Timestamp(at),
            tlm: Tlm { battery_mv: Some(3_000), temperature: None, advertisements: 1, uptime_ds: 1 },
        }
    }

    #[test]
    fn the_latest_of_each_is_kept_and_no_more_than_there_is_room_for() {
        let mut latest = Latest::default();
        latest.note(telemetry(1, 1));
        latest.note(telemetry(1, 2));
        assert_eq!(latest.take(), [telemetry(1, 2)]);
        assert_eq!(latest.take(), []);
        for n in 0..2 * MOST as i64 {
            latest.note(telemetry(n, n));
        }
        let kept = latest.take();
        assert_eq!(kept.len(), MOST);
        assert!(kept.iter().all(|telemetry| telemetry.at >= Timestamp(MOST as i64)));
    }
}
