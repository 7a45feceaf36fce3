//! What one run came to, and tables of several.

use std::fmt::Write as _;

use super::measure::{Measure, Task};
use crate::bench::table::{self, Column, middle, reached};

/// How many times as much as the yardstick ours should do in the same processor time.
const TIMES: f64 = 10.0;
/// How long 99 of 100 requests may take at half load, milliseconds.
const HALF_LOAD_MS: f64 = 50.0;

/// What one run came to; absent is what it did not measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) per_s: Option<f64>,
    /// Processor time of the server for each, microseconds.
    pub(super) server_us: Option<f64>,
    /// That of the load generator.
    pub(super) load_us: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// Cores that other programs took.
    pub(super) elsewhere: Option<f64>,
    /// The same at half of that rate, from when each was due.
    pub(super) half_per_s: Option<f64>,
    pub(super) half_p50_ms: Option<f64>,
    pub(super) half_p99_ms: Option<f64>,
    /// How late the load generator itself was then.
    pub(super) half_late_ms: Option<f64>,
}

const FULL: &[Column<Sample>] = &[
    Column("per second", 0, |sample| sample.per_s),
    Column("CPU us each", 1, |sample| sample.server_us),
    Column("per CPU-s", 0, Sample::per_cpu_s),
    Column("load us each", 1, |sample| sample.load_us),
    Column("p50 ms", 2, |sample| sample.p50_ms),
    Column("p99 ms", 2, |sample| sample.p99_ms),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

const HALF: &[Column<Sample>] = &[
    Column("half/s", 0, |sample| sample.half_per_s),
    Column("p50 ms", 2, |sample| sample.half_p50_ms),
    Column("p99 ms", 2, |sample| sample.half_p99_ms),
    Column("late p99 ms", 2, |sample| sample.half_late_ms),
];

impl Sample {
    fn per_cpu_s(&self) -> Option<f64> {
        Some(1e6 / self.server_us?)
    }
}

/// The table; ours is the first row.
pub(super) fn rendered(measure: &Measure, rows: &[(&str, Vec<Sample>)]) -> String {
    let at_half = if matches!(measure.task, Task::Refresh(_) | Task::Exchange) { HALF } else { &[] };
    let columns = [FULL, at_half];
    let mut text = format!("{}: {}\n{}", measure.name, measure.title, table::head(&columns));
    for (name, samples) in rows {
        let _ = write!(text, "\n{}", table::line(name, samples, &columns));
    }
    if let [(_, ours), (name, theirs)] = rows {
        let times = middle(ours, Sample::per_cpu_s).zip(middle(theirs, Sample::per_cpu_s));
        if let Some(times) = times.map(|(ours, theirs)| ours / theirs) {
            let verdict = reached(times >= TIMES);
            let _ =
                write!(text, "\n{times:.1} times {name}'s per CPU-second; the aim is {TIMES} ({verdict})");
        }
        if let Some(p99) = middle(ours, |sample| sample.half_p99_ms) {
            let verdict = reached(p99 < HALF_LOAD_MS);
            let _ =
                write!(text, "\np99 {p99:.2} ms at half load; the aim is below {HALF_LOAD_MS} ({verdict})");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::contestant::Kind;
    use super::super::measure::Shown;
    use super::*;

    fn sample(server_us: f64) -> Sample {
        Sample {
            per_s: Some(9_000.0),
            server_us: Some(server_us),
            half_p99_ms: Some(2.5),
            ..Sample::default()
        }
    }

    #[test]
    fn ours_is_set_beside_the_yardstick() {
        let measure = Measure { name: "refresh", title: "tokens", task: Task::Refresh(Kind::Public) };
        let rows = [
            ("promenade", vec![sample(50.0)]),
            ("oidc-provider", vec![sample(400.0), sample(600.0), sample(700.0)]),
        ];
        let text = rendered(&measure, &rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "refresh: tokens");
        assert!(lines[2].starts_with("promenade"), "{text}");
        assert!(lines[2].contains(" 20000 "), "per CPU-second: {text}");
        assert_eq!(lines[4], "12.0 times oidc-provider's per CPU-second; the aim is 10 (reached)");
        assert_eq!(lines[5], "p99 2.50 ms at half load; the aim is below 50 (reached)");
    }

    #[test]
    fn alone_it_has_no_verdict() {
        let measure = Measure { name: "call", title: "calls", task: Task::Get(Shown::Key) };
        let text = rendered(&measure, &[("promenade", vec![sample(50.0)])]);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("half/s"), "{text}");
    }
}
