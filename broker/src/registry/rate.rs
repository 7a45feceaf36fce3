//! How many pings one device may send.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{PATIENCE, Pace};

/// What may come at once, in seconds of the rate: a minute's worth.
const BURST_S: f64 = 60.0;
/// The part of the limit that batches may use beside it which were refused before: the slower lane in which a device makes
/// good what it lost while it goes on sending.
const BACK_FILL: f64 = 0.25;

/// How often a device may start anew.
const BOOTS_PER_MINUTE: f64 = 60.0;

/// The pace of one device, and that of its slower lane.
#[derive(Debug)]
pub(crate) struct Rate {
    live: Pace,
    back_fill: Pace,
    boots: Pace,
}

impl Rate {
    pub(crate) fn new(per_minute: u32) -> Self {
        let per_s = f64::from(per_minute) / 60.0;
        Self {
            live: Pace::new(per_s, BURST_S),
            back_fill: Pace::new(per_s * BACK_FILL, BURST_S),
            boots: Pace::new(BOOTS_PER_MINUTE / 60.0, BURST_S),
        }
    }

    /// Takes a boot that was never heard of, if there is one: each is remembered for days.
    pub(crate) fn take_boot(&self, now: Instant) -> bool {
        self.boots.take(1.0, Duration::ZERO, now).is_some()
    }

    /// Takes `count`, if need be from what is still to come; answers for how long nothing more should be read. None where
    /// that would be too long: then nothing is taken.
    pub(crate) fn take(&self, count: usize, now: Instant) -> Option<Duration> {
        self.live.take(count as f64, PATIENCE, now)
    }

    /// Takes `count` for what was refused before, if they are there.
    pub(crate) fn take_again(&self, count: usize, now: Instant) -> bool {
        self.back_fill.take(count as f64, Duration::ZERO, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_as_time_goes() {
        let rate = Rate::new(600);
        let start = Instant::now();
        assert_eq!(rate.take(600, start), Some(Duration::ZERO));
        assert_eq!(rate.take(21, start), None, "2.1 seconds are too long");
        assert_eq!(rate.take(10, start + Duration::from_secs(1)), Some(Duration::ZERO));
        assert_eq!(rate.take(5, start + Duration::from_secs(1)), Some(Duration::from_millis(500)));
        assert_eq!(rate.take(16, start + Duration::from_secs(1)), None, "what was lent counts");
        assert_eq!(rate.take(600, start + Duration::from_hours(1)), Some(Duration::ZERO));
    }

    #[test]
    fn boots_have_a_pace_of_their_own() {
        let rate = Rate::new(1);
        let start = Instant::now();
        assert!((0..60).all(|_| rate.take_boot(start)) && !rate.take_boot(start));
        assert!(rate.take_boot(start + Duration::from_secs(1)));
    }

    #[test]
    fn what_was_refused_has_a_lane_of_its_own() {
        let rate = Rate::new(600);
        let start = Instant::now();
        assert_eq!(rate.take(600, start), Some(Duration::ZERO));
        assert!(rate.take_again(150, start), "a quarter");
        assert!(!rate.take_again(1, start));
        assert!(rate.take_again(2, start + Duration::from_secs(1)));
        assert!(!rate.take_again(4, start + Duration::from_secs(2)));
    }
}
