//! Chance from a seed: one independent stream per thing that is random, so that adding a shopper changes no other.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

/// What a stream of chance is for. Streams of different purposes never meet, whatever their index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// When the shoppers of a crowd arrive.
    Arrivals,
    /// Where one shopper walks and how long they stay.
    Walk,
    /// How one shopper's advertisements reach the receivers.
    Radio,
    /// How a fixed transmitter's advertisements reach the receivers.
    Beacon,
    /// How one gateway is set up.
    Gateway,
    /// The identities that are handed out.
    Identity,
    /// Waiting times before a reconnection.
    Backoff,
    /// The contents of the load generator's batches.
    Load,
    /// How one appliance behaves.
    Appliance,
    /// Which gateways have a fault, and when.
    Fault,
    /// What a network does to one gateway's batches.
    Uplink,
    /// Whether one shopper's transmitter sleeps.
    Sleep,
}

/// The stream of a purpose and an index (a shopper's, a gateway's number).
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 48 | index);
    rng
}

/// A number of the standard normal distribution.
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    normals(rng).0
}

/// Two independent numbers of the standard normal distribution (Box and Muller 1958).
pub(crate) fn normals(rng: &mut impl Rng) -> (f32, f32) {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    let (sine, cosine) = (rng.random::<f32>() * std::f32::consts::TAU).sin_cos();
    (radius * cosine, radius * sine)
}

/// A waiting time of the exponential distribution with this mean.
pub(crate) fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

/// The index of one of the weights, as likely as its share of their sum; 0 when all are 0.
pub(crate) fn weighted(rng: &mut impl Rng, weights: impl Iterator<Item = f32> + Clone) -> usize {
    let total: f32 = weights.clone().sum();
    let mut left = rng.random::<f32>() * total;
    for (index, weight) in weights.enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    0
}

/// A length of time: log-normal around its median, cut to its bounds. All in seconds but `sigma`, which is the standard
/// deviation of the logarithm (0 makes every draw the median).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Half of the draws are shorter.
    pub median_s: f64,
    /// Standard deviation of the natural logarithm.
    #[serde(default)]
    pub sigma: f64,
    /// No draw is shorter.
    #[serde(default)]
    pub min_s: f64,
    /// No draw is longer.
    pub max_s: f64,
}

impl Span {
    /// One draw, in milliseconds.
    pub fn draw(&self, rng: &mut impl Rng) -> i64 {
        let seconds = self.median_s * (self.sigma * f64::from(normal(rng))).exp();
        (seconds.clamp(self.min_s, self.max_s) * 1000.0) as i64
    }

    /// Whether the numbers make sense together.
    pub fn is_sound(&self) -> bool {
        (0.0..=3.0).contains(&self.sigma)
            && self.min_s >= 0.0
            && self.min_s <= self.median_s
            && self.median_s <= self.max_s
            && self.max_s <= 86_400.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut rng = stream(7, Purpose::Radio, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| f64::from(normal(&mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.03, "variance {variance}");
    }

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |purpose, index| stream(7, purpose, index).next_u64();
        assert_eq!(draw(Purpose::Walk, 3), draw(Purpose::Walk, 3));
        assert_ne!(draw(Purpose::Walk, 3), draw(Purpose::Walk, 4));
        assert_ne!(draw(Purpose::Walk, 3), draw(Purpose::Radio, 3));
    }

    #[test]
    fn a_span_keeps_its_median_and_bounds() {
        let span = Span { median_s: 600.0, sigma: 0.8, min_s: 200.0, max_s: 3_000.0 };
        let mut rng = stream(7, Purpose::Walk, 0);
        let mut draws: Vec<i64> = (0..10_001).map(|_| span.draw(&mut rng)).collect();
        draws.sort_unstable();
        assert!((580_000..620_000).contains(&draws[5_000]), "median {}", draws[5_000]);
        assert_eq!((draws[0], draws[10_000]), (200_000, 3_000_000));
    }

    #[test]
    fn weights_are_shares() {
        let mut rng = stream(7, Purpose::Walk, 1);
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            counts[weighted(&mut rng, [1.0, 0.0, 3.0].into_iter())] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
    }
}
