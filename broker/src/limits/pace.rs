//! A token bucket that can be asked how long to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So much a second, and so many seconds' worth at once.
#[derive(Debug)]
pub(crate) struct Pace {
    per_s: f64,
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    since: Option<Instant>,
}

impl Pace {
    /// The rate must not be 0.
    pub(crate) fn new(per_s: f64, burst_s: f64) -> Self {
        let most = per_s * burst_s;
        Self { per_s, most, state: Mutex::new(State { tokens: most, since: None }) }
    }

    /// Takes `count`, if need be from what is still to come; answers how long that takes. None where it would take more than
    /// `patience`: then nothing is taken.
    pub(crate) fn take(&self, count: f64, patience: Duration, now: Instant) -> Option<Duration> {
        let mut state = self.earn(now);
        // What is more than can ever be there at once waits for all there can be, and is owed.
        let wait = Duration::from_secs_f64((count.min(self.most) - state.tokens).max(0.0) / self.per_s);
        if wait > patience {
            return None;
        }
        state.tokens -= count;
        Some(wait)
    }

    /// What was taken was not used after all.
    pub(super) fn give_back(&self, count: f64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tokens += count;
    }

    /// Whether nothing was taken lately.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.earn(now).tokens >= self.most
    }

    fn earn(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.since.unwrap_or(now);
        let earned = now.saturating_duration_since(since).as_secs_f64() * self.per_s;
        state.tokens = (state.tokens + earned).min(self.most);
        state.since = Some(now.max(since));
        state
    }
}
