//! Where somebody was, second by second, and which runs of presence that makes.

use super::{GAP_S, Run, RunClass, SPLIT_S, VISIT_S};
use crate::hearing::Hearing;
use crate::walker::{FloorPlan, Shopper};
use protocol::{Timestamp, ZoneKind};

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

    /// The times, in whole seconds and half-open, in zones that count.
    pub(super) fn times(&self, counts: impl Fn(usize) -> bool) -> impl Iterator<Item = (i64, i64)> {
        let within = self.pieces.iter().filter(move |piece| piece.zone.is_some_and(&counts));
        within.map(|piece| (piece.from, piece.to + 1))
    }

    /// The shopper's runs by the contract's definition.
    pub(super) fn runs(&self, shopper: u32, plan: &FloorPlan) -> Vec<Run> {
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
}
