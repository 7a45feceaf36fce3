//! The numbers given out under one boot, and which of them are released.

use std::collections::BTreeSet;
use std::ops::Range;

use protocol::Boot;

/// The place of a batch in the order of this spool: by numbering, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// Which numbering of this spool, counted from 1.
    pub age: u64,
    /// The batch's `seq`.
    pub seq: u64,
}

/// One boot's numbers.
#[derive(Debug)]
pub(super) struct Numbering {
    pub(super) boot: Boot,
    pub(super) age: u64,
    /// The number the next batch gets.
    pub(super) next: u64,
    /// Every number below is released, and this one is not.
    low: u64,
    /// Numbers above `low` that are released or missing.
    ahead: BTreeSet<u64>,
    /// Numbers at or above `low` of which single pings were refused, and that was dealt with.
    picked: BTreeSet<u64>,
}

impl Numbering {
    pub(super) fn new(boot: Boot, age: u64, base: u64) -> Self {
        Self { boot, age, next: base, low: base, ahead: BTreeSet::new(), picked: BTreeSet::new() }
    }

    /// The lowest number still held; the next one when none is.
    pub(super) fn low(&self) -> u64 {
        self.low
    }

    pub(super) fn holds(&self, seq: u64) -> bool {
        (self.low..self.next).contains(&seq) && !self.ahead.contains(&seq)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.low >= self.next
    }

    /// The held numbers among these.
    pub(super) fn held(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        (range.start.max(self.low)..range.end.min(self.next)).filter(|seq| !self.ahead.contains(seq))
    }

    /// Releases one number.
    pub(super) fn release(&mut self, seq: u64) {
        if seq >= self.low && seq < self.next {
            self.ahead.insert(seq);
            self.settle();
        }
    }

    /// Releases every number below `end` that was given out.
    pub(super) fn release_below(&mut self, end: u64) {
        self.low = self.low.max(end.min(self.next));
        self.settle();
    }

    /// Notes that refused pings of a batch are dealt with; whether that is new.
    pub(super) fn pick(&mut self, seq: u64) -> bool {
        self.holds(seq) && self.picked.insert(seq)
    }

    fn settle(&mut self) {
        self.ahead = self.ahead.split_off(&self.low);
        while self.ahead.remove(&self.low) {
            self.low += 1;
        }
        self.picked = self.picked.split_off(&self.low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_held_number_moves_over_what_was_released_ahead() {
        let mut numbering = Numbering::new("b".parse().unwrap(), 1, 5);
        numbering.next = 10;
        numbering.release(7);
        numbering.release(6);
        numbering.release(99);
        assert_eq!(numbering.low(), 5);
        assert_eq!(numbering.held(0..100).collect::<Vec<_>>(), [5, 8, 9]);
        assert!(numbering.pick(5) && !numbering.pick(5) && !numbering.pick(6));
        numbering.release_below(6);
        assert_eq!(numbering.low(), 8);
        numbering.release_below(50);
        assert!(numbering.is_empty());
        assert_eq!(numbering.low(), 10);
    }
}
