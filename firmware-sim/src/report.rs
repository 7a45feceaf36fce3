//! The table at the end of a simulated day: what happened beside what was measured.

use crate::registrar::{Footfall, MeasuredBucket};
use crate::truth::{TrueBucket, Truth};
use serde::Deserialize;
use std::fmt;

/// How near to the truth the numbers of each hour and of the day have to come.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Visits and uniques may differ by this share of the truth.
    pub counts: f64,
    /// Median dwell may differ by this, seconds.
    pub dwell_s: f64,
    /// Mean occupancy may differ by this share of the truth, or by half a person where that is more.
    pub occupancy: f64,
    /// Visits, uniques and dwell of an hour with fewer true visits than this are shown and not judged.
    pub few: u64,
}

/// A mean occupancy may be withheld below this: it is where the most at one moment were few people, and where these would follow.
const WITHHELD_BELOW: f64 = 10.0;

/// What a mean occupancy may be off by however few are there.
const HALF_A_PERSON: f64 = 0.5;

impl Default for Bounds {
    fn default() -> Self {
        Self { counts: 0.02, dwell_s: 60.0, occupancy: 0.05, few: 0 }
    }
}

/// True and measured numbers of one day. Its `Display` is the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Each hour of the day.
    pub hours: Vec<Row>,
    /// The whole day.
    pub day: Row,
    /// What they are held against.
    pub bounds: Bounds,
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
pub fn compare(truth: &Truth, footfall: &Footfall, bounds: Bounds) -> Comparison {
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
    Comparison { hours: hours.collect(), day: row(&truth.day, day), bounds }
}

impl Comparison {
    /// Whether the whole day and every hour that is shown are within the bounds. Half of them at least have to be shown.
    pub fn agrees(&self) -> bool {
        let is_right = |hour: &Row| hour.is_withheld() || hour.agrees(&self.bounds);
        let is_shown = self.withheld() * 2 <= self.hours.len();
        self.day.agrees(&self.bounds) && self.hours.iter().all(is_right) && is_shown
    }

    /// How many hours are withheld, since few people are behind them.
    fn withheld(&self) -> usize {
        self.hours.iter().filter(|hour| hour.is_withheld()).count()
    }
}

impl Row {
    fn is_withheld(&self) -> bool {
        self.measured.as_ref().is_some_and(|measured| measured.suppressed)
    }

    /// Whether this bucket is within the bounds. Occupancy may be withheld where visits are not.
    pub fn agrees(&self, bounds: &Bounds) -> bool {
        let (truth, Some(measured)) = (&self.truth, &self.measured) else { return false };
        let close = |truth: u64, measured: Option<u64>| {
            measured.is_some_and(|measured| measured.abs_diff(truth) as f64 <= bounds.counts * truth as f64)
        };
        let dwell = match (truth.dwell_median_s, measured.dwell_median_s) {
            (Some(truth), Some(measured)) => (truth - measured).abs() <= bounds.dwell_s,
            (None, measured) => measured.is_none_or(|measured| measured.abs() < f64::EPSILON),
            (Some(_), None) => false,
        };
        let room = (bounds.occupancy * truth.occupancy_mean).max(HALF_A_PERSON);
        let occupancy = measured.occupancy_mean.map_or(truth.occupancy_mean < WITHHELD_BELOW, |mean| {
            (mean - truth.occupancy_mean).abs() <= room
        });
        let counts = close(truth.visits, measured.visits) && close(truth.uniques, measured.uniques);
        occupancy && (truth.visits < bounds.few || counts && dwell)
    }

    fn is_empty(&self, bounds: &Bounds) -> bool {
        let nobody = self.truth.visits + self.truth.bounces + self.truth.passers_by == 0;
        nobody && self.truth.occupancy_mean < HALF_A_PERSON && self.agrees(bounds)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "            visits           uniques        median dwell     mean occupancy      bounces       passers-by"
        )?;
        writeln!(
            f,
            " hour    true measured    true measured    true measured    true measured   true measured   true measured"
        )?;
        let Self { bounds, .. } = self;
        for hour in self.hours.iter().filter(|hour| !hour.is_empty(bounds)) {
            line(f, &hour.clock, hour, bounds)?;
        }
        line(f, "day", &self.day, bounds)?;
        let (truth, measured) = (&self.day.truth, self.day.measured.as_ref());
        let visits = relative(truth.visits, measured.and_then(|it| it.visits));
        let uniques = relative(truth.uniques, measured.and_then(|it| it.uniques));
        let dwell = match (truth.dwell_median_s, measured.and_then(|it| it.dwell_median_s)) {
            (Some(truth), Some(measured)) => format!("{:+.0} s", measured - truth),
            _ => "-".to_owned(),
        };
        let occupancy = match measured.and_then(|it| it.occupancy_mean) {
            Some(measured) if truth.occupancy_mean > 0.0 => {
                format!("{:+.1} %", (measured / truth.occupancy_mean - 1.0) * 100.0)
            }
            _ => "-".to_owned(),
        };
        let agree = self.hours.iter().filter(|hour| hour.agrees(bounds)).count();
        let withheld = match self.withheld() {
            0 => String::new(),
            hours => format!("; {hours} withheld, since few people are behind them"),
        };
        writeln!(
            f,
            "difference of the day: visits {visits}, uniques {uniques}, median dwell {dwell}, mean occupancy {occupancy}"
        )?;
        let verdict = if self.agrees() { "agrees" } else { "DISAGREES" };
        write!(
            f,
            "verdict: {verdict} ({agree} of {} hours within {:.0} % of visits and uniques, {:.0} s of median dwell and {:.0} % of \
             mean occupancy{withheld})",
            self.hours.len() - self.withheld(),
            bounds.counts * 100.0,
            bounds.dwell_s,
            bounds.occupancy * 100.0
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, clock: &str, row: &Row, bounds: &Bounds) -> fmt::Result {
    let measured = row.measured.clone().unwrap_or_default();
    let count = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let mean = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    writeln!(
        f,
        "{clock:>5} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8} {:>6} {:>8} {:>6} {:>8}{}",
        row.truth.visits,
        count(measured.visits),
        row.truth.uniques,
        count(measured.uniques),
        length(row.truth.dwell_median_s),
        length(measured.dwell_median_s),
        mean(Some(row.truth.occupancy_mean)),
        mean(measured.occupancy_mean),
        row.truth.bounces,
        count(measured.bounces),
        row.truth.passers_by,
        count(measured.passers_by),
        if row.is_withheld() {
            "  withheld"
        } else if row.agrees(bounds) {
            ""
        } else {
            "  <-"
        }
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
            occupancy_mean: 20.0,
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
            occupancy_mean: Some(20.0),
            suppressed: false,
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
        compare(&truth, &footfall, Bounds::default())
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
            (MeasuredBucket { occupancy_mean: Some(19.0), ..measured(100, 50, Some(600.0)) }, true),
            (MeasuredBucket { occupancy_mean: Some(18.9), ..measured(100, 50, Some(600.0)) }, false),
            (MeasuredBucket { occupancy_mean: None, ..measured(100, 50, Some(600.0)) }, false),
            (MeasuredBucket { visits: None, ..measured(0, 50, Some(600.0)) }, false),
            (MeasuredBucket { start: Timestamp(1), ..measured(100, 50, Some(600.0)) }, false),
        ];
        for (measured, agrees) in cases {
            assert_eq!(compared(&truth, &measured).agrees(), agrees, "{measured:?}");
        }
    }

    #[test]
    fn what_is_withheld_is_not_compared_and_is_not_all() {
        let (truth, shown) = (truth(100, 50, Some(600.0)), measured(100, 50, Some(600.0)));
        let hidden = MeasuredBucket { suppressed: true, ..MeasuredBucket::default() };
        let row = |measured: &MeasuredBucket| Row {
            clock: "09:00".to_owned(),
            truth: truth.clone(),
            measured: Some(measured.clone()),
        };
        let comparison = |hours: &[&MeasuredBucket], day| Comparison {
            hours: hours.iter().map(|hour| row(hour)).collect(),
            day: row(day),
            bounds: Bounds::default(),
        };
        let half = comparison(&[&shown, &hidden], &shown);
        assert!(half.agrees());
        let text = half.to_string();
        assert!(text.contains("(1 of 1 hours") && text.contains("; 1 withheld"), "{text}");
        assert!(!comparison(&[&shown, &hidden, &hidden], &shown).agrees());
        assert!(!comparison(&[&shown, &hidden], &hidden).agrees());
    }

    #[test]
    fn few_visits_are_judged_by_occupancy_only() {
        let bounds = Bounds { few: 50, ..Bounds::default() };
        let agrees = |visits: u64, mean: f64| {
            let measured = Some(MeasuredBucket { occupancy_mean: Some(mean), ..measured(1, 1, Some(1.0)) });
            let truth = truth(visits, visits, Some(600.0));
            Row { clock: truth.clock.clone(), truth, measured }.agrees(&bounds)
        };
        assert_eq!([agrees(49, 20.0), agrees(50, 20.0), agrees(49, 10.0)], [true, false, false]);
    }

    #[test]
    fn nobody_agrees_with_nobody_only() {
        let nobody = TrueBucket { bounces: 0, passers_by: 0, occupancy_mean: 19.6, ..truth(0, 0, None) };
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
            "09:00     100       90      50       50   10:05    10:00    20.0     20.0      2        2      5        5  <-"
        );
        assert_eq!(
            lines[4],
            "difference of the day: visits -10.0 %, uniques +0.0 %, median dwell -5 s, mean occupancy +0.0 %"
        );
        assert!(lines[5].starts_with("verdict: DISAGREES (0 of 1 hours"), "{}", lines[5]);
        assert!(table.is_ascii());
    }
}
