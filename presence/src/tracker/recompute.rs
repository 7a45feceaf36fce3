//! A day made anew, and going on from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Subject;

use super::{Recomputed, Tracker};
use crate::visit::Record;
use crate::{Changes, Day, PackedSighting, Sighting, Stay, Visit};

impl Tracker {
    /// Makes a day anew up to the watermark, for some subjects or for all, from all their sightings on that day. Other
    /// sightings (of other subjects, other days, at or after the watermark) are passed over, so a caller may give more.
    ///
    /// Days do not depend on each other, as every run ends with its day.
    pub fn recompute(
        &self,
        day: Day,
        subjects: Option<&BTreeSet<Subject>>,
        sightings: impl IntoIterator<Item = Sighting>,
    ) -> Recomputed {
        let until = day.to.min(self.watermark());
        let mut scratch = Self::beginning(self.venue, Arc::clone(&self.timeline), day.from.second());
        for sighting in sightings {
            let Sighting { at, subject, anchor, rssi, transient } = sighting;
            if day.from <= at && at < until && subjects.is_none_or(|some| some.contains(&subject)) {
                let anchor = scratch.anchor(anchor);
                scratch.push(&PackedSighting { at, subject, anchor, rssi, transient });
            }
        }
        let mut changes = Changes::default();
        scratch.advance(until, &mut changes);
        scratch.show_open(&mut changes);
        changes.coalesce();
        let Changes { mut stays, mut visits, .. } = changes;
        stays.sort_unstable_by_key(|stay| (stay.subject, stay.from));
        visits.sort_unstable_by_key(|visit| (visit.subject, visit.from));
        let live = scratch.state().subjects;
        Recomputed { day, subjects: subjects.cloned(), stays, visits, watermark: self.watermark(), live }
    }

    /// Goes on from a recomputed day: if it is the open one, its subjects stand where the recomputation left them, and
    /// occupancy with them. Nothing is told: movements are news, and this is not.
    ///
    /// Gives false, and changes nothing, if the tracker was advanced in that day since: then recompute it again.
    #[must_use = "a day that was not adopted has to be recomputed again"]
    pub fn adopt(&mut self, recomputed: &Recomputed) -> bool {
        let Recomputed { day, subjects, watermark, live, .. } = recomputed;
        if day.to <= *watermark {
            return true;
        }
        if *watermark != self.watermark() {
            return false;
        }
        let replaced: BTreeSet<Subject> = match subjects {
            Some(some) => some.clone(),
            None => self.subjects.open().map(|(follow, _)| follow.subject).collect(),
        };
        let mut told = BTreeMap::new();
        for subject in replaced {
            if let Some(run) = self.forget(subject) {
                told.insert(subject, (run.from, run.announced));
            }
        }
        for state in live {
            let mut state = state.clone();
            // A visit is told once: not again if it was, and at the next sighting if it was not.
            state.run.announced = told.get(&state.subject) == Some(&(state.run.from, true));
            self.install(state);
        }
        true
    }

    /// Shows all open rows as they are now.
    fn show_open(&mut self, changes: &mut Changes) {
        for (_, follow) in self.subjects.followed() {
            let Some(run) = &mut follow.run else { continue };
            run.show_open(&mut Record {
                venue: self.venue,
                subject: follow.subject,
                changes,
                occupied: &mut self.occupied,
            });
        }
    }
}

impl Recomputed {
    /// A day that is over, with these rows: nothing of it is still going on.
    pub fn closed(
        day: Day,
        subjects: Option<BTreeSet<Subject>>,
        stays: Vec<Stay>,
        visits: Vec<Visit>,
    ) -> Self {
        Self { day, subjects, stays, visits, watermark: day.to, live: Vec::new() }
    }
}
