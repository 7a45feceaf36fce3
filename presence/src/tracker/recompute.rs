//! A day made anew, and going on from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{Subject, Timestamp};

use super::{Recomputed, Tracker};
use crate::visit::Record;
use crate::{Changes, Day, PackedSighting, Sighting, Stay, Visit};

/// A day that is being made anew. A sighting is kept in the eight bytes in which it waits for its second, so a day of many
/// millions fits into memory.
#[derive(Debug)]
pub struct Recomputation {
    day: Day,
    subjects: Option<BTreeSet<Subject>>,
    /// The end of what is made anew: that of the day, or the watermark.
    until: Timestamp,
    watermark: Timestamp,
    scratch: Tracker,
}

impl Recomputation {
    /// Takes a sighting, in any order. Those of other subjects, other days, at or after the watermark are passed over, so a
    /// caller may give more.
    pub fn push(&mut self, sighting: Sighting) {
        let Sighting { at, subject, anchor, rssi, transient } = sighting;
        let is_wanted = self.subjects.as_ref().is_none_or(|some| some.contains(&subject));
        if self.day.from <= at && at < self.until && is_wanted {
            let anchor = self.scratch.anchor(anchor);
            self.scratch.push(&PackedSighting { at, subject, anchor, rssi, transient });
        }
    }

    /// The day as all sightings together make it.
    pub fn finish(mut self) -> Recomputed {
        let mut changes = Changes::default();
        self.scratch.advance(self.until, &mut changes);
        self.scratch.show_open(&mut changes);
        changes.coalesce();
        let Changes { mut stays, mut visits, .. } = changes;
        stays.sort_unstable_by_key(|stay| (stay.subject, stay.from));
        visits.sort_unstable_by_key(|visit| (visit.subject, visit.from));
        let live = self.scratch.state().subjects;
        let Self { day, subjects, watermark, .. } = self;
        Recomputed { day, subjects, stays, visits, watermark, live }
    }
}

impl Tracker {
    /// Begins to make a day anew up to the watermark, for some subjects or for all; give it all their sightings on that day.
    ///
    /// Days do not depend on each other, as every run ends with its day.
    pub fn recomputation(&self, day: Day, subjects: Option<BTreeSet<Subject>>) -> Recomputation {
        let watermark = self.watermark();
        let scratch = Self::beginning(self.venue, Arc::clone(&self.timeline), day.from.second());
        Recomputation { day, subjects, until: day.to.min(watermark), watermark, scratch }
    }

    /// Makes a day anew from sightings that are at hand.
    pub fn recompute(
        &self,
        day: Day,
        subjects: Option<&BTreeSet<Subject>>,
        sightings: impl IntoIterator<Item = Sighting>,
    ) -> Recomputed {
        let mut recomputation = self.recomputation(day, subjects.cloned());
        sightings.into_iter().for_each(|sighting| recomputation.push(sighting));
        recomputation.finish()
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
