//! Reading a packet's body from front to back; whatever is not as it must be is an error.

use anyhow::{Context, ensure};

/// What is left of a packet.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn take(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).context("the packet ends in a field")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> anyhow::Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> anyhow::Result<u16> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into()?))
    }

    pub(super) fn long(&mut self) -> anyhow::Result<u32> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into()?))
    }

    /// A variable byte integer (MQTT 5, section 1.5.5), in as few bytes as it needs.
    pub(super) fn variable(&mut self) -> anyhow::Result<u32> {
        let mut value = 0;
        for place in 0..4 {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                ensure!(place == 0 || byte != 0, "a variable byte integer of more bytes than it needs");
                return Ok(value);
            }
        }
        anyhow::bail!("a variable byte integer of more than four bytes")
    }

    /// Bytes with their length in front.
    pub(super) fn binary(&mut self) -> anyhow::Result<Vec<u8>> {
        let length = self.short()?;
        Ok(self.take(length.into())?.to_vec())
    }

    /// Text with its length in front: UTF-8 without U+0000.
    pub(super) fn text(&mut self) -> anyhow::Result<String> {
        let text = String::from_utf8(self.binary()?).context("text that is not UTF-8")?;
        ensure!(!text.contains('\0'), "text with U+0000");
        Ok(text)
    }
}
