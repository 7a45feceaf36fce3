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
}

impl Numbers {
    /// The highest number up to which everything from the base on is settled.
    pub fn through(&self) -> Option<u64> {
        self.base.and_then(|base| self.settled.through(base))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (settled, accepted) = (self.settled.encode(), self.accepted.encode());
        let mut bytes = Vec::with_capacity(12 + settled.len() + accepted.len());
        // Numbers end at 2^53, so that one more than the base never overflows.
        varint::put(&mut bytes, self.base.map_or(0, |base| base.saturating_add(1)));
        varint::put(&mut bytes, settled.len() as u64);
        bytes.extend(settled);
        bytes.extend(accepted);
        bytes
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let base = varint::take(&mut bytes)?.checked_sub(1);
        let length = usize::try_from(varint::take(&mut bytes)?).ok()?;
        let settled = SequenceSet::decode(bytes.split_off(..length)?)?;
        Some(Self { base, settled, accepted: SequenceSet::decode(bytes)? })
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
        assert_eq!(numbers.through(), Some(9));
        let bytes = numbers.encode();
        assert_eq!(Numbers::decode(&bytes), Some(numbers));
        for length in 0..2 {
            assert_eq!(Numbers::decode(&bytes[..length]), None);
        }
    }
}
