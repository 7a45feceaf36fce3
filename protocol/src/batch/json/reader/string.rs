//! Strings of JSON: plain ones are found eight bytes at a time and never copied.

use super::{Malformed, Reader};

/// Where a text is: between two positions of the message, or without its escapes.
#[derive(Clone, Copy)]
pub(super) enum Text {
    Plain(usize, usize),
    Escaped,
}

impl Reader<'_> {
    /// RFC 8259 section 7.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Malformed> {
        self.open(b'"')?;
        let start = self.at;
        // Eight bytes at a time up to the first that means something; identifiers are long.
        while let Some(word) = self.body[self.at..].first_chunk() {
            let special = special(u64::from_le_bytes(*word));
            self.at += special.trailing_zeros() as usize / 8;
            if special != 0 {
                break;
            }
        }
        loop {
            match *self.body.get(self.at).ok_or(Malformed)? {
                b'"' => {
                    self.at += 1;
                    return Ok(Text::Plain(start, self.at - 1));
                }
                b'\\' => return self.escaped(start),
                0..b' ' => return Err(Malformed),
                _ => self.at += 1,
            }
        }
    }

    /// The rest of a string from its first escape on.
    fn escaped(&mut self, start: usize) -> Result<Text, Malformed> {
        self.unescaped.clear();
        self.unescaped.extend_from_slice(&self.body[start..self.at]);
        loop {
            let byte = *self.body.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(Text::Escaped),
                b'\\' => {
                    let unescaped = self.escape()?;
                    self.unescaped.extend_from_slice(unescaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..b' ' => return Err(Malformed),
                byte => self.unescaped.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = *self.body.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.utf16_unit()?;
                let low = if (0xd800..0xdc00).contains(&unit) {
                    self.literal(b"\\u")?;
                    Some(self.utf16_unit()?)
                } else {
                    None
                };
                let units = [unit].into_iter().chain(low);
                // A lone surrogate stands for no character, so no text holds it.
                char::decode_utf16(units).next().ok_or(Malformed)?.map_err(|_| Malformed)?
            }
            _ => return Err(Malformed),
        })
    }

    fn utf16_unit(&mut self) -> Result<u16, Malformed> {
        let digits = self.body.get(self.at..self.at + 4).ok_or(Malformed)?;
        let mut unit = [0; 2];
        if !crate::hex::parse(digits, &mut unit) {
            return Err(Malformed);
        }
        self.at += 4;
        Ok(u16::from_be_bytes(unit))
    }

    /// The text that stands there.
    #[inline]
    pub(super) fn text(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain(from, to) => &self.body[from..to],
            Text::Escaped => &self.unescaped,
        }
    }
}

/// Sets the high bit of the first byte of `word`, lowest first, that ends plain text: a quote, a backslash or a control
/// character. Bits above that one may be wrong, since borrows only run upwards.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash
        | word.wrapping_sub(ONES * b' ' as u64) & !word)
        & HIGHS
}
