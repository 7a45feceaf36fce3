//! What a tracker knows beyond its waiting sightings, in a form that means the same to every tracker.

use std::sync::Arc;

use protocol::{DeviceId, Subject, Timestamp, VenueId};

use super::anchors::NOWHERE;
use super::subjects::{Follow, UNSET};
use super::{InForce, Tracker};
use crate::signal::{Level, Signals};
use crate::visit::Run;
use crate::zone::{Chooser, Rival};
use crate::{AnchorKey, Timeline};

/// Everything processed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// The first second that is not processed.
    pub(crate) base: i64,
    /// The newest event time before that second.
    pub(crate) newest: Option<Timestamp>,
    /// All open runs, by subject.
    pub(crate) subjects: Vec<SubjectState>,
}

/// One open run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubjectState {
    pub(crate) subject: Subject,
    pub(crate) run: Run,
    pub(crate) rival: Option<Rival>,
    /// Anchor, second it was last heard in, and level then in dBm; by anchor.
    pub(crate) levels: Vec<(DeviceId, i64, f32)>,
}

impl Tracker {
    pub(crate) fn state(&self) -> State {
        let mut subjects: Vec<_> =
            self.subjects.open().map(|(follow, run)| self.subject_state(follow, run)).collect();
        subjects.sort_unstable_by_key(|state| state.subject);
        // What is newer still waits, and is pushed again after a restore.
        let newest = self.newest.map(|newest| newest.min(self.watermark().minus(1)));
        State { base: self.base, newest, subjects }
    }

    pub(crate) fn from_state(venue: VenueId, timeline: Arc<Timeline>, state: State) -> Self {
        let mut tracker = Self::beginning(venue, timeline, state.base);
        tracker.newest = state.newest;
        // Settings of the first unprocessed second decide when its runs end.
        tracker.in_force = InForce::at(&tracker.timeline, state.base, &[]);
        for subject in state.subjects {
            tracker.install(subject);
        }
        tracker
    }

    /// Goes on with an open run of a subject that has none.
    pub(super) fn install(&mut self, state: SubjectState) {
        let SubjectState { subject, run, rival, levels } = state;
        let levels = levels.into_iter().map(|(device, second, dbm)| (self.anchor(device), second, dbm));
        let levels = levels.map(|(anchor, second, dbm)| Level { anchor, second, dbm });
        let levels: Vec<_> = levels.filter(|level| level.anchor != NOWHERE).collect();
        let slot = self.subjects.slot(subject);
        let current = run.present();
        if let Some(zone) = current {
            *self.occupied.entry(zone).or_default() += 1;
        }
        let timer = self.timers.set(self.base, run.next_end(&self.in_force.settings).second(), slot);
        let follow = self.subjects.get(slot);
        follow.signals = Signals::from_state(levels);
        follow.chooser = Chooser { current, rival };
        follow.run = Some(run);
        follow.timer = timer;
    }

    /// Forgets the open run of a subject as if it had not been heard.
    pub(super) fn forget(&mut self, subject: Subject) -> Option<Run> {
        let slot = self.subjects.find(subject)?;
        let follow = self.subjects.get(slot);
        follow.signals.reset();
        follow.chooser.reset();
        follow.timer = UNSET;
        let run = follow.run.take();
        if let Some(zone) = run.as_ref().and_then(Run::present)
            && let Some(count) = self.occupied.get_mut(&zone)
        {
            *count -= 1;
            if *count == 0 {
                self.occupied.remove(&zone);
            }
        }
        self.subjects.release(slot, self.base);
        run
    }

    fn subject_state(&self, follow: &Follow, run: &Run) -> SubjectState {
        let device = |key: AnchorKey| self.anchors.devices()[usize::from(key.0)];
        let levels = follow.signals.state().iter();
        let mut levels: Vec<_> =
            levels.map(|level| (device(level.anchor), level.second, level.dbm)).collect();
        levels.sort_unstable_by_key(|(device, ..)| *device);
        SubjectState { subject: follow.subject, run: run.clone(), rival: follow.chooser.rival, levels }
    }
}
