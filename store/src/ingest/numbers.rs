//! What is known of the batch numbers of one boot.

use crate::segment::varint;
use crate::sequence::SequenceSet;

/// The batch numbers of one boot that were dealt with. A refused number may come again and be accepted then, which is why
/// both sets are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// The lowest number the reporter still held when it last said so; what is before it will not come.
    pub base: Option<u64>,
    /// All numbers that are committed or refused.
    pub settled: SequenceSet,
    /// Those that are committed.
    pub accepted: SequenceSet,
    /// Those that were refused and should come again.
    pub waiting: SequenceSet,
}

impl Numbers {
    /// The highest number up to which everything from the base on is settled.
    pub fn through(&self) -> Option<u64> {
        self.base.and_then(|base| self.settled.through(base))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let sets = [self.settled.encode(), self.accepted.encode(), self.waiting.encode()];
        let mut bytes = Vec::with_capacity(12 + sets.iter().map(Vec::len).sum::<usize>());
        // Numbers end at 2^53, so that one more than the base never overflows.
        varint::put(&mut bytes, self.base.map_or(0, |base| base.saturating_add(1)));
        for set in sets {
            varint::put(&mut bytes, set.len() as u64);
            bytes.extend(set);
        }
        bytes
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let base = varint::take(&mut bytes)?.checked_sub(1);
        let mut set = || {
            let length = usize::try_from(varint::take(&mut bytes)?).ok()?;
            SequenceSet::decode(bytes.split_off(..length)?)
        };
        let (settled, accepted, waiting) = (set()?, set()?, set()?);
        bytes.is_empty().then_some(Self { base, settled, accepted, waiting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut numbers = Numbers::default();
        assert_eq!(Numbers::decode(&numbers.encode()), Some(numbers.clone()));
        numbers.base = Some(0);
        numbers.settled.insert_range(0, 9);
        numbers.settled.insert(12);
        numbers.accepted.insert_range(0, 8);
        numbers.waiting.insert(12);
        assert_eq!(numbers.through(), Some(9));
        let bytes = numbers.encode();
        assert_eq!(Numbers::decode(&bytes), Some(numbers));
        for length in 0..bytes.len() {
            assert_eq!(Numbers::decode(&bytes[..length]), None);
        }
    }
}
