//! A pull reader of CBOR that keeps no tree, never recurses and refuses what is not well-formed.

use super::super::{MAX_DEPTH, Malformed, Scalar};
use super::{ARRAY, BYTES, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED};

/// Where reading stands in a message.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

/// The head of an item (RFC 8949 section 3).
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Major type, 0 to 7.
    pub(super) major: u8,
    /// Argument: a value, a length, a count or the bits of a float, as the major type says.
    pub(super) value: u64,
    /// Whether a break ends it instead of a length; in major type 7 this *is* the break.
    pub(super) indefinite: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, Malformed> {
        let initial = *self.body.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        let (major, info) = (initial >> 5, initial & 0x1f);
        let value = match info {
            0..24 => u64::from(info),
            24 => u64::from(self.argument::<1>()?[0]),
            25 => u64::from(u16::from_be_bytes(self.argument()?)),
            26 => u64::from(u32::from_be_bytes(self.argument()?)),
            27 => u64::from_be_bytes(self.argument()?),
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP | SIMPLE) => 0,
            _ => return Err(Malformed),
        };
        // Simple values below 32 have only the short form (RFC 8949 section 3.3).
        if major == SIMPLE && info == 24 && value < 32 {
            return Err(Malformed);
        }
        Ok(Head { major, value, indefinite: info == 31 })
    }

    /// The major type of the next item.
    pub(super) fn peek_major(&self) -> Result<u8, Malformed> {
        self.body.get(self.at).map(|initial| initial >> 5).ok_or(Malformed)
    }

    /// Whether a list or map has another item or pair; `left` is what is left, `None` if a break will end it.
    #[inline]
    pub(super) fn more(&mut self, left: &mut Option<u64>) -> Result<bool, Malformed> {
        match left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => {
                let ended = *self.body.get(self.at).ok_or(Malformed)? == BREAK;
                self.at += usize::from(ended);
                Ok(!ended)
            }
        }
    }

    /// The key of a pair; `None` for one that is no unsigned integer, which is no key of ours.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Option<u64>, Malformed> {
        if self.peek_major()? == UNSIGNED {
            return Ok(Some(self.head()?.value));
        }
        self.skip().map(|()| None)
    }

    /// The next value; what holds others is skipped, and so are strings in pieces.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<Scalar<'a>, Malformed> {
        let start = self.at;
        let head = self.head()?;
        match head {
            Head { major: UNSIGNED, value, .. } => {
                Ok(i64::try_from(value).map_or(Scalar::Other, Scalar::Integer))
            }
            // -1 - value, as inverted bits.
            Head { major: NEGATIVE, value, .. } => {
                Ok(i64::try_from(value).map_or(Scalar::Other, |value| Scalar::Integer(!value)))
            }
            Head { major: BYTES, value, indefinite: false } => self.take(value).map(Scalar::Bytes),
            Head { major: TEXT, value, indefinite: false } => {
                let text = self.take(value)?;
                str::from_utf8(text).map_err(|_| Malformed)?;
                Ok(Scalar::Text(text))
            }
            Head { major: SIMPLE, .. } if self.body[start] == NULL => Ok(Scalar::Null),
            _ => {
                self.at = start;
                self.skip().map(|()| Scalar::Other)
            }
        }
    }

    /// Passes over the next item, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        // The lists and maps that are open, innermost at `depth - 1`.
        let mut open = [Open { left: 0, until_break: false, pairs: false }; MAX_DEPTH as usize];
        let mut depth = 0;
        let mut tagged = false;
        loop {
            let head = self.head()?;
            match head.major {
                TAG => {
                    tagged = true;
                    continue;
                }
                ARRAY | MAP => {
                    let pairs = head.major == MAP;
                    let left = if pairs { head.value.checked_mul(2).ok_or(Malformed)? } else { head.value };
                    *open.get_mut(depth).ok_or(Malformed)? =
                        Open { left, until_break: head.indefinite, pairs };
                    depth += 1;
                }
                BYTES | TEXT => self.skip_string(head)?,
                SIMPLE if head.indefinite => {
                    let ends = depth > 0 && !tagged && open[depth - 1].ends_by_break();
                    if !ends {
                        return Err(Malformed);
                    }
                    depth -= 1;
                }
                _ => {}
            }
            tagged = false;
            // Whatever has nothing left to come is closed, and so may be what it stood in.
            loop {
                let Some(innermost) = depth.checked_sub(1).map(|index| &mut open[index]) else {
                    return Ok(());
                };
                if innermost.until_break {
                    innermost.left = innermost.left.wrapping_add(1);
                    break;
                }
                if innermost.left > 0 {
                    innermost.left -= 1;
                    break;
                }
                depth -= 1;
            }
        }
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.body.len() { Ok(()) } else { Err(Malformed) }
    }

    /// The rest of a string; the pieces of one without a length have lengths and the same type (section 3.2.3).
    fn skip_string(&mut self, string: Head) -> Result<(), Malformed> {
        if !string.indefinite {
            return self.skip_piece(string);
        }
        loop {
            let piece = self.head()?;
            if piece.major == SIMPLE && piece.indefinite {
                return Ok(());
            }
            if piece.major != string.major || piece.indefinite {
                return Err(Malformed);
            }
            self.skip_piece(piece)?;
        }
    }

    fn skip_piece(&mut self, piece: Head) -> Result<(), Malformed> {
        let bytes = self.take(piece.value)?;
        if piece.major == TEXT && str::from_utf8(bytes).is_err() {
            return Err(Malformed);
        }
        Ok(())
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let bytes = self.body[self.at..].get(..len).ok_or(Malformed)?;
        self.at += len;
        Ok(bytes)
    }

    fn argument<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = *self.body[self.at..].first_chunk::<N>().ok_or(Malformed)?;
        self.at += N;
        Ok(bytes)
    }
}

const BREAK: u8 = 0xff;
const NULL: u8 = 0xf6;

/// A list or map that is being skipped.
#[derive(Clone, Copy)]
struct Open {
    /// Items to come, or, until a break, one more than have come.
    left: u64,
    until_break: bool,
    pairs: bool,
}

impl Open {
    /// Whether a break may come now: not in what has a length, and not between a key and its value.
    fn ends_by_break(&self) -> bool {
        self.until_break && !(self.pairs && self.left.is_multiple_of(2))
    }
}
