//! What a database would hold after writing what a tracker gives.

use std::collections::{BTreeMap, BTreeSet};

use presence::{Changes, Recomputed, Stay, Visit};
use protocol::{StayId, VisitId, ZoneId};

use crate::reference::{PlainStay, PlainVisit};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) stays: BTreeMap<StayId, Stay>,
    pub(crate) visits: BTreeMap<VisitId, Visit>,
}

impl Rows {
    /// Writes and empties changes.
    pub(crate) fn write(&mut self, changes: &mut Changes) {
        changes.movements.clear();
        self.stays.extend(changes.stays.drain(..).map(|stay| (stay.id, stay)));
        self.visits.extend(changes.visits.drain(..).map(|visit| (visit.id, visit)));
    }

    /// Puts a recomputed day in the place of what was there.
    pub(crate) fn replace(&mut self, day: &Recomputed) {
        let gone = |visit: &Visit| {
            visit.day == day.day.from
                && day.subjects.as_ref().is_none_or(|some| some.contains(&visit.subject))
        };
        let gone: BTreeSet<VisitId> =
            self.visits.values().filter(|visit| gone(visit)).map(|visit| visit.id).collect();
        self.visits.retain(|id, _| !gone.contains(id));
        self.stays.retain(|_, stay| !gone.contains(&stay.visit));
        self.stays.extend(day.stays.iter().map(|stay| (stay.id, *stay)));
        self.visits.extend(day.visits.iter().map(|visit| (visit.id, *visit)));
    }

    /// Open stays by zone.
    pub(crate) fn occupied(&self) -> BTreeMap<ZoneId, u32> {
        let mut zones = BTreeMap::new();
        for stay in self.stays.values().filter(|stay| stay.open) {
            *zones.entry(stay.zone).or_default() += 1;
        }
        zones
    }

    pub(crate) fn plain(&self) -> (BTreeSet<PlainStay>, BTreeSet<PlainVisit>) {
        let stays = self.stays.values().map(|stay| (stay.subject, stay.zone, stay.from, stay.to));
        let visits = self.visits.values().map(|run| (run.subject, run.from, run.to, run.class, run.day));
        (stays.collect(), visits.collect())
    }
}
