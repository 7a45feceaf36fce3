//! What is known of a scanner that reports in a format of its own.

use std::collections::BTreeMap;

use protocol::{Fault, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Observed, Tally, sum, tally};

/// What came of its messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Scanned {
    /// How many came to what.
    messages: BTreeMap<String, Tally>,
    /// The last that could not be read.
    unread: Option<Unread>,
}

/// Something that could not be read. Its topic is not kept: there, too, names of people's devices would be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Unread {
    at: Timestamp,
    /// The filter of the topics that it came on.
    filter: String,
    /// Where in it: a JSON pointer.
    pointer: String,
    /// What should be there.
    expected: String,
}

impl Scanned {
    /// The same, added to what was known before.
    pub(super) fn over(self, before: Self) -> Self {
        Self { messages: sum(before.messages, self.messages), unread: self.unread.or(before.unread) }
    }
}

impl Observed {
    /// A message came to that.
    pub(crate) fn scanned(&self, outcome: &str, now: Timestamp) {
        self.change(|facts| tally(&mut facts.scanned.messages, outcome, now));
    }

    /// Something on topics of the filter could not be read.
    pub(crate) fn unread(&self, filter: &str, fault: &Fault, now: Timestamp) {
        let Fault { path, what } = fault.clone();
        let unread = Unread { at: now, filter: filter.to_owned(), pointer: path, expected: what };
        self.change(|facts| facts.scanned.unread = Some(unread));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_the_last_fault_stands() {
        let fault = |path: &str| Some(Unread { pointer: path.to_owned(), ..Unread::default() });
        let tallied = |count| BTreeMap::from([("read".to_owned(), Tally { count, last_at: Timestamp(1) })]);
        let before = Scanned { messages: tallied(2), unread: fault("/a") };
        let new = Scanned { messages: tallied(3), unread: None };
        let both = new.over(before.clone());
        assert_eq!((both.messages["read"].count, &both.unread), (5, &fault("/a")));
        let new = Scanned { messages: BTreeMap::new(), unread: fault("/b") };
        assert_eq!(new.over(before).unread, fault("/b"));
    }
}
