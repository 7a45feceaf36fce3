//! How long to wait before trying again: full jitter, so that a fleet that lost its platform does not come back as one.
//!
//! The wait is drawn evenly between zero and a bound that doubles with each failure ("Exponential Backoff And Jitter",
//! Marc Brooker, AWS Architecture Blog, 2015).

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Debug)]
pub(crate) struct Backoff {
    min_ms: u64,
    max_ms: u64,
    failures: u32,
    rng: ChaCha8Rng,
}

impl Backoff {
    /// Waits below a bound that doubles from the first to the second, in milliseconds.
    pub(crate) fn new(min_ms: u64, max_ms: u64, seed: u64) -> Self {
        Self { min_ms, max_ms, failures: 0, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.min_ms.saturating_mul(1 << self.failures.min(32)).min(self.max_ms);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(self.rng.random_range(0..=bound))
    }

    /// The next failure counts as the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A wait between one and one and a half times `about`.
    pub(crate) fn around(&mut self, about: Duration) -> Duration {
        let ms = about.as_millis() as u64;
        Duration::from_millis(ms + self.rng.random_range(0..=ms / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles_to_the_maximum() {
        let mut longest = [0; 8];
        for seed in 0..400 {
            let mut backoff = Backoff::new(100, 1_500, seed);
            for bound in &mut longest {
                *bound = backoff.next().as_millis().max(*bound);
            }
            backoff.reset();
            assert!(backoff.next().as_millis() <= 100);
        }
        for (longest, bound) in longest.into_iter().zip([100, 200, 400, 800, 1_500, 1_500, 1_500, 1_500]) {
            assert!(longest <= bound && longest * 10 > bound * 9, "{longest} of {bound}");
        }
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        let waits = |seed| {
            let mut backoff = Backoff::new(500, 60_000, seed);
            [(); 6].map(|()| backoff.next())
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }
}
