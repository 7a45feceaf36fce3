//! Bytes in; whatever they are.

use super::SnapshotError;

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, SnapshotError> {
        self.raw().map(|[byte]| byte)
    }

    pub(crate) fn raw<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (first, rest) = self.bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, SnapshotError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(SnapshotError::Impossible("an integer of more than 64 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, SnapshotError> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The number of items that follow, of which each takes at least one byte; so a wrong number reserves no memory.
    pub(crate) fn count(&mut self) -> Result<usize, SnapshotError> {
        let count = self.unsigned()?;
        usize::try_from(count).ok().filter(|count| *count <= self.bytes.len()).ok_or(SnapshotError::Damaged)
    }
}
