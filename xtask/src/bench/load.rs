//! Load: a thread for each connection, as fast as answers come or at a pace.
//!
//! At a pace, requests are due at fixed times whoever is still waiting, and each takes from when it was *due*: what waits
//! behind a stall counts in full.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// When the next request is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// When the last one is answered.
    Answered,
    /// So many a second, on whichever connection is free.
    PerSecond(f64),
}

/// What a load came to.
#[derive(Debug, Default)]
pub(super) struct Taken {
    seconds: f64,
    /// How long each took, sorted, microseconds.
    each: Vec<u32>,
    /// How late each was written, sorted, microseconds.
    late: Vec<u32>,
}

/// Lets all of them ask until the time is over or nothing is left to do. `ask` is told the number of the request, which counts
/// over all of them, and answers false when nothing is left.
pub(super) fn run<R: Send>(
    runners: &mut [R],
    pace: Pace,
    lasting: Duration,
    ask: impl Fn(&mut R, u32) -> Result<bool> + Sync,
) -> Result<Taken> {
    let (started, slots) = (Instant::now(), AtomicU32::new(0));
    let one = |runner: &mut R| -> Result<Taken> {
        let mut taken = Taken::default();
        loop {
            let (now, slot) = (started.elapsed(), slots.fetch_add(1, Ordering::Relaxed));
            let due = match pace {
                Pace::Answered => now,
                Pace::PerSecond(rate) => Duration::from_secs_f64(f64::from(slot) / rate),
            };
            if due >= lasting {
                break;
            }
            wait(due.saturating_sub(now));
            let late = started.elapsed().saturating_sub(due);
            if !ask(runner, slot)? {
                break;
            }
            taken.each.push(started.elapsed().saturating_sub(due).as_micros() as u32);
            taken.late.push(late.as_micros() as u32);
        }
        Ok(taken)
    };
    let all: Vec<Result<Taken>> = std::thread::scope(|scope| {
        let threads: Vec<_> = runners.iter_mut().map(|runner| scope.spawn(|| one(runner))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a connection panicked")))
            .collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut sum = Taken { seconds, ..Taken::default() };
    for taken in all {
        let taken = taken?;
        sum.each.extend(taken.each);
        sum.late.extend(taken.late);
    }
    sum.each.sort_unstable();
    sum.late.sort_unstable();
    Ok(sum)
}

impl Taken {
    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    pub(super) fn per_s(&self) -> f64 {
        self.count() as f64 / self.seconds
    }

    /// What so many of a hundred took at most.
    pub(super) fn ms(&self, percent: usize) -> Option<f64> {
        percentile(&self.each, percent)
    }

    /// How late so many of a hundred were written at most: that much is the load generator's own.
    pub(super) fn late_ms(&self, percent: usize) -> Option<f64> {
        percentile(&self.late, percent)
    }
}

fn percentile(sorted_us: &[u32], percent: usize) -> Option<f64> {
    let rank = (sorted_us.len() * percent).div_ceil(100);
    Some(f64::from(*sorted_us.get(rank.checked_sub(1)?)?) / 1e3)
}

/// Waits so long.
#[expect(clippy::disallowed_methods, reason = "a request is written when it is due")]
pub(super) fn wait(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_values() {
        let hundred: Vec<u32> = (1..=100).map(|ms| ms * 1_000).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (Some(50.0), Some(99.0)));
        assert_eq!((percentile(&[7], 99), percentile(&[], 50)), (Some(0.007), None));
    }
}
