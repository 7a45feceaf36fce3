//! The numbers of a footfall series, from runs of pings and the times subjects spent inside. Pure; `docs/metrics.md`
//! says in words what is computed here.

use std::collections::BTreeSet;

use presence::VisitClass;
use protocol::{Subject, Timestamp};

/// One run of pings of a subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) subject: Subject,
    /// The first sighting; the run belongs to the bucket of this time.
    pub(crate) from: Timestamp,
    /// The last sighting.
    pub(crate) to: Timestamp,
    pub(crate) class: VisitClass,
}

/// The time, half-open, during which one subject was in a zone that occupancy counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The numbers of one bucket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// The first millisecond of the bucket.
    pub(crate) start: Timestamp,
    pub(crate) visits: u64,
    /// Distinct subjects with a visit.
    pub(crate) uniques: u64,
    pub(crate) bounces: u64,
    pub(crate) passers_by: u64,
    /// Seconds; none without a visit.
    pub(crate) dwell_median: Option<f64>,
    /// Seconds, by nearest rank; none without a visit.
    pub(crate) dwell_p90: Option<f64>,
    /// The most subjects at one moment.
    pub(crate) occupancy_peak: u64,
    /// Subjects on average over the time.
    pub(crate) occupancy_mean: f64,
}

/// The numbers of consecutive buckets that begin at `starts` and end at `end`. Occupancy is known until `known`: the
/// mean of a bucket is over its known part. Runs that begin outside the buckets count nowhere.
pub(crate) fn figures(
    starts: &[Timestamp],
    end: Timestamp,
    known: Timestamp,
    runs: &[Run],
    spans: &[Span],
) -> Vec<Figures> {
    let mut runs_of: Vec<Vec<&Run>> = vec![Vec::new(); starts.len()];
    for run in runs.iter().filter(|run| run.from < end) {
        if let Some(bucket) = starts.partition_point(|start| *start <= run.from).checked_sub(1) {
            runs_of[bucket].push(run);
        }
    }
    let mut occupancy = Occupancy::over(spans, known);
    let ends = starts.iter().skip(1).copied().chain([end]);
    let buckets = starts.iter().zip(ends).zip(runs_of);
    buckets
        .map(|((&start, end), runs)| {
            let (occupancy_peak, occupancy_mean) = occupancy.of_bucket(start, end.min(known));
            bucket(start, &runs, occupancy_peak, occupancy_mean)
        })
        .collect()
}

fn bucket(start: Timestamp, runs: &[&Run], occupancy_peak: u64, occupancy_mean: f64) -> Figures {
    let count = |class| runs.iter().filter(|run| run.class == class).count() as u64;
    let visits = || runs.iter().filter(|run| run.class == VisitClass::Visit);
    let uniques: BTreeSet<Subject> = visits().map(|visit| visit.subject).collect();
    let mut dwell: Vec<i64> = visits().map(|visit| visit.to.since(visit.from)).collect();
    dwell.sort_unstable();
    Figures {
        start,
        visits: count(VisitClass::Visit),
        uniques: uniques.len() as u64,
        bounces: count(VisitClass::Bounce),
        passers_by: count(VisitClass::PasserBy),
        dwell_median: median(&dwell).map(seconds),
        dwell_p90: nearest_rank(&dwell, 90).map(|ms| seconds(ms as f64)),
        occupancy_peak,
        occupancy_mean,
    }
}

fn seconds(ms: f64) -> f64 {
    ms / 1_000.0
}

/// The middle of sorted values, or half-way between the two in the middle.
fn median(sorted: &[i64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(f64::midpoint(sorted[last / 2] as f64, sorted[last.div_ceil(2)] as f64))
}

/// The smallest of sorted values that at least `percent` of a hundred do not exceed.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// How many spans are open, followed through time.
struct Occupancy {
    /// When the number changes and by how much; at one moment departures come first, so that a subject that passes
    /// from one zone into the next is one.
    changes: Vec<(Timestamp, i64)>,
    next: usize,
    level: i64,
}

impl Occupancy {
    fn over(spans: &[Span], known: Timestamp) -> Occupancy {
        let mut changes = Vec::with_capacity(spans.len() * 2);
        for span in spans {
            let to = span.to.min(known);
            if span.from < to {
                changes.extend([(span.from, 1), (to, -1)]);
            }
        }
        changes.sort_unstable();
        Occupancy { changes, next: 0, level: 0 }
    }

    /// Peak and time-weighted mean over `[start, end)`; buckets must come in order.
    fn of_bucket(&mut self, start: Timestamp, end: Timestamp) -> (u64, f64) {
        self.advance_to(start);
        let (mut peak, mut area, mut at) = (self.level, 0.0, start);
        if end <= start {
            return (0, 0.0);
        }
        while let Some(&(change, _)) = self.changes.get(self.next).filter(|(change, _)| *change < end) {
            area += self.level as f64 * change.since(at) as f64;
            at = change;
            self.advance_to(change);
            peak = peak.max(self.level);
        }
        area += self.level as f64 * end.since(at) as f64;
        (peak.unsigned_abs(), area / end.since(start) as f64)
    }

    /// Takes every change up to and including `at`.
    fn advance_to(&mut self, at: Timestamp) {
        while let Some((_, by)) = self.changes.get(self.next).filter(|(change, _)| *change <= at) {
            self.level += by;
            self.next += 1;
        }
    }
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
