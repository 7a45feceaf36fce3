//! How much one device may send.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A token bucket that holds one minute's worth.
#[derive(Debug)]
pub(crate) struct Rate {
    per_minute: f64,
    bucket: Mutex<Option<(f64, Instant)>>,
}

impl Rate {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute: f64::from(per_minute), bucket: Mutex::new(None) }
    }

    /// Takes `count` if they are there; otherwise takes nothing and answers false.
    pub(crate) fn take(&self, count: usize, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = bucket.unwrap_or((self.per_minute, now));
        let earned = now.saturating_duration_since(since).as_secs_f64() / 60.0 * self.per_minute;
        let tokens = (tokens + earned).min(self.per_minute);
        let enough = tokens >= count as f64;
        *bucket = Some((if enough { tokens - count as f64 } else { tokens }, now.max(since)));
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_minutes_worth_at_once_then_as_time_goes() {
        let rate = Rate::new(600);
        let start = Instant::now();
        assert!(rate.take(600, start));
        assert!(!rate.take(1, start));
        assert!(!rate.take(11, start + Duration::from_secs(1)));
        assert!(rate.take(10, start + Duration::from_secs(1)));
        assert!(rate.take(600, start + Duration::from_hours(1)));
        assert!(!rate.take(1, start + Duration::from_hours(1)));
    }
}
