//! Versions by event time, and how a patch reaches into them.

use protocol::Timestamp;

/// The versions of one thing, oldest first; each holds until the next, the first also for all earlier time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History<V> {
    versions: Vec<(Timestamp, V)>,
}

/// From when the first version is stored to hold: it holds for all earlier time, so it has no beginning to tell.
pub(crate) const EVER: Timestamp = Timestamp(0);

impl<V: Clone + PartialEq> History<V> {
    /// `versions` oldest first.
    pub(crate) fn new(versions: Vec<(Timestamp, V)>) -> Self {
        debug_assert!(versions.is_sorted_by_key(|(from, _)| *from));
        Self { versions }
    }

    /// The version in force at `at`; none when there are no versions at all.
    pub(crate) fn at(&self, at: Timestamp) -> Option<&V> {
        let index = self.versions.partition_point(|(from, _)| *from <= at);
        self.versions.get(index.saturating_sub(1)).map(|(_, version)| version)
    }

    /// The newest version and from when it holds.
    pub(crate) fn newest(&self) -> Option<&(Timestamp, V)> {
        self.versions.last()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Timestamp, V)> {
        self.versions.iter()
    }

    /// Opens a version at `from`, equal to the one in force then, so that fields can be set from there on.
    pub(crate) fn open(&mut self, from: Timestamp) -> Option<Amendment<'_, V>> {
        let from = from.max(EVER);
        let after = self.versions.partition_point(|(at, _)| *at <= from);
        let (at, version) = self.versions.get(after.checked_sub(1)?)?;
        let index = if *at == from {
            after - 1
        } else {
            let version = version.clone();
            self.versions.insert(after, (from, version));
            after
        };
        Some(Amendment { history: self, index })
    }

    /// Makes `version` hold from `from` until the version that follows; the very first holds from ever.
    pub(crate) fn insert(&mut self, from: Timestamp, version: V) {
        if self.versions.is_empty() {
            self.versions.push((EVER, version));
        } else if let Some(Amendment { history, index }) = self.open(from) {
            history.versions[index].1 = version;
        }
    }
}

/// A version that is being changed.
pub(crate) struct Amendment<'a, V> {
    history: &'a mut History<V>,
    index: usize,
}

impl<V> Amendment<'_, V> {
    /// Sets a field of the open version and of those after it that only repeat its old value: up to the first version
    /// that says something else about this field, which was somebody's own decision for that time.
    pub(crate) fn set<F: Clone + PartialEq>(&mut self, value: Option<F>, field: impl Fn(&mut V) -> &mut F) {
        let Some(value) = value else { return };
        let mut versions = self.history.versions[self.index..].iter_mut();
        let Some((_, opened)) = versions.next() else { return };
        let old = std::mem::replace(field(opened), value.clone());
        for (_, version) in versions {
            let field = field(version);
            if *field != old {
                break;
            }
            *field = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(versions: &[(i64, (u8, u8))]) -> History<(u8, u8)> {
        History::new(versions.iter().map(|(at, version)| (Timestamp(*at), *version)).collect())
    }

    #[test]
    fn the_first_version_holds_for_all_earlier_time() {
        let versions = history(&[(10, (1, 1)), (20, (2, 2))]);
        let at = |at| versions.at(Timestamp(at)).copied();
        assert_eq!([at(-5), at(10), at(19), at(20), at(99)].map(|v| v.unwrap().0), [1, 1, 1, 2, 2]);
    }

    #[test]
    fn a_field_is_set_until_a_version_that_decided_otherwise() {
        let mut versions = history(&[(0, (1, 1)), (20, (1, 2)), (30, (1, 3)), (40, (9, 3)), (50, (1, 3))]);
        versions.open(Timestamp(10)).unwrap().set(Some(5), |v| &mut v.0);
        let expected = [(0, (1, 1)), (10, (5, 1)), (20, (5, 2)), (30, (5, 3)), (40, (9, 3)), (50, (1, 3))];
        assert_eq!(versions, history(&expected));
    }

    #[test]
    fn a_version_of_the_same_time_is_changed_in_place() {
        let mut versions = history(&[(0, (1, 1)), (20, (2, 2))]);
        versions.open(Timestamp(20)).unwrap().set(Some(7), |v| &mut v.1);
        versions.insert(Timestamp(0), (3, 3));
        assert_eq!(versions, history(&[(0, (3, 3)), (20, (2, 7))]));
    }

    #[test]
    fn the_first_insert_holds_from_ever() {
        let mut versions = history(&[]);
        assert!(versions.open(Timestamp(5)).is_none());
        versions.insert(Timestamp(50), (1, 1));
        versions.insert(Timestamp(60), (2, 2));
        assert_eq!(versions, history(&[(0, (1, 1)), (60, (2, 2))]));
    }
}
