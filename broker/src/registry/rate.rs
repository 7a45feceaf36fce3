//! How many pings one device may send.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a device is made to wait before what it sends is refused.
const PATIENCE: Duration = Duration::from_secs(2);
/// The part of the limit that batches may use beside it which were refused before: the slower lane in which a device makes
/// good what it lost while it goes on sending.
const BACK_FILL: f64 = 0.25;

/// Two token buckets that hold one minute's worth each.
#[derive(Debug)]
pub(crate) struct Rate {
    live: Mutex<Bucket>,
    back_fill: Mutex<Bucket>,
}

/// What came of asking for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// They were there.
    Now,
    /// They are taken, and nothing more should be read for so long.
    After(Duration),
    /// They would take too long to come; nothing was taken.
    Over,
}

#[derive(Debug)]
struct Bucket {
    per_minute: f64,
    tokens: f64,
    since: Option<Instant>,
}

impl Rate {
    pub(crate) fn new(per_minute: u32) -> Self {
        let bucket = |per_minute| Mutex::new(Bucket { per_minute, tokens: per_minute, since: None });
        Self { live: bucket(f64::from(per_minute)), back_fill: bucket(f64::from(per_minute) * BACK_FILL) }
    }

    /// Takes `count`, if need be from what is still to come.
    pub(crate) fn take(&self, count: usize, now: Instant) -> Taken {
        let mut bucket = lock(&self.live);
        bucket.earn(now);
        let missing = count as f64 - bucket.tokens;
        let wait = Duration::from_secs_f64(missing.max(0.0) / bucket.per_minute * 60.0);
        if wait > PATIENCE {
            return Taken::Over;
        }
        bucket.tokens -= count as f64;
        if missing > 0.0 { Taken::After(wait) } else { Taken::Now }
    }

    /// Takes `count` for what was refused before, if they are there.
    pub(crate) fn take_again(&self, count: usize, now: Instant) -> bool {
        let mut bucket = lock(&self.back_fill);
        bucket.earn(now);
        let enough = bucket.tokens >= count as f64;
        if enough {
            bucket.tokens -= count as f64;
        }
        enough
    }
}

impl Bucket {
    fn earn(&mut self, now: Instant) {
        let since = self.since.unwrap_or(now);
        let earned = now.saturating_duration_since(since).as_secs_f64() / 60.0 * self.per_minute;
        self.tokens = (self.tokens + earned).min(self.per_minute);
        self.since = Some(now.max(since));
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_as_time_goes() {
        let rate = Rate::new(600);
        let start = Instant::now();
        assert_eq!(rate.take(600, start), Taken::Now);
        assert_eq!(rate.take(21, start), Taken::Over, "2.1 seconds are too long");
        assert_eq!(rate.take(10, start + Duration::from_secs(1)), Taken::Now);
        assert_eq!(rate.take(5, start + Duration::from_secs(1)), Taken::After(Duration::from_millis(500)));
        assert_eq!(rate.take(16, start + Duration::from_secs(1)), Taken::Over, "what was lent counts");
        assert_eq!(rate.take(600, start + Duration::from_hours(1)), Taken::Now);
    }

    #[test]
    fn what_was_refused_has_a_lane_of_its_own() {
        let rate = Rate::new(600);
        let start = Instant::now();
        assert_eq!(rate.take(600, start), Taken::Now);
        assert!(rate.take_again(150, start), "a quarter");
        assert!(!rate.take_again(1, start));
        assert!(rate.take_again(2, start + Duration::from_secs(1)));
        assert!(!rate.take_again(4, start + Duration::from_secs(2)));
    }
}
