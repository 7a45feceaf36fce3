//! Tallies and paths from runs and stays.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Subject, Timestamp, VisitId, ZoneId};

use super::level::Level;
use super::{Paths, Tally};
use crate::VisitClass;

/// A visit that is at least this long is engaged, in milliseconds.
const ENGAGED_MS: i64 = 600_000;
/// A stay counts as one in its zone from this length on, in milliseconds; shorter ones pass through.
const ZONE_STAY_MS: i64 = 30_000;

/// A run of sightings of a subject.
#[derive(Clone, Copy, Debug)]
pub struct ObservedRun {
    /// Its id, by which its stays name it.
    pub id: VisitId,
    /// Who.
    pub subject: Subject,
    /// The first sighting; the run belongs to the span of this time.
    pub from: Timestamp,
    /// The last sighting.
    pub to: Timestamp,
    /// What it is so far.
    pub class: VisitClass,
    /// Whether the subject had a visit on an earlier day.
    pub returning: bool,
}

/// A subject in one zone.
#[derive(Clone, Copy, Debug)]
pub struct ObservedStay {
    /// The run it is part of.
    pub run: VisitId,
    /// What that run is so far.
    pub class: VisitClass,
    /// Where.
    pub zone: ZoneId,
    /// Whether the zone was of a kind that counts as inside.
    pub inside: bool,
    /// Whether the zone was for staff.
    pub staff: bool,
    /// The first sighting.
    pub from: Timestamp,
    /// The last sighting.
    pub to: Timestamp,
}

/// The runs that began in a span of time and all of their stays, and whatever other stays have a part in it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The runs.
    pub runs: Vec<ObservedRun>,
    /// The stays.
    pub stays: Vec<ObservedStay>,
}

impl Observed {
    /// The tallies of consecutive spans that begin at `starts`, the last of which ends at `end`: of the whole venue, or of
    /// a zone, for which only runs that touch it count. Occupancy is known until `known`.
    pub fn tallies(
        &self,
        place: Option<ZoneId>,
        starts: &[Timestamp],
        end: Timestamp,
        known: Timestamp,
    ) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); starts.len()];
        let span = |at: Timestamp| {
            let index = starts.partition_point(|start| *start <= at).checked_sub(1)?;
            (at < end).then_some(index)
        };
        let there = |stay: &&ObservedStay| place.map_or(stay.inside, |zone| stay.zone == zone);
        let touching: BTreeSet<VisitId> = match place {
            Some(_) => self.stays.iter().filter(there).map(|stay| stay.run).collect(),
            None => BTreeSet::new(),
        };
        for run in self.runs.iter().filter(|run| place.is_none() || touching.contains(&run.id)) {
            if let Some(index) = span(run.from) {
                tallies[index].count(run);
            }
        }
        for stay in self.stays.iter().filter(there) {
            let Some(index) = span(stay.from) else { continue };
            if is_counted(stay.class) && stay.to.since(stay.from) >= ZONE_STAY_MS {
                tallies[index].zone_stays += 1;
            }
        }
        let mut level = Level::over(self.stays.iter().filter(there).map(|stay| (stay.from, stay.to)), known);
        let ends = starts.iter().skip(1).copied().chain([end]);
        for ((tally, start), end) in tallies.iter_mut().zip(starts).zip(ends) {
            (tally.peak, tally.occupied_ms) = level.within(*start, end.min(known));
        }
        tallies
    }

    /// The paths of the visits that began in `[from, to)`.
    pub fn paths(&self, from: Timestamp, to: Timestamp) -> Paths {
        let mut stays: BTreeMap<VisitId, Vec<&ObservedStay>> = BTreeMap::new();
        for stay in self.stays.iter().filter(|stay| !stay.staff && stay.to.since(stay.from) >= ZONE_STAY_MS) {
            stays.entry(stay.run).or_default().push(stay);
        }
        let mut paths = Paths::default();
        for run in self.runs.iter().filter(|run| run.class == VisitClass::Visit) {
            if from <= run.from && run.from < to {
                let mut stays = stays.remove(&run.id).unwrap_or_default();
                stays.sort_unstable_by_key(|stay| (stay.from, stay.zone));
                paths.insert(stays.iter().map(|stay| stay.zone));
            }
        }
        paths
    }

    /// Every zone that anybody was in.
    pub fn zones(&self) -> BTreeSet<ZoneId> {
        self.stays.iter().map(|stay| stay.zone).collect()
    }
}

impl Tally {
    fn count(&mut self, run: &ObservedRun) {
        match run.class {
            VisitClass::Visit => {
                let length = run.to.since(run.from);
                self.dwell.insert(length);
                self.uniques.insert(run.subject);
                self.engaged += u64::from(length >= ENGAGED_MS);
                self.returning += u64::from(run.returning);
            }
            VisitClass::Bounce => self.bounces += 1,
            VisitClass::PasserBy => self.passers_by += 1,
            VisitClass::Staff | VisitClass::Transient => {}
        }
    }
}

/// Staff never counts, and private random addresses feed occupancy only.
fn is_counted(class: VisitClass) -> bool {
    matches!(class, VisitClass::Visit | VisitClass::Bounce | VisitClass::PasserBy)
}

#[cfg(test)]
#[path = "counting_tests.rs"]
mod tests;
