//! A venue's configuration over time.

use protocol::Timestamp;
use thiserror::Error;

use crate::{Day, Layout, SettingsError};

/// The versions of a venue's [`Layout`] by event time. The first one holds for all earlier time too.
#[derive(Clone, Debug)]
pub struct Timeline {
    versions: Vec<(Timestamp, Layout)>,
}

/// Why a list of versions makes no timeline.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimelineError {
    /// There has to be at least one version.
    #[error("a timeline needs at least one version")]
    Empty,
    /// A version has a parameter that is out of range.
    #[error("the version of {} ms: {error}", at.0)]
    Settings {
        /// The time from which that version would hold.
        at: Timestamp,
        /// Which parameter it is.
        error: SettingsError,
    },
}

impl Timeline {
    /// Makes a timeline of versions and the times from which they hold, in any order. Of two versions for the same
    /// time the later one in the list holds.
    pub fn new(mut versions: Vec<(Timestamp, Layout)>) -> Result<Self, TimelineError> {
        versions.sort_by_key(|(at, _)| *at);
        let mut kept: Vec<(Timestamp, Layout)> = Vec::with_capacity(versions.len());
        for (at, layout) in versions {
            layout.settings.validate().map_err(|error| TimelineError::Settings { at, error })?;
            if kept.last().is_some_and(|(last, _)| *last == at) {
                kept.pop();
            }
            kept.push((at, layout));
        }
        if kept.is_empty() { Err(TimelineError::Empty) } else { Ok(Self { versions: kept }) }
    }

    /// The version in force at `at`.
    pub fn at(&self, at: Timestamp) -> &Layout {
        &self.versions[self.index(at)].1
    }

    /// The venue's day that `at` lies in, by the calendar in force at the start of its second. A change of calendar ends
    /// a day and begins another, so days never overlap and cover all time; they begin and end on whole seconds.
    pub fn day(&self, at: Timestamp) -> Day {
        let at = Timestamp(at.second().saturating_mul(1_000));
        let index = self.index(at);
        let calendar = &self.versions[index].1.calendar;
        let mut day = calendar.day(at);
        let changed = |other: &&(Timestamp, Layout)| other.1.calendar != *calendar;
        if let Some((until, _)) = self.versions[index..].iter().find(changed) {
            day.to = day.to.min(whole_second_from(*until));
        }
        if let Some(before) = self.versions[..index].iter().rposition(|other| changed(&other)) {
            day.from = day.from.max(whole_second_from(self.versions[before + 1].0));
        }
        day
    }

    /// The versions, oldest first.
    pub fn versions(&self) -> &[(Timestamp, Layout)] {
        &self.versions
    }

    /// The version in force at the start of a second, and the whole seconds `[from, to)` for which it is.
    pub(crate) fn at_second(&self, second: i64) -> (&Layout, i64, i64) {
        let index = self.index(Timestamp(second.saturating_mul(1_000)));
        let from = if index == 0 { i64::MIN } else { whole_second_from(self.versions[index].0).second() };
        let to =
            self.versions.get(index + 1).map_or(i64::MAX, |(until, _)| whole_second_from(*until).second());
        (&self.versions[index].1, from, to)
    }

    fn index(&self, at: Timestamp) -> usize {
        self.versions.partition_point(|(from, _)| *from <= at).saturating_sub(1)
    }
}

/// A version holds for the seconds that begin at or after its time.
fn whole_second_from(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add(999).div_euclid(1_000) * 1_000)
}
