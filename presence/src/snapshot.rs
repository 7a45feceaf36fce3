//! Everything a tracker has processed, as bytes.
//!
//! Version 1: the version byte, then fields, then SipHash-2-4 of all that in 8 bytes, little-endian. Integers are LEB128
//! varints, signed ones zigzag first; times are relative to the watermark or to each other, so they are short; UUIDs,
//! subjects (big-endian) and levels (IEEE 754 single, little-endian) are as they are. Equal states give equal bytes.

use std::sync::Arc;

use protocol::VenueId;
use siphasher::sip::SipHasher24;
use thiserror::Error;

pub(crate) use self::reader::Reader;
pub(crate) use self::writer::Writer;
use crate::{Timeline, Tracker};

mod reader;
mod state;
mod writer;

const VERSION: u8 = 1;

/// The key is fixed: the sum tells damage, not forgery.
const KEY: &[u8; 16] = b"promenade track\0";

/// Why bytes are no snapshot. A caller that meets one makes a new tracker and replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It was written by a version that this one does not know.
    #[error("the snapshot has version {0}, which this program does not read")]
    Version(u8),
    /// It is cut short or damaged.
    #[error("the snapshot is damaged")]
    Damaged,
    /// It is whole, but says something that cannot be; the word says what.
    #[error("the snapshot contradicts itself: {0}")]
    Impossible(&'static str),
}

impl Tracker {
    /// The state of everything processed. Waiting sightings and late marks are not in it: after a restore push again what
    /// is at or after the watermark, and keep the marks of [`Tracker::take_late`] with the snapshot.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        state::write(&self.state(), &mut writer);
        seal(writer.into_bytes())
    }

    /// A tracker that goes on from a snapshot. Bytes of any other origin give an error, never a panic.
    pub fn restore(venue: VenueId, timeline: Arc<Timeline>, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let version = *bytes.first().ok_or(SnapshotError::Damaged)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or(SnapshotError::Damaged)?;
        if body.is_empty() || u64::from_le_bytes(*sum) != checksum(body) {
            return Err(SnapshotError::Damaged);
        }
        let mut reader = Reader::new(&body[1..]);
        let state = state::read(&mut reader)?;
        if !reader.is_empty() {
            return Err(SnapshotError::Impossible("bytes after the end"));
        }
        Ok(Self::from_state(venue, timeline, state))
    }
}

fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

fn checksum(body: &[u8]) -> u64 {
    SipHasher24::new_with_key(KEY).hash(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::{DeviceId, Subject, Timestamp, ZoneId, ZoneKind};
    use uuid::Uuid;

    use super::*;
    use crate::{Calendar, Changes, Layout, PackedSighting, Settings};

    const VENUE: VenueId = VenueId::from_uuid(Uuid::from_u128(1));
    const START: i64 = 1_790_000_000_000;

    fn device(number: u128) -> DeviceId {
        DeviceId::from_uuid(Uuid::from_u128(number))
    }

    fn timeline() -> Arc<Timeline> {
        let zone = |number| ZoneId::from_uuid(Uuid::from_u128(number));
        let layout = Layout {
            calendar: Calendar::new("Europe/Berlin", 0).expect("a time zone"),
            settings: Settings::default(),
            zones: (0..3).map(|number| (zone(number), ZoneKind::Interior)).collect(),
            anchors: (0..3).map(|number| (device(number), zone(number))).collect(),
        };
        Arc::new(Timeline::new(vec![(Timestamp(0), layout)]).expect("a timeline"))
    }

    /// Three subjects: one with a rival zone, one that fell silent, one transient.
    fn tracker() -> Tracker {
        let mut tracker = Tracker::new(VENUE, timeline());
        for (subject, after, anchor, rssi) in [
            (1, 0, 0, -60),
            (2, 0, 0, -60),
            (2, 999, 1, -60),
            (3, 60_000, 2, -60),
            (1, 60_000, 0, -70),
            (1, 61_000, 1, -50),
        ] {
            let anchor = tracker.anchor(device(anchor));
            let at = Timestamp(START + after);
            let transient = subject == 3;
            tracker.push(&PackedSighting { at, subject: Subject(subject), anchor, rssi, transient });
        }
        tracker.advance(Timestamp(START + 62_000), &mut Changes::default());
        tracker
    }

    fn restore(bytes: &[u8]) -> Result<Tracker, SnapshotError> {
        Tracker::restore(VENUE, timeline(), bytes)
    }

    #[test]
    fn nothing_is_lost() {
        let tracker = tracker();
        let state = tracker.state();
        assert_eq!(state.subjects.len(), 3);
        assert!(state.subjects[0].rival.is_some());
        assert!(state.subjects[1].run.stay.as_ref().is_some_and(|stay| stay.silent));
        let restored = restore(&tracker.snapshot()).expect("a snapshot");
        assert_eq!(restored.state(), state);
        assert_eq!(restored.occupancy(), tracker.occupancy());
        assert_eq!(restored.watermark(), tracker.watermark());

        let new = Tracker::new(VENUE, timeline());
        let restored = restore(&new.snapshot()).expect("a snapshot");
        assert_eq!((restored.state(), restored.newest()), (new.state(), None));
    }

    #[test]
    fn any_damage_is_noticed() {
        let bytes = tracker().snapshot();
        for length in 0..bytes.len() {
            assert!(restore(&bytes[..length]).is_err(), "the first {length} bytes");
        }
        for (index, bit) in (0..bytes.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            assert!(restore(&damaged).is_err(), "bit {bit} of byte {index}");
        }
        assert_eq!(restore(&[2, 0, 0]).map(|_| ()), Err(SnapshotError::Version(2)));
        let longer = seal([&bytes[..bytes.len() - 8], &[0]].concat());
        assert_eq!(restore(&longer).map(|_| ()), Err(SnapshotError::Impossible("bytes after the end")));
    }

    /// What was restored must also go on without a panic.
    fn go_on(bytes: &[u8]) {
        let Ok(mut tracker) = restore(bytes) else { return };
        let mut changes = Changes::default();
        let anchor = tracker.anchor(device(0));
        let at = tracker.watermark().plus(1_500);
        tracker.push(&PackedSighting { at, subject: Subject(1), anchor, rssi: -60, transient: false });
        tracker.advance(at.plus(3_600_000), &mut changes);
        tracker.snapshot();
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

        #[test]
        fn sealed_nonsense_never_panics(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let bytes = tracker().snapshot();
            let mut body = bytes[..bytes.len() - 8].to_vec();
            for (index, byte) in edits {
                let index = index.index(body.len());
                body[index] = byte;
            }
            if let Some(cut) = cut {
                body.truncate(cut.index(body.len()));
            }
            go_on(&seal(body));
        }

        #[test]
        fn random_bytes_never_panic(mut body in prop::collection::vec(any::<u8>(), 1..200)) {
            go_on(&body);
            body[0] = VERSION;
            go_on(&seal(body));
        }
    }
}
