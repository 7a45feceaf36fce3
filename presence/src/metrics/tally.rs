//! The numbers of one place in one span of time.

use super::{Dwell, Uniques};
use crate::snapshot::{Reader, SnapshotError, Writer};

const VERSION: u8 = 1;

/// What a venue or a zone was like in a span of time. Runs count where they began, with all they became; stays count where
/// they began; occupancy counts while it lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that reached the interior, but only for a short time.
    pub bounces: u64,
    /// Runs that never reached the interior.
    pub passers_by: u64,
    /// Visits of ten minutes or more.
    pub engaged: u64,
    /// Visits of subjects that had a visit on an earlier day.
    pub returning: u64,
    /// Distinct subjects among the visits.
    pub uniques: Uniques,
    /// The lengths of the visits, and so their number.
    pub dwell: Dwell,
    /// Stays of 30 seconds or more.
    pub zone_stays: u64,
    /// Milliseconds that subjects were there, all added up.
    pub occupied_ms: u64,
    /// The most subjects at one moment.
    pub peak: u64,
}

impl Tally {
    /// Takes in another part of the time of the same place.
    pub fn merge(&mut self, other: &Self) {
        self.bounces += other.bounces;
        self.passers_by += other.passers_by;
        self.engaged += other.engaged;
        self.returning += other.returning;
        self.uniques.merge(&other.uniques);
        self.dwell.merge(&other.dwell);
        self.zone_stays += other.zone_stays;
        self.occupied_ms += other.occupied_ms;
        self.peak = self.peak.max(other.peak);
    }

    /// Visits: runs that reached the interior and were long enough.
    pub fn visits(&self) -> u64 {
        self.dwell.count()
    }

    /// Whether nothing was there.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As bytes: a version, then LEB128 varints and the parts. Equal tallies give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.byte(VERSION);
        let Self { bounces, passers_by, engaged, returning, zone_stays, occupied_ms, peak, .. } = *self;
        for number in [bounces, passers_by, engaged, returning, zone_stays, occupied_ms, peak] {
            w.unsigned(number);
        }
        self.dwell.write(&mut w);
        self.uniques.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Self::to_bytes`] wrote. Other bytes give an error, never a panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut r = Reader::new(bytes);
        let version = r.byte()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let tally = Self {
            bounces: r.unsigned()?,
            passers_by: r.unsigned()?,
            engaged: r.unsigned()?,
            returning: r.unsigned()?,
            zone_stays: r.unsigned()?,
            occupied_ms: r.unsigned()?,
            peak: r.unsigned()?,
            dwell: Dwell::read(&mut r)?,
            uniques: Uniques::read(&mut r)?,
        };
        if r.is_empty() { Ok(tally) } else { Err(SnapshotError::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Subject;

    use super::*;

    #[test]
    fn the_bytes_read_back_and_damaged_ones_do_not() {
        let mut tally =
            Tally { bounces: 3, passers_by: 400, peak: 7, occupied_ms: 1 << 40, ..Tally::default() };
        for number in 0..300 {
            tally.dwell.insert(number * 1_000);
            tally.uniques.insert(Subject(number as u128));
        }
        for tally in [tally, Tally::default()] {
            let bytes = tally.to_bytes();
            assert_eq!(Tally::from_bytes(&bytes), Ok(tally));
            for length in 0..bytes.len() {
                assert!(Tally::from_bytes(&bytes[..length]).is_err(), "{length}");
            }
            assert!(Tally::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        }
        assert_eq!(Tally::from_bytes(&[9]), Err(SnapshotError::Version(9)));
    }
}
