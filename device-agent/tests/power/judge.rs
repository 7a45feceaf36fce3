//! Remembers everything, as no part of an agent can.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Batch, Boot, Ping};

/// What was on the disk, what was sent and what was receipted, of the one boot that there must be.
#[derive(Default)]
pub(crate) struct Judge {
    boot: Option<Boot>,
    /// What was seen in the spool or was sent, by number.
    batches: BTreeMap<u64, Vec<Ping>>,
    /// What was seen in the spool and did not arrive yet.
    waiting: BTreeSet<u64>,
    /// Where each advertisement is, by life and place in its recording.
    carriers: BTreeMap<(u64, u64), u64>,
    arrived: BTreeSet<u64>,
    /// Every number below has arrived.
    complete: u64,
    /// Every number below is receipted.
    receipted: u64,
}

impl Judge {
    /// A batch reached the platform.
    pub(crate) fn arrive(&mut self, batch: &Batch) {
        self.know(batch);
        self.arrived.insert(batch.seq);
        self.waiting.remove(&batch.seq);
        while self.arrived.contains(&self.complete) {
            self.complete += 1;
        }
    }

    /// A receipt was given through this number, whether or not it arrives.
    pub(crate) fn receipt(&mut self, through: u64) {
        self.receipted = self.receipted.max(through + 1);
    }

    /// The highest number up to which everything has arrived; 0 must have.
    pub(crate) fn through(&self) -> u64 {
        self.complete.saturating_sub(1)
    }

    /// The agent was killed in this life, and this is what its spool holds. `has_failed` says that its disk refused some.
    pub(crate) fn look(&mut self, life: u64, held: &[Batch], has_failed: bool) {
        for batch in held {
            self.know(batch);
            if !self.arrived.contains(&batch.seq) {
                self.waiting.insert(batch.seq);
            }
        }
        let numbers: Vec<u64> = held.iter().map(|batch| batch.seq).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        for seq in self.batches.range(self.receipted..).map(|(seq, _)| seq) {
            assert!(numbers.binary_search(seq).is_ok(), "life {life}: {seq} is lost, {numbers:?} are held");
        }
        let of_life = self.carriers.range((life, 0)..(life + 1, 0)).map(|((_, place), _)| *place);
        let places: Vec<u64> = of_life.collect();
        let is_whole = places.iter().copied().eq(0..places.len() as u64);
        assert!(is_whole || has_failed, "life {life}: what was heard in between is lost: {places:?}");
    }

    /// How many batches are still to arrive.
    pub(crate) fn owed(&self) -> usize {
        self.waiting.len()
    }

    /// How many batches there were.
    pub(crate) fn spooled(&self) -> u64 {
        self.batches.len() as u64
    }

    /// The same number means the same pings, the same pings the same number, and later numbers what was heard later.
    fn know(&mut self, batch: &Batch) {
        let boot = *self.boot.get_or_insert(batch.boot);
        assert_eq!(batch.boot, boot, "another boot began");
        if let Some(before) = self.batches.get(&batch.seq) {
            assert_eq!(*before, batch.pings, "{} is another batch now", batch.seq);
            return;
        }
        for ping in &batch.pings {
            let carrier = *self.carriers.entry(heard(ping)).or_insert(batch.seq);
            assert_eq!(carrier, batch.seq, "{} is told again as new", ping.id);
        }
        let ends = |pings: &[Ping]| Some((heard(pings.first()?), heard(pings.last()?)));
        let (first, last) = ends(&batch.pings).expect("no batch is empty");
        let before = self.batches.range(..batch.seq).next_back().and_then(|(_, pings)| ends(pings));
        let after = self.batches.range(batch.seq..).next().and_then(|(_, pings)| ends(pings));
        assert!(before.is_none_or(|(_, before)| before < first), "{} is out of order", batch.seq);
        assert!(after.is_none_or(|(after, _)| last < after), "{} is out of order", batch.seq);
        self.batches.insert(batch.seq, batch.pings.clone());
    }
}

/// In which life a ping was heard, and as which of its recording.
fn heard(ping: &Ping) -> (u64, u64) {
    let id = ping.id.to_string();
    let numbers = id.strip_prefix("app:").and_then(|id| id.split_once('-'));
    numbers.and_then(|(life, place)| Some((life.parse().ok()?, place.parse().ok()?))).expect("an id of ours")
}
