//! The ways that visits took through zones.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ZoneId;
use uuid::Uuid;

use crate::snapshot::{Reader, SnapshotError, Writer};

const VERSION: u8 = 1;

/// Sequences of zones and how many visits took each. A sequence holds the zones in which a visit stayed for 30 seconds or
/// more, in order, and no zone twice in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(BTreeMap<Vec<ZoneId>, u64>);

impl Paths {
    /// A sequence ends after this many zones; what came later is left out.
    pub const LONGEST: usize = 64;

    /// Takes in the zones of one visit.
    pub fn insert(&mut self, zones: impl Iterator<Item = ZoneId>) {
        let mut path = Vec::new();
        for zone in zones {
            if path.len() < Self::LONGEST && path.last() != Some(&zone) {
                path.push(zone);
            }
        }
        *self.0.entry(path).or_default() += 1;
    }

    /// Takes in the visits of another span of time.
    pub fn merge(&mut self, other: Self) {
        for (path, count) in other.0 {
            *self.0.entry(path).or_default() += count;
        }
    }

    /// Each sequence and how many visits took it. The empty one belongs to visits that stayed nowhere for 30 seconds.
    pub fn iter(&self) -> impl Iterator<Item = (&[ZoneId], u64)> {
        self.0.iter().map(|(path, count)| (path.as_slice(), *count))
    }

    /// Whether there was no visit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As bytes: a version, the zones, then each sequence as places in that list, and its count; LEB128 varints.
    pub fn to_bytes(&self) -> Vec<u8> {
        let zones: BTreeSet<ZoneId> = self.0.keys().flatten().copied().collect();
        let zones: Vec<ZoneId> = zones.into_iter().collect();
        let mut w = Writer::default();
        w.byte(VERSION);
        w.unsigned(zones.len() as u64);
        for zone in &zones {
            w.raw(zone.as_uuid().as_bytes());
        }
        w.unsigned(self.0.len() as u64);
        for (path, count) in &self.0 {
            w.unsigned(path.len() as u64);
            for zone in path {
                w.unsigned(zones.binary_search(zone).unwrap_or_default() as u64);
            }
            w.unsigned(*count);
        }
        w.into_bytes()
    }

    /// Reads what [`Self::to_bytes`] wrote. Other bytes give an error, never a panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut r = Reader::new(bytes);
        let version = r.byte()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let mut zones = Vec::new();
        for _ in 0..r.count()? {
            zones.push(ZoneId::from_uuid(Uuid::from_bytes(r.raw()?)));
        }
        let mut paths = BTreeMap::new();
        for _ in 0..r.count()? {
            let mut path = Vec::new();
            for _ in 0..r.count()? {
                let place = usize::try_from(r.unsigned()?).ok();
                let zone = place.and_then(|place| zones.get(place));
                path.push(*zone.ok_or(SnapshotError::Impossible("a zone"))?);
            }
            paths.insert(path, r.unsigned()?);
        }
        if r.is_empty() { Ok(Self(paths)) } else { Err(SnapshotError::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(number: u128) -> ZoneId {
        ZoneId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_path_has_no_zone_twice_in_a_row_and_an_end() {
        let mut paths = Paths::default();
        paths.insert([1, 1, 2, 1, 1].into_iter().map(zone));
        paths.insert([1, 2, 2, 1].into_iter().map(zone));
        paths.insert((0..200).map(|number| zone(number % 2)));
        paths.insert([].into_iter());
        let found: Vec<_> = paths.iter().map(|(path, count)| (path.len(), count)).collect();
        assert_eq!(found, [(0, 1), (64, 1), (3, 2)]);
        let mut twice = paths.clone();
        twice.merge(paths.clone());
        assert!(twice.iter().zip(paths.iter()).all(|(both, one)| both == (one.0, 2 * one.1)));
        let bytes = paths.to_bytes();
        assert_eq!(Paths::from_bytes(&bytes), Ok(paths));
        assert!((0..bytes.len()).all(|length| Paths::from_bytes(&bytes[..length]).is_err()));
    }
}
