//! Sets of batch numbers.

use crate::segment::varint;

/// A set of numbers that mostly come in order: disjoint inclusive ranges, sorted, with gaps between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceSet {
    ranges: Vec<(u64, u64)>,
}

impl SequenceSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds a number; false when it was there already.
    pub fn insert(&mut self, number: u64) -> bool {
        // The usual case: the next number.
        if let Some(last) = self.ranges.last_mut()
            && last.1.checked_add(1) == Some(number)
        {
            last.1 = number;
            return true;
        }
        let after = self.ranges.partition_point(|range| range.0 <= number);
        if after > 0 && number <= self.ranges[after - 1].1 {
            return false;
        }
        let joins_before = after > 0 && self.ranges[after - 1].1.checked_add(1) == Some(number);
        let joins_after = self.ranges.get(after).is_some_and(|next| number.checked_add(1) == Some(next.0));
        match (joins_before, joins_after) {
            (true, true) => {
                self.ranges[after - 1].1 = self.ranges[after].1;
                self.ranges.remove(after);
            }
            (true, false) => self.ranges[after - 1].1 = number,
            (false, true) => self.ranges[after].0 = number,
            (false, false) => self.ranges.insert(after, (number, number)),
        }
        true
    }

    /// Adds every number of `from..=to`; nothing when the range is empty.
    pub fn insert_range(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        // Everything that overlaps or touches the new range becomes one with it.
        let first =
            self.ranges.partition_point(|range| range.1.checked_add(1).is_some_and(|next| next < from));
        let end = self.ranges.partition_point(|range| range.0 <= to.saturating_add(1));
        let merged = self.ranges[first..end]
            .iter()
            .fold((from, to), |all, range| (all.0.min(range.0), all.1.max(range.1)));
        self.ranges.splice(first..end, [merged]);
    }

    /// Whether a number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= number);
        after > 0 && number <= self.ranges[after - 1].1
    }

    /// The last number such that all from `first` through it are in the set; none when `first` is not.
    pub fn through(&self, first: u64) -> Option<u64> {
        let after = self.ranges.partition_point(|range| range.0 <= first);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (first <= range.1).then_some(range.1)
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.ranges.first().map(|range| range.0)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|range| range.1)
    }

    /// The ranges, both ends included, in order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// Whether there is no number in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// A compact form: for each range the distance from the end of the one before and its own length, as varints.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 * self.ranges.len());
        let mut end = 0;
        for &(from, to) in &self.ranges {
            varint::put(&mut bytes, from - end);
            varint::put(&mut bytes, to - from);
            end = to;
        }
        bytes
    }

    /// Reads [`Self::encode`]; none when the bytes are not its work.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        while !bytes.is_empty() {
            let gap = varint::take(&mut bytes)?;
            let from = match ranges.last() {
                // Ranges that touch would be one range.
                Some(_) if gap < 2 => return None,
                Some(before) => before.1.checked_add(gap)?,
                None => gap,
            };
            ranges.push((from, from.checked_add(varint::take(&mut bytes)?)?));
        }
        Some(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &[u64]) -> SequenceSet {
        let mut set = SequenceSet::new();
        for &number in numbers {
            set.insert(number);
        }
        set
    }

    #[test]
    fn neighbours_become_one_range() {
        assert_eq!(set(&[1, 3, 2]).ranges(), [(1, 3)]);
        assert_eq!(set(&[5, 4, 9, 0]).ranges(), [(0, 0), (4, 5), (9, 9)]);
        assert_eq!(set(&[u64::MAX, u64::MAX - 1, 0]).ranges(), [(0, 0), (u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn through_ends_at_the_first_gap() {
        let set = set(&[0, 1, 2, 4]);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|first| set.through(first)),
            [Some(2), Some(2), Some(2), None, Some(4), None]
        );
    }

    #[test]
    fn bytes_that_are_no_set_are_refused() {
        // A truncated varint, a range without its length, ranges that touch, a sum past the largest number.
        for bytes in [&[0x80][..], &[1], &[1, 1, 1, 0], &[1, 1, 0, 0]] {
            assert_eq!(SequenceSet::decode(bytes), None, "{bytes:?}");
        }
        let mut past = Vec::new();
        varint::put(&mut past, u64::MAX);
        varint::put(&mut past, 1);
        assert_eq!(SequenceSet::decode(&past), None);
    }

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(0_u64..64, 0..80)) {
            let mut ours = SequenceSet::new();
            let mut known = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(ours.insert(number), known.insert(number));
            }
            for number in 0..66 {
                prop_assert_eq!(ours.contains(number), known.contains(&number));
                let through = (number..100).take_while(|number| known.contains(number)).last();
                prop_assert_eq!(ours.through(number), through);
            }
            prop_assert_eq!(ours.first(), known.first().copied());
            prop_assert_eq!(ours.last(), known.last().copied());
            prop_assert!(ours.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert_eq!(SequenceSet::decode(&ours.encode()), Some(ours));
        }

        #[test]
        fn a_range_is_its_numbers(ranges in prop::collection::vec((0_u64..64, 0_u64..20), 0..12)) {
            let mut whole = SequenceSet::new();
            let mut single = SequenceSet::new();
            for (from, length) in ranges {
                whole.insert_range(from, from + length);
                (from..=from + length).for_each(|number| { single.insert(number); });
            }
            prop_assert_eq!(whole, single);
        }

        #[test]
        fn any_bytes_decode_to_a_set_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(set) = SequenceSet::decode(&bytes) {
                prop_assert!(set.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
                prop_assert_eq!(SequenceSet::decode(&set.encode()), Some(set));
            }
        }
    }
}
