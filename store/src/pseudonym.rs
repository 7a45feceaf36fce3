//! From an identifier to a pseudonym: a keyed hash that nobody without the organization's key can repeat.

use std::fmt;
use std::hash::Hasher;

use protocol::{DeviceId, Subject, Timestamp};
use siphasher::sip128::{Hasher128, SipHasher24};

/// A key that identifiers become pseudonyms with, opened, and from when on. A new epoch cuts the link to older pseudonyms.
#[derive(Clone, PartialEq)]
pub struct KeyEpoch {
    /// 0 for the first.
    pub epoch: i32,
    /// The event time from which it holds, until the next one's.
    pub effective_from: Timestamp,
    /// The key, none when it was destroyed; keep it out of every output.
    pub key: Option<[u8; 32]>,
}

/// The pseudonym keys of one organization, by the time from which each holds.
#[derive(Clone)]
pub struct Pseudonyms {
    /// Oldest first, no two neighbours with the same key.
    epochs: Vec<(Timestamp, [u8; 16])>,
}

impl Pseudonyms {
    /// What was heard in an epoch whose key is destroyed and comes only now counts under the next one's. None where there is no
    /// key at all.
    pub fn new(mut epochs: Vec<KeyEpoch>) -> Option<Self> {
        epochs.sort_by_key(|epoch| epoch.effective_from);
        let mut next = None;
        let mut keys = Vec::new();
        for epoch in epochs.iter().rev() {
            // SipHash takes 16 bytes of it.
            next = epoch.key.as_ref().and_then(|key| key.first_chunk().copied()).or(next);
            keys.extend(next.map(|key| (epoch.effective_from, key)));
        }
        keys.reverse();
        keys.dedup_by_key(|(_, key)| *key);
        (!keys.is_empty()).then_some(Self { epochs: keys })
    }

    /// The pseudonym of an identifier, in its canonical form, heard at `at`.
    pub fn of_identifier(&self, canonical: &[u8], at: Timestamp) -> Subject {
        hash(self.key_at(at), canonical)
    }

    /// The pseudonym of a device that is known by no identifier of its own: a phone that reports what it hears, a tag whose
    /// identifier changes.
    pub fn of_device(&self, device: DeviceId, at: Timestamp) -> Subject {
        hash(self.key_at(at), &named(device))
    }

    /// Every pseudonym that a device has had and whose key there still is, oldest first.
    pub fn all_of_device(&self, device: DeviceId) -> impl Iterator<Item = Subject> {
        self.epochs.iter().map(move |(_, key)| hash(key, &named(device)))
    }

    fn key_at(&self, at: Timestamp) -> &[u8; 16] {
        let newest = self.epochs.iter().rposition(|(from, _)| *from <= at).unwrap_or(0);
        &self.epochs[newest].1
    }
}

/// What of a device is hashed: no canonical identifier begins so.
fn named(device: DeviceId) -> [u8; 23] {
    let mut bytes = [0; 23];
    bytes[..7].copy_from_slice(b"device:");
    bytes[7..].copy_from_slice(device.as_uuid().as_bytes());
    bytes
}

/// SipHash-2-4 with 128 bits of output: a keyed hash that is fast on short input (Aumasson and Bernstein, 2012).
fn hash(key: &[u8; 16], bytes: &[u8]) -> Subject {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(bytes);
    Subject(hasher.finish128().as_u128())
}

impl fmt::Debug for KeyEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEpoch")
            .field("epoch", &self.epoch)
            .field("effective_from", &self.effective_from)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("epochs", &self.epochs.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &[u8] = b"app:anna";

    fn epoch(epoch: i32, from: i64, key: Option<u8>) -> KeyEpoch {
        KeyEpoch { epoch, effective_from: Timestamp(from), key: key.map(|byte| [byte; 32]) }
    }

    fn at_each(epochs: Vec<KeyEpoch>) -> [Subject; 4] {
        let pseudonyms = Pseudonyms::new(epochs).expect("a key");
        [-5, 99, 100, 200].map(|at| pseudonyms.of_identifier(ANNA, Timestamp(at)))
    }

    #[test]
    fn each_epoch_has_pseudonyms_of_its_own_from_its_time_on() {
        let [before, first, second, third] =
            at_each(vec![epoch(2, 200, Some(3)), epoch(0, 0, Some(1)), epoch(1, 100, Some(2))]);
        assert_eq!(before, first);
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn what_comes_late_for_a_destroyed_epoch_counts_under_the_next() {
        let whole = at_each(vec![epoch(0, 0, Some(1)), epoch(1, 100, Some(2)), epoch(2, 200, Some(3))]);
        let [_, first, second, third] =
            at_each(vec![epoch(0, 0, Some(1)), epoch(1, 100, None), epoch(2, 200, Some(3))]);
        assert_eq!((first, second, third), (whole[1], whole[3], whole[3]));
        let only_last = at_each(vec![epoch(0, 0, None), epoch(1, 100, None), epoch(2, 200, Some(3))]);
        assert_eq!(only_last, [whole[3]; 4]);
        assert!(Pseudonyms::new(vec![epoch(0, 0, None)]).is_none());
    }

    #[test]
    fn all_that_a_device_was_called_is_found_while_the_keys_are_there() {
        let device = DeviceId::new(Timestamp(1), [7; 10]);
        let epochs = vec![epoch(0, 0, Some(1)), epoch(1, 100, None), epoch(2, 200, Some(3))];
        let pseudonyms = Pseudonyms::new(epochs).expect("a key");
        let called = [0, 150, 250].map(|at| pseudonyms.of_device(device, Timestamp(at)));
        assert_eq!(pseudonyms.all_of_device(device).collect::<Vec<_>>(), [called[0], called[2]]);
        assert_eq!(called[1], called[2]);
        assert!(!format!("{pseudonyms:?}").contains("[1, 1"), "a key was printed");
    }
}
