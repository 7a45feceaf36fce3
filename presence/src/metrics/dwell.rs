//! How long visits were: their number, sum, buckets, and where the middle lies.

use std::collections::BTreeMap;

use super::FEW;
use super::bounds;
use crate::snapshot::{Reader, SnapshotError, Writer};

/// Where the six buckets of dwell begin after the first, in milliseconds: [0, 2), [2, 5), [5, 10), [10, 20), [20, 40) and from
/// 40 minutes on.
pub const DWELL_BOUNDS_MS: [i64; 5] = [120_000, 300_000, 600_000, 1_200_000, 2_400_000];

/// The lengths of visits; a pure function of the lengths put in, whatever the order and however it was merged.
///
/// Quantiles are exact up to 256 lengths, and within one per cent beyond. Number, sum and buckets are always exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dwell {
    count: u64,
    sum_ms: u64,
    buckets: [u64; DWELL_BOUNDS_MS.len() + 1],
    lengths: Lengths,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lengths {
    /// Each length in milliseconds and how often; [`FEW`] in all at most.
    Few(BTreeMap<u64, u64>),
    /// Each bin and how many lengths lie in it.
    Many(BTreeMap<usize, u64>),
}

impl Default for Lengths {
    fn default() -> Self {
        Self::Few(BTreeMap::new())
    }
}

impl Dwell {
    /// Takes in the length of one visit in milliseconds.
    pub fn insert(&mut self, ms: i64) {
        let length = ms.max(0) as u64;
        self.count += 1;
        self.sum_ms += length;
        self.buckets[DWELL_BOUNDS_MS.partition_point(|bound| *bound <= ms)] += 1;
        self.make_room();
        self.lengths.put(length, 1);
    }

    /// Takes in all lengths of another.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ms += other.sum_ms;
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.make_room();
        match (&mut self.lengths, &other.lengths) {
            (_, Lengths::Few(few)) => {
                for (ms, count) in few {
                    self.lengths.put(*ms, *count);
                }
            }
            (Lengths::Many(mine), Lengths::Many(theirs)) => {
                for (bin, count) in theirs {
                    *mine.entry(*bin).or_default() += count;
                }
            }
            // The other alone is many, so there was no room for a few.
            (Lengths::Few(_), Lengths::Many(_)) => {}
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many lengths lie in each bucket of [`DWELL_BOUNDS_MS`].
    pub fn buckets(&self) -> [u64; DWELL_BOUNDS_MS.len() + 1] {
        self.buckets
    }

    /// The mean in milliseconds; none without a visit.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ms as f64 / self.count as f64)
    }

    /// The middle of the lengths in milliseconds, or half-way between the two in the middle; none without a visit.
    pub fn median_ms(&self) -> Option<f64> {
        let last = self.count.checked_sub(1)?;
        Some(f64::midpoint(self.at(last / 2)?, self.at(last.div_ceil(2))?))
    }

    /// The shortest of the lengths in milliseconds that at least `percent` of a hundred do not exceed (nearest rank); none
    /// without a visit.
    pub fn quantile_ms(&self, percent: u64) -> Option<f64> {
        self.at((self.count * percent).div_ceil(100).checked_sub(1)?)
    }

    /// The length at a place of the sorted list, from 0.
    fn at(&self, place: u64) -> Option<f64> {
        match &self.lengths {
            Lengths::Few(few) => nth(few, place).map(|ms| *ms as f64),
            Lengths::Many(many) => nth(many, place).and_then(|bin| bounds::length(*bin)),
        }
    }

    /// More than a few lengths become a sketch. `count` includes what is about to come.
    fn make_room(&mut self) {
        if let Lengths::Few(few) = &self.lengths
            && self.count > FEW as u64
        {
            let mut many = BTreeMap::new();
            for (ms, count) in few {
                *many.entry(bounds::bin(*ms)).or_default() += count;
            }
            self.lengths = Lengths::Many(many);
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.unsigned(self.sum_ms);
        for count in &self.buckets {
            w.unsigned(*count);
        }
        match &self.lengths {
            Lengths::Few(few) => {
                w.byte(0);
                write_counts(few.iter().map(|(ms, count)| (*ms, *count)), few.len(), w);
            }
            Lengths::Many(many) => {
                w.byte(1);
                write_counts(many.iter().map(|(bin, count)| (*bin as u64, *count)), many.len(), w);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let mut dwell = Self { sum_ms: r.unsigned()?, ..Self::default() };
        for bucket in &mut dwell.buckets {
            *bucket = r.unsigned()?;
        }
        let sum = |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        dwell.count = sum(&dwell.buckets).ok_or(SnapshotError::Impossible("a number of visits"))?;
        let kind = r.byte()?;
        let counts = read_counts(r)?;
        let all = sum(&counts.values().copied().collect::<Vec<_>>());
        let few = dwell.count <= FEW as u64;
        dwell.lengths = match kind {
            0 if few => Lengths::Few(counts),
            1 if !few => {
                Lengths::Many(counts.into_iter().map(|(bin, count)| (bin as usize, count)).collect())
            }
            _ => return Err(SnapshotError::Impossible("a kind of lengths")),
        };
        if all == Some(dwell.count) {
            Ok(dwell)
        } else {
            Err(SnapshotError::Impossible("a number of lengths"))
        }
    }
}

impl Lengths {
    fn put(&mut self, ms: u64, count: u64) {
        match self {
            Self::Few(few) => *few.entry(ms).or_default() += count,
            Self::Many(many) => *many.entry(bounds::bin(ms)).or_default() += count,
        }
    }
}

fn nth<K>(counts: &BTreeMap<K, u64>, place: u64) -> Option<&K> {
    let mut passed = 0;
    let reached = |(key, count)| {
        passed += count;
        (passed > place).then_some(key)
    };
    counts.iter().find_map(reached)
}

/// Keys as differences, which are short.
fn write_counts(counts: impl Iterator<Item = (u64, u64)>, len: usize, w: &mut Writer) {
    w.unsigned(len as u64);
    let mut before = 0;
    for (key, count) in counts {
        w.unsigned(key - before);
        w.unsigned(count);
        before = key;
    }
}

fn read_counts(r: &mut Reader<'_>) -> Result<BTreeMap<u64, u64>, SnapshotError> {
    let mut counts = BTreeMap::new();
    let mut key = 0_u64;
    for _ in 0..r.count()? {
        key = key.checked_add(r.unsigned()?).ok_or(SnapshotError::Impossible("a length"))?;
        counts.insert(key, r.unsigned()?);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lengths: &[i64]) -> Dwell {
        let mut dwell = Dwell::default();
        for ms in lengths {
            dwell.insert(*ms);
        }
        dwell
    }

    #[test]
    fn few_lengths_are_exact() {
        let dwell = of(&[600_000, 120_000, 119_999, 2_400_000]);
        assert_eq!((dwell.median_ms(), dwell.quantile_ms(90)), (Some(360_000.0), Some(2_400_000.0)));
        assert_eq!((dwell.buckets(), dwell.mean_ms()), ([1, 1, 0, 1, 0, 1], Some(809_999.75)));
        let none = Dwell::default();
        assert_eq!((none.median_ms(), none.quantile_ms(90), none.mean_ms()), (None, None, None));
    }

    proptest! {
        #[test]
        fn merging_is_inserting_everything_and_quantiles_are_near(
            left in prop::collection::vec(0_i64..20_000_000, 0..300),
            right in prop::collection::vec(0_i64..20_000_000, 0..300),
        ) {
            let mut all = [left.clone(), right.clone()].concat();
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let mut other_way = of(&right);
            other_way.merge(&of(&left));
            let together = of(&all);
            prop_assert_eq!(&merged, &together);
            prop_assert_eq!(&other_way, &together);
            let mut w = Writer::default();
            together.write(&mut w);
            prop_assert_eq!(&Dwell::read(&mut Reader::new(&w.into_bytes())).unwrap(), &together);
            all.sort_unstable();
            let error = if all.len() <= FEW { 0.0 } else { 0.01 };
            for percent in [1, 50, 90, 100] {
                let rank = (all.len() * percent).div_ceil(100);
                let exact = rank.checked_sub(1).map(|place| all[place] as f64);
                let found = together.quantile_ms(percent as u64);
                let near = |(exact, found): (f64, f64)| (exact - found).abs() <= error * exact;
                prop_assert!(exact.zip(found).is_none_or(near), "{exact:?} {found:?}");
                prop_assert_eq!(exact.is_some(), found.is_some());
            }
        }
    }
}
