//! Which days and subjects late sightings have made wrong.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Subject, Timestamp};

use super::Window;
use crate::{Day, Timeline};

/// With more late subjects on one day than this the whole day is recomputed, which also bounds the memory.
const MOST_SUBJECTS: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Late {
    /// None: the whole day.
    days: BTreeMap<Day, Option<BTreeSet<Subject>>>,
    /// The day of the last mark, as late sightings come in crowds.
    last: Option<Day>,
}

impl Late {
    pub(super) fn mark(&mut self, timeline: &Timeline, at: Timestamp, subject: Subject) {
        let day = match self.last {
            Some(day) if day.contains(at) => day,
            _ => timeline.day(at),
        };
        self.last = Some(day);
        let subjects = self.days.entry(day).or_insert_with(|| Some(BTreeSet::new()));
        if let Some(some) = subjects {
            some.insert(subject);
            if some.len() > MOST_SUBJECTS {
                *subjects = None;
            }
        }
    }

    pub(super) fn take(&mut self) -> Vec<Window> {
        let mut windows = Vec::new();
        // Another timeline may have other days.
        self.last = None;
        for (day, subjects) in std::mem::take(&mut self.days) {
            match subjects {
                None => windows.push(Window { day, subject: None }),
                Some(some) => windows.extend(some.into_iter().map(|s| Window { day, subject: Some(s) })),
            }
        }
        windows
    }
}
