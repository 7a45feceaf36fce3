//! From an identifier to a pseudonym: a keyed hash that nobody without the organization's key can repeat.

use protocol::{DeviceId, Subject, Timestamp};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use store::KeyEpoch;

/// The pseudonym keys of one organization, by the time from which each holds.
#[derive(Debug)]
pub(crate) struct Pseudonyms {
    epochs: Vec<(Timestamp, [u8; 16])>,
}

impl Pseudonyms {
    /// `None` where there is no key at all.
    pub(crate) fn new(mut epochs: Vec<KeyEpoch>) -> Option<Self> {
        epochs.sort_by_key(|epoch| epoch.effective_from);
        let epochs: Vec<_> = epochs
            .iter()
            .filter_map(|epoch| Some((epoch.effective_from, *epoch.key.first_chunk()?)))
            .collect();
        (!epochs.is_empty()).then_some(Self { epochs })
    }

    /// The pseudonym of an identifier heard at `at`.
    pub(crate) fn of_identifier(&self, canonical: &[u8], at: Timestamp) -> Subject {
        self.hash(canonical, at)
    }

    /// The pseudonym of a device that is known by no identifier of its own: a phone that reports what it hears, a tag whose
    /// identifier changes.
    pub(crate) fn of_device(&self, device: DeviceId, at: Timestamp) -> Subject {
        let mut bytes = [0; 23];
        bytes[..7].copy_from_slice(b"device:"); // no canonical identifier begins so
        bytes[7..].copy_from_slice(device.as_uuid().as_bytes());
        self.hash(&bytes, at)
    }

    /// SipHash-2-4 with 128 bits of output: a keyed hash that is fast on short input (Aumasson and Bernstein, 2012).
    fn hash(&self, bytes: &[u8], at: Timestamp) -> Subject {
        let newer = self.epochs.iter().rposition(|(from, _)| *from <= at).unwrap_or(0);
        let mut hasher = SipHasher24::new_with_key(&self.epochs[newer].1);
        hasher.write(bytes);
        Subject(hasher.finish128().as_u128())
    }
}

/// A hash of what a ping says, so that a batch number that comes again with other pings is noticed. It need not
/// withstand anybody: a device could only deceive itself.
pub(crate) fn content(hasher: &mut impl Hasher, canonical: &[u8], ping: &protocol::Ping) {
    hasher.write_u8(canonical.len() as u8);
    hasher.write(canonical);
    hasher.write_i64(ping.at.0);
    let small = |value: Option<i8>| value.map_or(0x0100, |value| u16::from(value as u8));
    hasher.write_u64(
        u64::from(ping.rssi as u8)
            | u64::from(small(ping.tx)) << 8
            | u64::from(small(ping.max)) << 24
            | u64::from(ping.n.unwrap_or(0)) << 40,
    );
}
