//! Sightings that wait for the watermark, in buckets of whole seconds.

use std::collections::{BTreeMap, VecDeque};

use protocol::Timestamp;

use crate::AnchorKey;

/// Seconds ahead of the watermark that have a bucket of their own in a row; what is further ahead waits in a map.
const NEAR: i64 = 512;

/// Emptied buckets that are kept; after a long catch-up there would be one for each second of it.
const SPARE: usize = 128;

/// A waiting sighting in one word, so that sorting a second is sorting integers: from the top bit down
/// slot (29 bits), anchor (16), millisecond in the second (10), RSSI + 128 (8), transient (1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

impl Entry {
    pub(super) fn pack(slot: u32, anchor: AnchorKey, at: Timestamp, rssi: i8, transient: bool) -> Self {
        let ms = at.0.rem_euclid(1_000) as u64;
        let rssi = (i16::from(rssi) + 128) as u64;
        Self(u64::from(slot) << 35 | u64::from(anchor.0) << 19 | ms << 9 | rssi << 1 | u64::from(transient))
    }

    pub(super) fn slot(self) -> u32 {
        (self.0 >> 35) as u32
    }

    pub(super) fn anchor(self) -> AnchorKey {
        AnchorKey((self.0 >> 19) as u16)
    }

    pub(super) fn ms(self) -> i64 {
        (self.0 >> 9 & 0x3ff) as i64
    }

    pub(super) fn rssi(self) -> i16 {
        (self.0 >> 1 & 0xff) as i16 - 128
    }

    pub(super) fn transient(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it is the same sighting: subject, anchor, time and RSSI.
    pub(super) fn repeats(self, other: Self) -> bool {
        self.0 >> 1 == other.0 >> 1
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// The first bucket is that of the first unprocessed second.
    near: VecDeque<Vec<Entry>>,
    far: BTreeMap<i64, Vec<Entry>>,
    /// Emptied buckets, for their memory.
    spare: Vec<Vec<Entry>>,
}

impl Pending {
    /// Adds an entry of `second`, which is at or after `base`, the first unprocessed second.
    pub(super) fn push(&mut self, base: i64, second: i64, entry: Entry) {
        let ahead = second - base;
        if ahead >= NEAR {
            self.far.entry(second).or_default().push(entry);
            return;
        }
        let index = ahead as usize;
        if index >= self.near.len() {
            self.near.resize_with(index + 1, Vec::new);
        }
        let bucket = &mut self.near[index];
        if bucket.capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            *bucket = spare;
        }
        bucket.push(entry);
    }

    /// The first second with entries.
    pub(super) fn first(&self, base: i64) -> Option<i64> {
        let near = self.near.iter().position(|bucket| !bucket.is_empty()).map(|index| base + index as i64);
        let far = self.far.first_key_value().map(|(second, _)| *second);
        near.into_iter().chain(far).min()
    }

    /// Goes from `base` to a second before which there are no entries.
    pub(super) fn skip(&mut self, base: i64, to: i64) {
        let gone = usize::try_from(to - base).unwrap_or(usize::MAX).min(self.near.len());
        self.near.drain(..gone);
    }

    /// Takes out the entries of `base`, the first unprocessed second, which is the next one afterwards.
    pub(super) fn take(&mut self, base: i64) -> Vec<Entry> {
        let mut bucket = self.near.pop_front().unwrap_or_default();
        // A second that was far ahead when some came may have been near when others did.
        if let Some(first) = self.far.first_entry()
            && *first.key() == base
        {
            let far = first.remove();
            if bucket.is_empty() { bucket = far } else { bucket.extend(far) }
        }
        bucket
    }

    /// Gives a bucket back for its memory.
    pub(super) fn recycle(&mut self, mut bucket: Vec<Entry>) {
        if bucket.capacity() > 0 && self.spare.len() < SPARE {
            bucket.clear();
            self.spare.push(bucket);
        }
    }
}
