//! What really happened, from the true positions and never from pings.
//!
//! It follows the contract's definitions to the letter, so that any difference to what the platform says is the
//! platform's, the radio's or the receivers'. Where adapters are deaf it is what could be heard, as `hearing.rs`
//! says; bad networks and clocks that can be corrected change nothing.

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

/// The true zones of one shopper, second by second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    from: i64,
    to: i64,
    zone: Option<usize>,
}

impl Track {
    /// The true track of a shopper.
    pub(crate) fn of(shopper: &Shopper, hearing: &Hearing<'_>) -> Self {
        let mut track = Self::default();
        for path in &shopper.outings {
            let (mut cursor, mut hint) = (0, None);
            for second in path.start().second()..=path.end().second() {
                let at = Timestamp(second * 1000);
                let place = path.place(at, &mut cursor);
                let zone = hearing.plan.zone_at(place, hint);
                hint = zone.or(hint);
                if let Ok(zone) = hearing.zone(at, place, zone) {
                    track.push(second, zone);
                }
            }
        }
        track
    }

    fn push(&mut self, second: i64, zone: Option<usize>) {
        match self.pieces.last_mut() {
            Some(piece) if piece.to + 1 == second && piece.zone == zone => piece.to = second,
            _ => self.pieces.push(Piece { from: second, to: second, zone }),
        }
    }

    /// Whether the shopper is in the venue in that second, and in which zone.
    pub fn zone_at(&self, second: i64) -> Option<Option<usize>> {
        let next = self.pieces.partition_point(|piece| piece.from <= second);
        let piece = self.pieces.get(next.checked_sub(1)?)?;
        (second <= piece.to).then_some(piece.zone)
    }

    /// The shopper's runs by the contract's definition.
    fn runs(&self, shopper: u32, plan: &FloorPlan) -> Vec<Run> {
        let mut runs: Vec<(Run, Seen)> = Vec::new();
        for piece in self.split_pieces() {
            let seen = Seen::of(piece.zone.map(|zone| plan.kind(zone)));
            match runs.last_mut() {
                Some((run, before)) if piece.from - run.to <= GAP_S && piece.from < run.from + SPLIT_S => {
                    run.to = piece.to;
                    *before = before.and(seen);
                }
                _ => {
                    runs.push((
                        Run { shopper, from: piece.from, to: piece.to, class: RunClass::Staff },
                        seen,
                    ));
                }
            }
        }
        let classed = |(run, seen): (Run, Seen)| Run { class: seen.class(run.to - run.from), ..run };
        runs.into_iter().map(classed).collect()
    }

    /// The pieces, cut where a run of them reaches the age at which it is split.
    fn split_pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        let (mut start, mut last) = (i64::MIN, i64::MIN);
        for piece in &self.pieces {
            let mut rest = *piece;
            if last == i64::MIN || rest.from - last > GAP_S {
                start = rest.from;
            }
            while rest.to >= start + SPLIT_S {
                let split = (start + SPLIT_S).max(rest.from);
                if split > rest.from {
                    pieces.push(Piece { to: split - 1, ..rest });
                }
                rest.from = split;
                start = split;
            }
            last = rest.to;
            pieces.push(rest);
        }
        pieces
    }
}

/// What kinds of zones a run has touched.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    interior: bool,
    passing: bool,
}

impl Seen {
    fn of(kind: Option<ZoneKind>) -> Self {
        let interior = kind == Some(ZoneKind::Interior);
        let passing = matches!(kind, Some(ZoneKind::Entrance | ZoneKind::Outside));
        Self { interior, passing }
    }

    fn and(self, other: Self) -> Self {
        Self { interior: self.interior || other.interior, passing: self.passing || other.passing }
    }

    fn class(self, length_s: i64) -> RunClass {
        match self {
            Self { interior: true, .. } if length_s >= VISIT_S => RunClass::Visit,
            Self { interior: true, .. } => RunClass::Bounce,
            Self { passing: true, .. } => RunClass::PasserBy,
            Self { .. } => RunClass::Staff,
        }
    }
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
        let bucket = |from, to| TrueBucket { clock: day.clock(from), ..TrueBucket::of(&runs, from, to) };
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
        }
    }
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
    use crate::scenario::Scenario;

    /// Runs of a track given as (first second, last second, zone name).
    fn runs(pieces: &[(i64, i64, &str)]) -> Vec<(i64, i64, RunClass)> {
        let mut scenario = Scenario::shipped("quiet").unwrap();
        scenario.zones[1].kind = ZoneKind::Staff;
        let names = ["street", "store room", "shop"];
        let kinds = [ZoneKind::Outside, ZoneKind::Staff, ZoneKind::Interior];
        for ((zone, name), kind) in scenario.zones.iter_mut().zip(names).zip(kinds) {
            (zone.name, zone.kind) = (name.to_owned(), kind);
        }
        let plan = FloorPlan::new(&scenario);
        let mut track = Track::default();
        for (from, to, zone) in pieces {
            for second in *from..=*to {
                track.push(second, scenario.zone(zone));
            }
        }
        track.runs(0, &plan).iter().map(|run| (run.from, run.to, run.class)).collect()
    }

    #[test]
    fn classes_follow_the_contract() {
        assert_eq!(runs(&[(0, 200, "street")]), [(0, 200, RunClass::PasserBy)]);
        assert_eq!(runs(&[(0, 60, "street"), (61, 119, "shop")]), [(0, 119, RunClass::Bounce)]);
        assert_eq!(runs(&[(0, 60, "street"), (61, 120, "shop")]), [(0, 120, RunClass::Visit)]);
        assert_eq!(runs(&[(0, 900, "store room")]), [(0, 900, RunClass::Staff)]);
    }

    #[test]
    fn gaps_longer_than_fifteen_minutes_part_runs() {
        let joined = runs(&[(0, 200, "shop"), (1_100, 1_300, "street")]);
        assert_eq!(joined, [(0, 1_300, RunClass::Visit)]);
        let parted = runs(&[(0, 200, "shop"), (1_101, 1_300, "street")]);
        assert_eq!(parted, [(0, 200, RunClass::Visit), (1_101, 1_300, RunClass::PasserBy)]);
    }

    #[test]
    fn runs_are_split_at_four_hours() {
        let split = runs(&[(0, 40_000, "shop")]);
        let expected = [(0, 14_399), (14_400, 28_799), (28_800, 40_000)];
        assert_eq!(split, expected.map(|(from, to)| (from, to, RunClass::Visit)));
    }

    #[test]
    fn a_track_tells_zone_and_absence() {
        let mut track = Track::default();
        for (second, zone) in [(10, Some(1)), (11, Some(1)), (12, None), (20, Some(2))] {
            track.push(second, zone);
        }
        let at = [9, 11, 12, 13, 20, 21].map(|second| track.zone_at(second));
        assert_eq!(at, [None, Some(Some(1)), Some(None), None, Some(Some(2)), None]);
    }

    #[test]
    fn the_median_of_an_even_count_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![5, 1, 9]), Some(5.0));
        assert_eq!(median(vec![1, 4]), Some(2.5));
    }
}
