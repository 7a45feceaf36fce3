//! A lazy timer wheel: which subjects have to be looked at when a second is over.
//!
//! A timer is never moved: when it fires, the subject is looked at, and if nothing is due a new one is set for when
//! something may be. So hearing a subject costs no timer work, and a subject fires at most about every half minute.

use std::collections::VecDeque;

/// A timer further ahead than this fires early, in seconds; that is harmless and keeps the wheel small.
const FURTHEST: i64 = 63;

#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// The first bucket is that of the first unprocessed second.
    seconds: VecDeque<Vec<u32>>,
    set: usize,
}

impl Timers {
    pub(super) fn is_empty(&self) -> bool {
        self.set == 0
    }

    /// Sets a timer for a slot at `at` or earlier; gives the second at the end of which it fires. `base` is the first
    /// unprocessed second.
    pub(super) fn set(&mut self, base: i64, at: i64, slot: u32) -> i64 {
        let ahead = at.saturating_sub(base).clamp(0, FURTHEST);
        let index = ahead as usize;
        if index >= self.seconds.len() {
            self.seconds.resize_with(index + 1, Vec::new);
        }
        self.seconds[index].push(slot);
        self.set += 1;
        base + ahead
    }

    /// Takes out the slots whose timer fires in the first unprocessed second, but leaves the second in place.
    pub(super) fn fire(&mut self) -> Vec<u32> {
        let fired = self.seconds.front_mut().map(std::mem::take).unwrap_or_default();
        self.set -= fired.len();
        fired
    }

    /// Goes on to the next second.
    pub(super) fn turn(&mut self) {
        self.seconds.pop_front();
    }

    /// How many timers are set, stale ones included.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.set
    }

    /// Forgets all timers.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
