//! What really happened, from the true positions and never from pings.
//!
//! It follows the contract's definitions to the letter, so that any difference to what the platform says is the
//! platform's, the radio's or the receivers'. Where adapters are deaf it is what could be heard, as `hearing.rs`
//! says; bad networks and clocks that can be corrected change nothing.

mod track;

pub use track::Track;

use crate::day::{Day, HOUR_MS};
use crate::hearing::Hearing;
use crate::walker::{FloorPlan, Shopper};
use protocol::{Timestamp, ZoneKind};

/// A run of presence ends when nothing is seen for longer than this, seconds.
pub const GAP_S: i64 = 15 * 60;

/// A run that reached the interior is a visit from this length on, seconds; shorter it is a bounce.
pub const VISIT_S: i64 = 120;

/// A run is split at this age, seconds.
pub const SPLIT_S: i64 = 4 * 3600;

/// The day as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Each hour of the day, in order.
    pub hours: Vec<TrueBucket>,
    /// The whole day.
    pub day: TrueBucket,
    /// Every run of presence, by its start.
    pub runs: Vec<Run>,
    /// Where each shopper was.
    pub tracks: Vec<Track>,
}

/// The true numbers of a stretch of time; a run belongs to the one it starts in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrueBucket {
    /// When it starts.
    pub start: Timestamp,
    /// When it starts on the venue's clock, `HH:MM`.
    pub clock: String,
    /// Runs that are visits.
    pub visits: u64,
    /// Different people with a visit.
    pub uniques: u64,
    /// Runs that are bounces.
    pub bounces: u64,
    /// Runs that never reached the interior.
    pub passers_by: u64,
    /// Median length of the visits, seconds; the mean of the middle two when there are two. `None` without visits.
    pub dwell_median_s: Option<f64>,
    /// How many people were inside, on average over the time, whether they can be counted or not.
    pub occupancy_mean: f64,
}

/// A run of presence of one shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The shopper's number.
    pub shopper: u32,
    /// The first second they were there.
    pub from: i64,
    /// The last second they were there.
    pub to: i64,
    /// What it is.
    pub class: RunClass,
}

/// What a run of presence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunClass {
    /// Reached the interior and lasted.
    Visit,
    /// Reached the interior only shortly.
    Bounce,
    /// Never reached the interior.
    PasserBy,
    /// Was in staff zones only; never counted.
    Staff,
}

impl Truth {
    /// Works out the truth of a day.
    pub(crate) fn of(shoppers: &[Shopper], hearing: &Hearing<'_>, day: &Day) -> Self {
        let plan = hearing.plan;
        let tracks: Vec<Track> = shoppers.iter().map(|shopper| Track::of(shopper, hearing)).collect();
        let countable = shoppers.iter().zip(&tracks).filter(|(shopper, _)| shopper.is_countable());
        let mut runs: Vec<Run> =
            countable.flat_map(|(shopper, track)| track.runs(shopper.number, plan)).collect();
        runs.sort_by_key(|run| (run.from, run.shopper));
        let times = inside(&tracks, plan);
        let bucket = |from: Timestamp, to| TrueBucket {
            clock: day.clock(from),
            occupancy_mean: mean(&times, from, to),
            ..TrueBucket::of(&runs, from, to)
        };
        let hours = day.hours().into_iter().map(|(start, _)| bucket(start, start.plus(HOUR_MS))).collect();
        Self { hours, day: bucket(day.from, day.to), runs, tracks }
    }
}

impl TrueBucket {
    /// The numbers of all runs that start in [from, to).
    fn of(runs: &[Run], from: Timestamp, to: Timestamp) -> Self {
        let within: Vec<&Run> =
            runs.iter().filter(|run| (from.0..to.0).contains(&(run.from * 1000))).collect();
        let count = |class| within.iter().filter(|run| run.class == class).count() as u64;
        let visits: Vec<&&Run> = within.iter().filter(|run| run.class == RunClass::Visit).collect();
        let mut people: Vec<u32> = visits.iter().map(|run| run.shopper).collect();
        people.sort_unstable();
        people.dedup();
        Self {
            start: from,
            clock: String::new(),
            visits: visits.len() as u64,
            uniques: people.len() as u64,
            bounces: count(RunClass::Bounce),
            passers_by: count(RunClass::PasserBy),
            dwell_median_s: median(visits.iter().map(|run| run.to - run.from).collect()),
            occupancy_mean: 0.0,
        }
    }
}

/// The times, in whole seconds and half-open, that somebody was inside: in an entrance or an interior zone.
fn inside(tracks: &[Track], plan: &FloorPlan) -> Vec<(i64, i64)> {
    let counts = |zone| matches!(plan.kind(zone), ZoneKind::Entrance | ZoneKind::Interior);
    tracks.iter().flat_map(|track| track.times(counts)).collect()
}

/// How many of these times go on in [from, to), on average.
fn mean(times: &[(i64, i64)], from: Timestamp, to: Timestamp) -> f64 {
    let (from, to) = (from.second(), to.second());
    let within = times.iter().map(|(begins, ends)| (ends.min(&to) - begins.max(&from)).max(0));
    within.sum::<i64>() as f64 / (to - from) as f64
}

fn median(mut values: Vec<i64>) -> Option<f64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![5, 1, 9]), Some(5.0));
        assert_eq!(median(vec![1, 4]), Some(2.5));
    }

    #[test]
    fn occupancy_is_a_mean_over_the_time() {
        let times = [(0, 10), (5, 15), (20, 30)];
        let mean = |from: i64, to: i64| mean(&times, Timestamp(from * 1_000), Timestamp(to * 1_000));
        let expected = [(0, 20, 1.0), (5, 10, 2.0), (15, 20, 0.0), (29, 39, 0.1)];
        for (from, to, people) in expected {
            assert!((mean(from, to) - people).abs() < 1e-9, "{from} to {to}: {}", mean(from, to));
        }
    }
}
