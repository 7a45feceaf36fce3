//! How strongly a beacon is heard at one place: over minutes, and over days.

use protocol::Timestamp;
use serde::{Deserialize, Serialize};

/// The fast mean follows what changed within this time: people pass within seconds, who carries a beacon away is gone for longer.
const FAST_MS: f32 = 5.0 * 60_000.0;
/// The slow mean remembers a day, so that the crowd of an evening is part of what is usual.
const SLOW_MS: f32 = 24.0 * 3_600_000.0;
/// Who has heard a beacon for an hour knows it: before that, it may still be carried to its place.
const KNOWN_MS: i64 = 3_600_000;

/// How strongly one gateway hears one beacon, in dBm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) fast: f32,
    pub(super) slow: f32,
    /// When it heard the beacon where that stands now for the first time, and the last time.
    since: Timestamp,
    pub(super) last: Timestamp,
    /// Sightings that the means are made of; none before the first since the beacon was placed anew.
    sightings: u32,
}

impl Listener {
    /// Who hears the beacon for the first time.
    pub(super) fn new(rssi: f32, at: Timestamp) -> Self {
        Self { fast: rssi, slow: rssi, since: at, last: at, sightings: 1 }
    }

    /// Takes in a sighting. One that is not newer than the last is late, and the means have gone on without it.
    pub(super) fn hear(&mut self, rssi: f32, at: Timestamp) {
        if self.sightings == 0 {
            *self = Self::new(rssi, at.max(self.last));
            return;
        }
        if at <= self.last {
            return;
        }
        let elapsed = at.since(self.last) as f32;
        let weight = |constant: f32| 1.0 - (-elapsed / constant).exp();
        // At first the plain mean: it should not take a day to find out what is usual.
        let first = 1.0 / (self.sightings as f32 + 1.0);
        self.fast += (rssi - self.fast) * weight(FAST_MS).max(first);
        self.slow += (rssi - self.slow) * weight(SLOW_MS).max(first);
        self.sightings = self.sightings.saturating_add(1);
        self.last = at;
    }

    /// The beacon was placed anew: how it was heard until now means nothing.
    pub(super) fn forget(&mut self) {
        self.sightings = 0;
    }

    /// Whether it has heard the beacon for long enough to notice that something is otherwise.
    pub(super) fn knows(&self) -> bool {
        self.sightings > 0 && self.last.since(self.since) >= KNOWN_MS
    }

    /// Whether it first heard the beacon when the other had known it already, and not merely while both were learning.
    pub(super) fn came_after(&self, other: &Self) -> bool {
        self.since.since(other.since) >= KNOWN_MS
    }

    /// How much stronger or weaker than usual it hears the beacon, in dB.
    pub(super) fn deviation(&self) -> f32 {
        (self.fast - self.slow).abs()
    }

    /// Whether it heard the beacon within `ms` before `at`, where that stands now.
    pub(super) fn heard_within(&self, ms: i64, at: Timestamp) -> bool {
        self.sightings > 0 && at.since(self.last) <= ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_fast_mean_follows_in_minutes_and_the_slow_one_in_days() {
        let mut listener = Listener::new(-60.0, Timestamp(0));
        for minute in 1..=120 {
            let swing = if minute % 2 == 0 { 3.0 } else { -3.0 };
            listener.hear(-60.0 + swing, Timestamp(minute * MINUTE));
        }
        assert!(listener.knows() && listener.deviation() < 2.0, "{listener:?}");
        for minute in 121..=126 {
            listener.hear(-85.0, Timestamp(minute * MINUTE));
        }
        assert!(listener.deviation() > 10.0, "{listener:?}");
        assert!(listener.slow > -62.0, "{listener:?}");
    }

    #[test]
    fn what_comes_late_or_twice_changes_nothing() {
        let mut listener = Listener::new(-60.0, Timestamp(MINUTE));
        let before = listener;
        listener.hear(-90.0, Timestamp(MINUTE));
        listener.hear(-90.0, Timestamp(0));
        assert_eq!(listener, before);
    }

    #[test]
    fn who_forgot_knows_nothing_until_it_heard_again_for_an_hour() {
        let mut listener = Listener::new(-60.0, Timestamp(0));
        listener.hear(-60.0, Timestamp(KNOWN_MS));
        assert!(listener.knows());
        listener.forget();
        assert!(!listener.knows() && !listener.heard_within(i64::MAX, Timestamp(KNOWN_MS)));
        listener.hear(-80.0, Timestamp(KNOWN_MS + MINUTE));
        assert_eq!((listener.fast, listener.slow, listener.knows()), (-80.0, -80.0, false));
    }
}
