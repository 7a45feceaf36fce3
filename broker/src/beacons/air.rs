//! What a batch says of beacons: gathered while it is read, taken in once it is committed.

use std::collections::HashMap;

use protocol::{DeviceId, Timestamp};

/// Hearings of one beacon that are one sighting lie in the same stretch of this length.
const STRETCH_MS: i64 = 60_000;

/// What one batch says of beacons.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Air {
    /// The gateway or kiosk that heard them; none for what moves, of which only the time counts.
    pub(crate) by: Option<DeviceId>,
    /// The newest time of all that it heard, beacons or not.
    pub(crate) newest: Option<Timestamp>,
    /// In the order of their times.
    pub(crate) sightings: Vec<Sighting>,
}

/// A beacon, heard once or several times within a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sighting {
    pub(crate) beacon: DeviceId,
    /// The last time.
    pub(crate) at: Timestamp,
    /// The mean of how strongly, in dBm.
    pub(crate) rssi: f32,
    /// How often.
    pub(crate) count: u32,
}

/// Gathers the pings of a batch.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    newest: Option<Timestamp>,
    sightings: HashMap<(DeviceId, i64), Sighting>,
}

impl Gathering {
    /// Something was heard.
    pub(crate) fn pass(&mut self, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
    }

    /// A beacon was heard.
    pub(crate) fn hear(&mut self, beacon: DeviceId, rssi: i8, at: Timestamp) {
        let stretch = (beacon, at.0.div_euclid(STRETCH_MS));
        let first = Sighting { beacon, at, rssi: 0.0, count: 0 };
        let sighting = self.sightings.entry(stretch).or_insert(first);
        sighting.count += 1;
        sighting.rssi += (f32::from(rssi) - sighting.rssi) / sighting.count as f32;
        sighting.at = sighting.at.max(at);
    }

    /// What `by` heard.
    pub(crate) fn finish(self, by: Option<DeviceId>) -> Air {
        let mut sightings: Vec<_> = self.sightings.into_values().collect();
        sightings.sort_by_key(|sighting| (sighting.at, sighting.beacon));
        Air { by, newest: self.newest, sightings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_within_a_minute_is_one_sighting() {
        let [one, other] = [1, 2].map(|number| DeviceId::new(Timestamp(1), [number; 10]));
        let mut gathering = Gathering::default();
        for (beacon, rssi, at) in [
            (one, -60, 61_000),
            (other, -40, 62_000),
            (one, -70, 119_999),
            (one, -80, 120_000),
            (one, -80, 65_000),
        ] {
            gathering.pass(Timestamp(at));
            gathering.hear(beacon, rssi, Timestamp(at));
        }
        gathering.pass(Timestamp(130_000));
        let air = gathering.finish(Some(other));
        let told: Vec<_> =
            air.sightings.iter().map(|it| (it.beacon, it.at.0, it.rssi.round() as i32, it.count)).collect();
        assert_eq!(told, [(other, 62_000, -40, 1), (one, 119_999, -70, 3), (one, 120_000, -80, 1)]);
        assert_eq!((air.by, air.newest), (Some(other), Some(Timestamp(130_000))));
    }
}
