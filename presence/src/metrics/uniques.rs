//! How many distinct subjects there were: exactly as long as they are few.

use std::collections::BTreeSet;
use std::fmt;

use protocol::Subject;
use siphasher::sip::SipHasher24;

use super::FEW;
use super::registers::Registers;
use crate::snapshot::{Reader, SnapshotError, Writer};

/// The key is fixed: sketches of different places and times have to be of the same values.
const KEY: &[u8; 16] = b"promenade unique";

/// A set of subjects that tells its size; a pure function of who was put in, whatever the order and however it was merged.
///
/// Up to 256 subjects it is exact; beyond, the size is an estimate with a standard error of 1.15 %.
#[derive(Clone, PartialEq, Eq)]
pub struct Uniques(Set);

#[derive(Clone, PartialEq, Eq)]
enum Set {
    /// At most [`FEW`] hashes.
    Few(BTreeSet<u64>),
    Many(Registers),
}

impl Default for Uniques {
    fn default() -> Self {
        Self(Set::Few(BTreeSet::new()))
    }
}

impl fmt::Debug for Uniques {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uniques({})", self.count())
    }
}

impl Uniques {
    /// Takes in a subject. Only 64 bits of a hash of it stay: of 256 subjects two share them with a probability below 2 in
    /// 10^15.
    pub fn insert(&mut self, subject: Subject) {
        self.put(SipHasher24::new_with_key(KEY).hash(&subject.0.to_be_bytes()));
    }

    /// Takes in all subjects of another set.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, Set::Few(few)) => {
                for hash in few {
                    self.put(*hash);
                }
            }
            (Set::Many(mine), Set::Many(theirs)) => mine.merge(theirs),
            (Set::Few(few), Set::Many(theirs)) => {
                let mut registers = theirs.clone();
                for hash in &*few {
                    registers.insert(*hash);
                }
                self.0 = Set::Many(registers);
            }
        }
    }

    /// How many distinct subjects there were.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Set::Few(few) => few.len() as u64,
            // Whoever is a sketch was more than that.
            Set::Many(registers) => registers.estimate().max(FEW as u64 + 1),
        }
    }

    fn put(&mut self, hash: u64) {
        match &mut self.0 {
            Set::Few(few) => {
                few.insert(hash);
                if few.len() > FEW {
                    let mut registers = Registers::new();
                    for hash in &*few {
                        registers.insert(*hash);
                    }
                    self.0 = Set::Many(registers);
                }
            }
            Set::Many(registers) => registers.insert(hash),
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match &self.0 {
            Set::Few(few) => {
                w.byte(0);
                w.unsigned(few.len() as u64);
                for hash in few {
                    w.raw(&hash.to_be_bytes());
                }
            }
            Set::Many(registers) => {
                w.byte(1);
                registers.write(w);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        match r.byte()? {
            0 => {
                let mut few = BTreeSet::new();
                for _ in 0..r.count()? {
                    few.insert(u64::from_be_bytes(r.raw()?));
                }
                if few.len() > FEW {
                    return Err(SnapshotError::Impossible("more than a few subjects"));
                }
                Ok(Self(Set::Few(few)))
            }
            1 => Registers::read(r).map(|registers| Self(Set::Many(registers))),
            _ => Err(SnapshotError::Impossible("a kind of set")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(subjects: impl IntoIterator<Item = u128>) -> Uniques {
        let mut uniques = Uniques::default();
        for subject in subjects {
            uniques.insert(Subject(subject));
        }
        uniques
    }

    #[test]
    fn a_few_hundred_are_exact_and_more_are_near() {
        assert_eq!([of([]), of([7, 7]), of(0..256)].map(|uniques| uniques.count()), [0, 1, 256]);
        let many = of(0..257).count();
        assert!((257..=280).contains(&many), "{many}");
    }

    proptest! {
        #[test]
        fn merging_is_inserting_everything(a in 0_u128..400, b in 0_u128..400, shift in 0_u128..400) {
            let (left, right) = (of(0..a), of(shift..shift + b));
            let mut merged = left.clone();
            merged.merge(&right);
            let mut other_way = right;
            other_way.merge(&left);
            let together = of((shift..shift + b).rev().chain(0..a));
            prop_assert_eq!(&merged, &together);
            prop_assert_eq!(&other_way, &together);
            let mut w = Writer::default();
            together.write(&mut w);
            prop_assert_eq!(Uniques::read(&mut Reader::new(&w.into_bytes())).unwrap(), together);
        }
    }
}
