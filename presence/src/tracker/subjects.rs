//! The subjects of a tracker, in slots that are used again.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use protocol::Subject;

use crate::signal::Signals;
use crate::visit::Run;
use crate::zone::Chooser;

/// No timer is set.
pub(super) const UNSET: i64 = i64::MAX;

/// What is known of one subject.
#[derive(Clone, Debug)]
pub(super) struct Follow {
    pub(super) subject: Subject,
    pub(super) signals: Signals,
    pub(super) chooser: Chooser,
    pub(super) run: Option<Run>,
    /// The second at the end of which its timer fires; another timer of its slot is stale.
    pub(super) timer: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Subjects {
    index: HashMap<Subject, u32, BuildHasherDefault<PseudonymHasher>>,
    slots: Vec<Follow>,
    /// The newest second with a waiting entry of each slot, apart from `slots` as pushing needs nothing else.
    waiting: Vec<i64>,
    free: Vec<u32>,
}

/// Pseudonyms come out of a keyed hash: any 64 of their bits are one already.
#[derive(Default)]
struct PseudonymHasher(u64);

impl Hasher for PseudonymHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, word: u128) {
        // Tests count their subjects; a multiplication spreads those too.
        self.0 = ((word >> 64) as u64 ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Subjects {
    /// The slot of a subject, a new one if it has none.
    pub(super) fn slot(&mut self, subject: Subject) -> u32 {
        *self.index.entry(subject).or_insert_with(|| {
            let follow = Follow {
                subject,
                signals: Signals::default(),
                chooser: Chooser::default(),
                run: None,
                timer: UNSET,
            };
            if let Some(slot) = self.free.pop() {
                self.slots[slot as usize] = follow;
                self.waiting[slot as usize] = i64::MIN;
                slot
            } else {
                self.slots.push(follow);
                self.waiting.push(i64::MIN);
                (self.slots.len() - 1) as u32
            }
        })
    }

    /// The slot of a subject if it has one.
    pub(super) fn find(&self, subject: Subject) -> Option<u32> {
        self.index.get(&subject).copied()
    }

    /// Notes that an entry of this slot waits for `second`.
    pub(super) fn wait(&mut self, slot: u32, second: i64) {
        let newest = &mut self.waiting[slot as usize];
        *newest = second.max(*newest);
    }

    pub(super) fn get(&mut self, slot: u32) -> &mut Follow {
        &mut self.slots[slot as usize]
    }

    /// Frees a slot if nothing is open in it and none of its entries wait for `base` or later.
    pub(super) fn release(&mut self, slot: u32, base: i64) {
        let follow = &mut self.slots[slot as usize];
        let used = self.index.get(&follow.subject) == Some(&slot);
        if used && follow.run.is_none() && self.waiting[slot as usize] < base {
            self.index.remove(&follow.subject);
            follow.signals = Signals::default();
            follow.chooser.reset();
            follow.timer = UNSET;
            self.free.push(slot);
        }
    }

    /// How many slots are used.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.index.len()
    }

    /// All slots; free ones have no run.
    pub(super) fn followed(&mut self) -> impl Iterator<Item = (u32, &mut Follow)> {
        self.slots.iter_mut().enumerate().map(|(slot, follow)| (slot as u32, follow))
    }

    /// All subjects in which something is open.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Follow, &Run)> {
        self.slots.iter().filter_map(|follow| follow.run.as_ref().map(|run| (follow, run)))
    }
}
