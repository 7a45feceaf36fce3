//! What runs of one rate came to, and the aim beside them.

use std::fmt::Write as _;

use crate::bench::table::{self, Column, middle, reached};

/// The rate that the aim is for, commands a second.
const AIM_PER_S: u32 = 1_000;
/// 99 of 100 take at most so many times as long as through Mosquitto, and two commits more.
const TIMES_ECHO: f64 = 3.0;
/// And in any case less than this, milliseconds.
const AIM_MS: f64 = 100.0;

/// What one run came to; absent is what it did not measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// From when an order was due until its end was known.
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// How late the load generator itself was.
    pub(super) late_ms: Option<f64>,
    pub(super) per_s: Option<f64>,
    /// Processor time of the server for each, microseconds.
    pub(super) server_us: Option<f64>,
    /// That of the load generator and the devices.
    pub(super) load_us: Option<f64>,
    /// Those that were not done when nobody waited any more.
    pub(super) missed: Option<f64>,
    /// Cores that other programs took.
    pub(super) elsewhere: Option<f64>,
}

/// Everything of one rate, a sample for each round.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) sqlite: Vec<Sample>,
    pub(super) postgres: Vec<Sample>,
    pub(super) echo: Vec<Sample>,
    pub(super) commits: Vec<Sample>,
}

/// 99 of 100 EXECUTEs take less than this, milliseconds.
const EXECUTE_AIM_MS: f64 = 300.0;

/// Orders of Google, a sample for each round.
#[derive(Debug, Default)]
pub(super) struct Executes {
    pub(super) sqlite: Vec<Sample>,
    pub(super) postgres: Vec<Sample>,
}

impl Executes {
    /// The table, and the figure beside the aim.
    pub(super) fn rendered(&self, rate: u32) -> String {
        let mut text = format!("{rate} EXECUTEs a second\n{}", table::head(&[COLUMNS]));
        for (name, samples) in [("sqlite", &self.sqlite), ("postgres", &self.postgres)] {
            if samples.is_empty() {
                continue;
            }
            let _ = write!(text, "\n{}", table::line(name, samples, &[COLUMNS]));
        }
        if let Some(p99) = middle(&self.sqlite, |sample| sample.p99_ms) {
            let reached = reached(p99 < EXECUTE_AIM_MS);
            let _ = write!(text, "\np99 {p99:.2} ms; the aim is below {EXECUTE_AIM_MS} ({reached})");
        }
        text
    }
}

const COLUMNS: &[Column<Sample>] = &[
    Column("p50 ms", 2, |sample| sample.p50_ms),
    Column("p99 ms", 2, |sample| sample.p99_ms),
    Column("late p99 ms", 2, |sample| sample.late_ms),
    Column("per second", 0, |sample| sample.per_s),
    Column("CPU us each", 1, |sample| sample.server_us),
    Column("load us each", 1, |sample| sample.load_us),
    Column("missed", 0, |sample| sample.missed),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

impl Rows {
    /// The table; at the rate that there is an aim for, the figure beside the aim.
    pub(super) fn rendered(&self, rate: u32) -> String {
        let mut text = format!("{rate} commands a second\n{}", table::head(&[COLUMNS]));
        let rows = [
            ("sqlite", &self.sqlite),
            ("postgres", &self.postgres),
            ("mosquitto echo", &self.echo),
            ("two commits", &self.commits),
        ];
        for (name, samples) in rows.iter().filter(|(_, samples)| !samples.is_empty()) {
            let _ = write!(text, "\n{}", table::line(name, samples, &[COLUMNS]));
        }
        if rate == AIM_PER_S
            && let Some(verdict) = self.verdict()
        {
            let _ = write!(text, "\n{verdict}");
        }
        text
    }

    fn verdict(&self) -> Option<String> {
        let p99 = |samples| middle(samples, |sample: &Sample| sample.p99_ms);
        let (ours, echo, commits) = (p99(&self.sqlite)?, p99(&self.echo)?, p99(&self.commits)?);
        let most = TIMES_ECHO * echo + commits;
        Some(format!(
            "p99 {ours:.2} ms; the aim is {TIMES_ECHO} times the echo's and two commits, {most:.2} ({}), and below {AIM_MS} ({})",
            reached(ours <= most),
            reached(ours < AIM_MS)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p99(ms: f64) -> Vec<Sample> {
        vec![Sample { p99_ms: Some(ms), ..Sample::default() }]
    }

    #[test]
    fn executes_stand_beside_their_aim() {
        let executes = Executes { sqlite: p99(16.0), postgres: Vec::new() };
        assert!(executes.rendered(200).ends_with("p99 16.00 ms; the aim is below 300 (reached)"));
        let executes = Executes { sqlite: p99(300.0), postgres: p99(1.0) };
        assert!(executes.rendered(200).ends_with("p99 300.00 ms; the aim is below 300 (missed)"));
    }

    #[test]
    fn the_aim_stands_beside_its_rate_alone() {
        let rows = Rows { sqlite: p99(16.0), postgres: Vec::new(), echo: p99(2.0), commits: p99(9.0) };
        let text = rows.rendered(AIM_PER_S);
        let aim = "p99 16.00 ms; the aim is 3 times the echo's and two commits, 15.00 (missed), and below 100 (reached)";
        assert!(text.ends_with(aim), "{text}");
        assert!(!text.contains("postgres"), "{text}");
        let text = rows.rendered(100);
        assert!(!text.contains("aim"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
    }
}
