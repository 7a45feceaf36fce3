//! How long things took, in a histogram of bounded size and about 3 % resolution.

use std::time::Duration;

/// Below this every microsecond has a bucket of its own; above it every power of two has this many.
const FINE: u64 = 32;
const BUCKETS: usize = (FINE as usize) * 60;

/// Counted durations.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    longest_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, longest_us: 0 }
    }
}

impl Latencies {
    /// Counts one.
    pub(super) fn record(&mut self, took: Duration) {
        let us = took.as_micros() as u64;
        self.buckets[bucket(us)] += 1;
        self.count += 1;
        self.longest_us = self.longest_us.max(us);
    }

    /// Counts all of another.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.count += other.count;
        self.longest_us = self.longest_us.max(other.longest_us);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn longest(&self) -> u64 {
        self.longest_us
    }

    /// What `percent` of them did not exceed, microseconds; 0 when there are none.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        let rank = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(bucket).min(self.longest_us);
            }
        }
        self.longest_us
    }
}

fn bucket(us: u64) -> usize {
    if us < FINE {
        return us as usize;
    }
    let shift = u64::from(us.ilog2() - FINE.ilog2());
    ((shift * FINE + (us >> shift)) as usize).min(BUCKETS - 1)
}

/// The largest microsecond of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * FINE {
        return bucket;
    }
    let shift = bucket / FINE - 1;
    ((bucket - shift * FINE + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_at_most_its_buckets_upper_end_and_near_it() {
        for us in (0..100_000).chain([1 << 30, (1 << 40) + 12_345]) {
            let upper = upper(bucket(us));
            assert!(upper >= us && (upper - us) as f64 <= us as f64 / 31.0, "{us} is told as {upper}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(99.0), 0);
        for us in 1..=1_000 {
            latencies.record(Duration::from_micros(us));
        }
        let mut both = Latencies::default();
        both.add(&latencies);
        both.record(Duration::from_millis(5));
        assert!((500..520).contains(&both.percentile(50.0)), "{}", both.percentile(50.0));
        assert!((990..1_024).contains(&both.percentile(99.0)), "{}", both.percentile(99.0));
        assert_eq!((both.count(), both.longest(), both.percentile(100.0)), (1_001, 5_000, 5_000));
    }
}
