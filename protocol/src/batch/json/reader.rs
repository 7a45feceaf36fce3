//! A pull reader of JSON that keeps no tree, never recurses and lets any number be just a number.
//!
//! General parsers fit badly here: they recurse on values nobody asked for, and fail a whole message for one number that
//! no float can hold.

mod string;

use super::super::{MAX_DEPTH, Malformed, Scalar};

/// Where reading stands in a message of valid UTF-8.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    /// The last text that had escapes, without them.
    unescaped: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, unescaped: Vec::new() }
    }

    /// The first byte of the next token, after white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, Malformed> {
        while let Some(&byte) = self.body.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Malformed)
    }

    /// Enters a list or an object by this bracket.
    #[inline]
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Malformed> {
        if self.peek()? != bracket {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the list just opened has a value; leaves it if not.
    pub(super) fn first_item(&mut self) -> Result<bool, Malformed> {
        self.first(b']')
    }

    /// Whether the object just opened has a key; leaves it if not.
    pub(super) fn first_key(&mut self) -> Result<bool, Malformed> {
        self.first(b'}')
    }

    /// After a value: whether the list has another one; leaves it if not.
    pub(super) fn next_item(&mut self) -> Result<bool, Malformed> {
        self.next(b']')
    }

    /// After a value: whether the object has another key; leaves it if not.
    pub(super) fn next_key(&mut self) -> Result<bool, Malformed> {
        self.next(b'}')
    }

    /// A key and the colon after it.
    #[inline]
    pub(super) fn key(&mut self) -> Result<&[u8], Malformed> {
        let key = self.string()?;
        self.open(b':')?;
        Ok(self.text(key))
    }

    /// The next value; what holds others is skipped.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<Scalar<'_>, Malformed> {
        match self.peek()? {
            b'"' => {
                let text = self.string()?;
                Ok(Scalar::Text(self.text(text)))
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.literal(b"null").map(|()| Scalar::Null),
            _ => self.skip().map(|()| Scalar::Other),
        }
    }

    /// Passes over the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut open = Open::default();
        loop {
            let byte = self.peek()?;
            let complete = if let b'{' | b'[' = byte {
                self.at += 1;
                let object = byte == b'{';
                let filled = self.first(closing(object))?;
                if filled {
                    open.enter(object)?;
                }
                !filled
            } else {
                self.plain(byte)?;
                true
            };
            if complete {
                // It may have been the last of what holds it, and that the last of what holds that.
                while let Some(object) = open.innermost() {
                    if self.next(closing(object))? {
                        break;
                    }
                    open.leave();
                }
            }
            match open.innermost() {
                None => return Ok(()),
                Some(true) => drop(self.key()?),
                Some(false) => {}
            }
        }
    }

    /// That nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Ok(_) => Err(Malformed),
            Err(Malformed) => Ok(()),
        }
    }

    /// Passes over a value that holds no others and starts with this byte.
    fn plain(&mut self, byte: u8) -> Result<(), Malformed> {
        match byte {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(Malformed),
        }
    }

    fn first(&mut self, close: u8) -> Result<bool, Malformed> {
        let empty = self.peek()? == close;
        self.at += usize::from(empty);
        Ok(!empty)
    }

    #[inline]
    fn next(&mut self, close: u8) -> Result<bool, Malformed> {
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.body[self.at..].starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    /// RFC 8259 section 6. Only what is written as an integer is one: `-67.0` and `1e2` are not.
    #[inline]
    fn number(&mut self) -> Result<Scalar<'static>, Malformed> {
        let negative = self.body[self.at] == b'-';
        self.at += usize::from(negative);
        let digits = &self.body[self.at..];
        let (mut len, mut sum) = (0, 0u64);
        while let Some(digit) =
            digits.get(len).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
        {
            sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        if len == 0 || len > 1 && digits[0] == b'0' {
            return Err(Malformed);
        }
        self.at += len;
        match self.body.get(self.at) {
            Some(b'.' | b'e' | b'E') => return self.fraction_and_exponent().map(|()| Scalar::Other),
            Some(_) => {}
            // A batch never ends in a number: digits are missing, and half of a `seq` would be another one.
            None => return Err(Malformed),
        }
        // Nineteen digits cannot wrap around, and no 64-bit integer has more.
        let value = if len > 19 {
            None
        } else if negative {
            0i64.checked_sub_unsigned(sum)
        } else {
            i64::try_from(sum).ok()
        };
        Ok(value.map_or(Scalar::Other, Scalar::Integer))
    }

    fn fraction_and_exponent(&mut self) -> Result<(), Malformed> {
        if self.body[self.at] == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.body.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.body.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let len = self.body[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += len;
        if len == 0 { Err(Malformed) } else { Ok(()) }
    }
}

/// The lists and objects that are being skipped, one bit each: enough to know what may come next.
#[derive(Default)]
struct Open {
    depth: u32,
    objects: u128,
}

impl Open {
    fn enter(&mut self, object: bool) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        Ok(())
    }

    /// Whether the innermost is an object; `None` if none is open.
    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.objects & 1 == 1)
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }
}

const fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}
