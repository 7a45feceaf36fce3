//! What one run came to, and the middle of several.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::bench::process::median;

/// What one run came to; absent is what it did not measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Memory of a connection, kB (10^3 bytes).
    pub(super) kb_each: Option<f64>,
    /// Memory without connections, MB.
    pub(super) without_mb: Option<f64>,
    /// Connections or deliveries a second.
    pub(super) per_s: Option<f64>,
    /// The same from publishers that keep to a rate.
    pub(super) paced_per_s: Option<f64>,
    /// What publishers could write.
    pub(super) written_per_s: Option<f64>,
    /// Processor time of the broker for each connection or delivery, microseconds.
    pub(super) broker_us: Option<f64>,
    /// That of the load generator.
    pub(super) load_us: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// How late the load generator itself was.
    pub(super) behind_p99_ms: Option<f64>,
    /// Deliveries that never came.
    pub(super) lost: Option<f64>,
    /// Deliveries that came again or out of their order.
    pub(super) again: Option<f64>,
    /// Cores that other programs took.
    pub(super) elsewhere: Option<f64>,
}

impl Sample {
    /// Reads the load generator's line.
    pub(super) fn read(line: &Value) -> Result<Self> {
        let maybe = |name: &str| line[name].as_f64();
        let total = maybe("total").with_context(|| format!("no total in {line}"))?;
        let each = |name: &str| maybe(name).map(|seconds| seconds * 1e6 / total.max(1.0));
        let ms = |name: &str| maybe(name).map(|us| us / 1e3);
        Ok(Self {
            per_s: maybe("per_s"),
            written_per_s: maybe("written_per_s"),
            broker_us: each("broker_cpu_s"),
            load_us: each("own_cpu_s"),
            p50_ms: ms("p50_us"),
            p99_ms: ms("p99_us"),
            behind_p99_ms: ms("behind_p99_us"),
            lost: maybe("lost"),
            again: maybe("again"),
            elsewhere: maybe("elsewhere_cores"),
            ..Self::default()
        })
    }

    /// Of what publishers at a rate get through, the share that is left when they do not keep to one.
    pub(super) fn share_of_paced(&self) -> Option<f64> {
        Some(self.per_s? / self.paced_per_s?)
    }
}

/// The median of what those samples have that have it.
pub(super) fn middle(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    median(samples.iter().filter_map(value).collect()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn costs_are_those_of_one_message() {
        let line = json!({"total": 1_000, "per_s": 500.0, "broker_cpu_s": 0.004, "own_cpu_s": null, "p99_us": 1_500});
        let sample = Sample::read(&line).unwrap();
        assert_eq!((sample.broker_us, sample.load_us, sample.p99_ms), (Some(4.0), None, Some(1.5)));
        let slower = Sample { per_s: Some(100.0), paced_per_s: Some(400.0), ..Sample::default() };
        assert_eq!(slower.share_of_paced(), Some(0.25));
        let samples = [sample, slower, Sample::default(), Sample { per_s: Some(900.0), ..Sample::default() }];
        assert_eq!(middle(&samples, |sample| sample.per_s), Some(500.0));
        assert_eq!(middle(&samples, |sample| sample.kb_each), None);
        assert!(Sample::read(&json!({})).is_err());
    }
}
