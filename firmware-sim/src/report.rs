//! The table at the end of a simulated day: what happened beside what was measured.

use crate::registrar::{Footfall, MeasuredBucket};
use crate::truth::{TrueBucket, Truth};
use std::fmt;

/// Visits and uniques may differ by this share of the truth.
pub const COUNT_TOLERANCE: f64 = 0.02;

/// Median dwell may differ by this, seconds.
pub const DWELL_TOLERANCE_S: f64 = 60.0;

/// True and measured numbers of one day. Its `Display` is the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Each hour of the day.
    pub hours: Vec<Row>,
    /// The whole day.
    pub day: Row,
}

/// True and measured numbers of one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When it starts on the venue's clock, `HH:MM`.
    pub clock: String,
    /// What happened.
    pub truth: TrueBucket,
    /// What was measured; `None` when the platform has no such bucket.
    pub measured: Option<MeasuredBucket>,
}

/// Puts the platform's numbers beside the true ones, bucket by bucket of the same start.
pub fn compare(truth: &Truth, footfall: &Footfall) -> Comparison {
    let row = |truth: &TrueBucket, measured: Option<&MeasuredBucket>| Row {
        clock: truth.clock.clone(),
        truth: truth.clone(),
        measured: measured.cloned(),
    };
    let hours = truth.hours.iter().map(|hour| {
        let measured = footfall.hours.iter().find(|measured| measured.start == hour.start);
        row(hour, measured)
    });
    let day = (footfall.day.start == truth.day.start).then_some(&footfall.day);
    Comparison { hours: hours.collect(), day: row(&truth.day, day) }
}

impl Comparison {
    /// Whether every hour and the whole day agree: visits and uniques within 2 %, median dwell within 60 s.
    pub fn agrees(&self) -> bool {
        self.hours.iter().chain([&self.day]).all(Row::agrees)
    }
}

impl Row {
    /// Whether this bucket agrees.
    pub fn agrees(&self) -> bool {
        let Some(measured) = &self.measured else { return false };
        let close = |truth: u64, measured: Option<u64>| {
            measured.is_some_and(|measured| measured.abs_diff(truth) as f64 <= COUNT_TOLERANCE * truth as f64)
        };
        let dwell = match (self.truth.dwell_median_s, measured.dwell_median_s) {
            (Some(truth), Some(measured)) => (truth - measured).abs() <= DWELL_TOLERANCE_S,
            (None, measured) => measured.is_none_or(|measured| measured.abs() < f64::EPSILON),
            (Some(_), None) => false,
        };
        close(self.truth.visits, measured.visits) && close(self.truth.uniques, measured.uniques) && dwell
    }

    fn is_empty(&self) -> bool {
        let nobody = self.truth.visits + self.truth.bounces + self.truth.passers_by == 0;
        nobody && self.agrees()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "            visits           uniques        median dwell        bounces       passers-by"
        )?;
        writeln!(
            f,
            " hour    true measured    true measured    true measured   true measured   true measured"
        )?;
        for hour in self.hours.iter().filter(|hour| !hour.is_empty()) {
            line(f, &hour.clock, hour)?;
        }
        line(f, "day", &self.day)?;
        let (truth, measured) = (&self.day.truth, self.day.measured.as_ref());
        let visits = relative(truth.visits, measured.and_then(|it| it.visits));
        let uniques = relative(truth.uniques, measured.and_then(|it| it.uniques));
        let dwell = match (truth.dwell_median_s, measured.and_then(|it| it.dwell_median_s)) {
            (Some(truth), Some(measured)) => format!("{:+.0} s", measured - truth),
            _ => "-".to_owned(),
        };
        let agree = self.hours.iter().filter(|hour| hour.agrees()).count();
        writeln!(f, "difference of the day: visits {visits}, uniques {uniques}, median dwell {dwell}")?;
        let verdict = if self.agrees() { "agrees" } else { "DISAGREES" };
        write!(
            f,
            "verdict: {verdict} ({agree} of {} hours within 2 % of visits and uniques and 60 s of median dwell)",
            self.hours.len()
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, clock: &str, row: &Row) -> fmt::Result {
    let measured = row.measured.clone().unwrap_or_default();
    let count = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    writeln!(
        f,
        "{clock:>5} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8} {:>6} {:>8} {:>6} {:>8}{}",
        row.truth.visits,
        count(measured.visits),
        row.truth.uniques,
        count(measured.uniques),
        length(row.truth.dwell_median_s),
        length(measured.dwell_median_s),
        row.truth.bounces,
        count(measured.bounces),
        row.truth.passers_by,
        count(measured.passers_by),
        if row.agrees() { "" } else { "  <-" }
    )
}

/// Minutes and seconds.
fn length(seconds: Option<f64>) -> String {
    seconds.map_or_else(
        || "-".to_owned(),
        |seconds| {
            let seconds = seconds.round() as i64;
            format!("{}:{:02}", seconds / 60, seconds % 60)
        },
    )
}

fn relative(truth: u64, measured: Option<u64>) -> String {
    match measured {
        Some(measured) if truth > 0 => {
            format!("{:+.1} %", (measured as f64 - truth as f64) / truth as f64 * 100.0)
        }
        Some(measured) => format!("{:+}", measured.cast_signed()),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Timestamp;

    fn truth(visits: u64, uniques: u64, dwell: Option<f64>) -> TrueBucket {
        TrueBucket {
            start: Timestamp(0),
            clock: "09:00".to_owned(),
            visits,
            uniques,
            bounces: 2,
            passers_by: 5,
            dwell_median_s: dwell,
        }
    }

    fn measured(visits: u64, uniques: u64, dwell: Option<f64>) -> MeasuredBucket {
        MeasuredBucket {
            start: Timestamp(0),
            visits: Some(visits),
            uniques: Some(uniques),
            bounces: Some(2),
            passers_by: Some(5),
            dwell_median_s: dwell,
        }
    }

    fn compared(truth: &TrueBucket, measured: &MeasuredBucket) -> Comparison {
        let truth =
            Truth { hours: vec![truth.clone()], day: truth.clone(), runs: Vec::new(), tracks: Vec::new() };
        let footfall = Footfall {
            complete_through: None,
            recomputing: false,
            hours: vec![measured.clone()],
            day: measured.clone(),
        };
        compare(&truth, &footfall)
    }

    #[test]
    fn the_verdict_keeps_to_the_tolerances() {
        let truth = truth(100, 50, Some(600.0));
        let cases = [
            (measured(100, 50, Some(600.0)), true),
            (measured(98, 51, Some(660.0)), true),
            (measured(97, 50, Some(600.0)), false),
            (measured(100, 52, Some(600.0)), false),
            (measured(100, 50, Some(661.0)), false),
            (measured(100, 50, None), false),
            (MeasuredBucket { visits: None, ..measured(0, 50, Some(600.0)) }, false),
            (MeasuredBucket { start: Timestamp(1), ..measured(100, 50, Some(600.0)) }, false),
        ];
        for (measured, agrees) in cases {
            assert_eq!(compared(&truth, &measured).agrees(), agrees, "{measured:?}");
        }
    }

    #[test]
    fn nobody_agrees_with_nobody_only() {
        let nobody = TrueBucket { bounces: 0, passers_by: 0, ..truth(0, 0, None) };
        assert!(compared(&nobody, &measured(0, 0, None)).agrees());
        assert!(compared(&nobody, &measured(0, 0, Some(0.0))).agrees());
        assert!(!compared(&nobody, &measured(1, 1, Some(300.0))).agrees());
    }

    #[test]
    fn the_table_is_aligned_and_names_what_is_off() {
        let table = compared(&truth(100, 50, Some(605.0)), &measured(90, 50, Some(600.0))).to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[2],
            "09:00     100       90      50       50   10:05    10:00      2        2      5        5  <-"
        );
        assert_eq!(lines[4], "difference of the day: visits -10.0 %, uniques +0.0 %, median dwell -5 s");
        assert!(lines[5].starts_with("verdict: DISAGREES (0 of 1 hours"), "{}", lines[5]);
        assert!(table.is_ascii());
    }
}
