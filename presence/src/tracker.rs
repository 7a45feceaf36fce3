//! The tracker of one venue: takes sightings in any order, processes them in event time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{DeviceId, Subject, Timestamp, VenueId, ZoneId};

use self::anchors::Anchors;
use self::in_force::InForce;
use self::late::Late;
use self::pending::{Entry, Pending};
use self::subjects::Subjects;
use self::timers::Timers;
use crate::signal::Reading;
use crate::{AnchorKey, Changes, Day, Occupancy, PackedSighting, Stay, Timeline, Visit};

mod anchors;
mod in_force;
mod late;
mod pending;
mod recompute;
mod second;
mod state;
mod subjects;
mod timers;

pub use self::recompute::Recomputation;
pub(crate) use self::state::{State, SubjectState};

/// Follows all subjects of one venue.
///
/// What it gives is a function of the sightings before the watermark and of the timeline: it depends neither on the order
/// and the chunks in which they were pushed, nor on repeats of the same (subject, anchor, time, RSSI), nor on how often it
/// was advanced or stored and restored in between.
#[derive(Clone, Debug)]
pub struct Tracker {
    venue: VenueId,
    timeline: Arc<Timeline>,
    /// The first second that is not processed.
    base: i64,
    newest: Option<Timestamp>,
    anchors: Anchors,
    subjects: Subjects,
    pending: Pending,
    timers: Timers,
    in_force: InForce,
    late: Late,
    occupied: BTreeMap<ZoneId, u32>,
    /// The day of the last run that began, so that the calendar is rarely asked.
    today: Day,
    /// Room for the readings and values of one subject's second.
    readings: Vec<Reading>,
    values: Vec<i16>,
}

/// What became of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits until the watermark has passed its second.
    Pending,
    /// Its second was already processed; its day and subject are marked for recomputing.
    Late,
}

/// What late sightings make wrong: one subject on one day, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The venue's day.
    pub day: Day,
    /// The subject; none means all.
    pub subject: Option<Subject>,
}

/// A day made anew from its sightings: the full set of rows of these subjects on that day. A row that is not in it no
/// longer exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    /// The venue's day.
    pub day: Day,
    /// The subjects it is about; none means all.
    pub subjects: Option<BTreeSet<Subject>>,
    /// All stays, by subject and time.
    pub stays: Vec<Stay>,
    /// All runs, by subject and time.
    pub visits: Vec<Visit>,
    /// The watermark it was made for.
    watermark: Timestamp,
    /// What is still going on at the watermark.
    live: Vec<SubjectState>,
}

impl Tracker {
    /// A tracker that has processed nothing: no sighting is late for it until it is first advanced.
    pub fn new(venue: VenueId, timeline: Arc<Timeline>) -> Self {
        Self::beginning(venue, timeline, i64::MIN / 1_000)
    }

    fn beginning(venue: VenueId, timeline: Arc<Timeline>, base: i64) -> Self {
        Self {
            venue,
            in_force: InForce::none(&timeline),
            timeline,
            base,
            newest: None,
            anchors: Anchors::default(),
            subjects: Subjects::default(),
            pending: Pending::default(),
            timers: Timers::default(),
            late: Late::default(),
            occupied: BTreeMap::new(),
            today: Day { from: Timestamp(0), to: Timestamp(0) },
            readings: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The key of an anchor in this tracker. Looking it up costs more than pushing a sighting: do it once per segment.
    ///
    /// A venue has room for 65,535 anchors over the life of a tracker; later ones share a key that is never heard.
    pub fn anchor(&mut self, device: DeviceId) -> AnchorKey {
        let key = self.anchors.key(device);
        self.in_force.extend(&self.timeline, self.anchors.devices());
        key
    }

    /// Takes a sighting, which is processed once the watermark has passed its second.
    pub fn push(&mut self, sighting: &PackedSighting) -> Pushed {
        let PackedSighting { at, subject, anchor, rssi, transient } = *sighting;
        self.newest = self.newest.max(Some(at));
        let second = at.second();
        if second < self.base {
            self.late.mark(&self.timeline, at, subject);
            return Pushed::Late;
        }
        let slot = self.subjects.slot(subject);
        self.subjects.wait(slot, second);
        self.pending.push(self.base, second, Entry::pack(slot, anchor, at, rssi, transient));
        Pushed::Pending
    }

    /// Everything before this whole second is processed.
    pub fn watermark(&self) -> Timestamp {
        Timestamp(self.base * 1_000)
    }

    /// The newest event time that was pushed, late or not.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Processes every whole second that ends at or before `to`, which becomes the watermark; never goes back.
    pub fn advance(&mut self, to: Timestamp, changes: &mut Changes) {
        let target = to.second();
        while self.base < target {
            if self.timers.is_empty() {
                // Nothing is open, so nothing can happen before the next sighting.
                let next = self.pending.first(self.base).map_or(target, |second| second.min(target));
                self.pending.skip(self.base, next);
                self.base = next;
                if next == target {
                    break;
                }
            }
            self.process_second(changes);
        }
    }

    /// The days and subjects marked by late sightings since the last call.
    pub fn take_late(&mut self) -> Vec<Window> {
        self.late.take()
    }

    /// Goes on with another timeline. It must not differ before the watermark, or the days from its first difference on
    /// have to be recomputed.
    pub fn set_timeline(&mut self, timeline: Arc<Timeline>) {
        self.timeline = timeline;
        self.in_force = InForce::none(&self.timeline);
        self.today = Day { from: Timestamp(0), to: Timestamp(0) };
        for (_, follow) in self.subjects.followed() {
            if let Some(run) = &mut follow.run {
                let day = self.timeline.day(run.from);
                let longest = self.timeline.at(run.from).settings.visit.longest_ms;
                run.until = day.to.min(run.from.plus(longest));
                run.day = day.from;
            }
        }
    }

    /// How many subjects are in each zone, at the watermark.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy { at: self.watermark(), total: self.occupied.values().sum(), zones: self.occupied.clone() }
    }

    /// The venue it follows.
    pub fn venue(&self) -> VenueId {
        self.venue
    }
}
