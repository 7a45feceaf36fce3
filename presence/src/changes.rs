//! What comes out of a tracker: rows to be written and movements to be told.

use std::collections::HashMap;
use std::hash::Hash;

use protocol::{Movement, StayId, Subject, Timestamp, VisitId, ZoneId};

/// Rows that began, closed or changed, in the order in which it happened. A row appears whenever it begins, changes its
/// class or closes, and otherwise when its `to` is a minute further than in its last appearance. Ids are stable, so
/// writing a row is an upsert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Stays to be written.
    pub stays: Vec<Stay>,
    /// Visits to be written.
    pub visits: Vec<Visit>,
    /// Live notices, each told once.
    pub movements: Vec<Movement>,
}

/// A subject in one zone. Stays of one subject never overlap, each lies inside one visit, and those of a visit leave no gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Derived from venue, subject and `from`.
    pub id: StayId,
    /// The visit it is part of.
    pub visit: VisitId,
    /// Who.
    pub subject: Subject,
    /// Where.
    pub zone: ZoneId,
    /// The subject's first sighting in the second in which the zone was decided.
    pub from: Timestamp,
    /// The subject's next sighting in another zone if there is one in the same visit, as it is taken to be where it was seen
    /// last; else its last sighting, or the last one so far.
    pub to: Timestamp,
    /// Whether the subject was heard lately. A stay that is not open goes on if the subject is heard there next in the same
    /// visit, and reaches further if it is heard elsewhere.
    pub open: bool,
}

/// A run of sightings of a subject in the venue. It counts by its class from the moment it has it, open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Derived from venue, subject and `from`.
    pub id: VisitId,
    /// Who.
    pub subject: Subject,
    /// The first sighting of the run.
    pub from: Timestamp,
    /// The last sighting of the run, or so far.
    pub to: Timestamp,
    /// What the run is so far.
    pub class: VisitClass,
    /// Whether it may still go on.
    pub open: bool,
    /// The start of the venue's day it belongs to.
    pub day: Timestamp,
}

/// What a run of sightings is. Every run is exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VisitClass {
    /// Reached the interior and lasted at least the shortest length of a visit.
    Visit,
    /// Reached the interior, but for less than that.
    Bounce,
    /// Never reached the interior: entrance or outside only.
    PasserBy,
    /// Was in staff zones only.
    Staff,
    /// A private random address: feeds occupancy only.
    Transient,
}

impl Changes {
    /// Whether there is nothing to write and nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.stays.is_empty() && self.visits.is_empty() && self.movements.is_empty()
    }

    /// Keeps only the last form of each row, so that a long catch-up writes each row once.
    pub fn coalesce(&mut self) {
        keep_last(&mut self.stays, |stay| stay.id);
        keep_last(&mut self.visits, |visit| visit.id);
    }
}

fn keep_last<T, K: Eq + Hash>(rows: &mut Vec<T>, id: impl Fn(&T) -> K) {
    let last: HashMap<K, usize> = rows.iter().enumerate().map(|(index, row)| (id(row), index)).collect();
    let mut index = 0;
    rows.retain(|row| {
        index += 1;
        last[&id(row)] == index - 1
    });
}
