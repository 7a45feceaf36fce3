//! The name a reporter gives to one of its runs.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// One run of a reporter: batches are numbered from 0 within it.
///
/// 1 to 16 characters of `A-Z a-z 0-9 _ -`, held inline; a reporter picks it at random when its counter starts over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot([u8; Self::MAX_LEN]);

/// A text that cannot name a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a boot is 1 to 16 characters of A-Z a-z 0-9 _ -")]
pub struct BootError;

impl Boot {
    /// Characters, which are also bytes, of the longest name.
    pub const MAX_LEN: usize = 16;

    /// The name.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&byte| byte == 0).unwrap_or(Self::MAX_LEN);
        // The constructor lets in ASCII only, so this never falls back.
        str::from_utf8(&self.0[..len]).unwrap_or_default()
    }

    /// The name in these bytes, as it stands in a message.
    pub(crate) fn from_bytes(name: &[u8]) -> Result<Self, BootError> {
        let legal = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > Self::MAX_LEN || !name.iter().all(legal) {
            return Err(BootError);
        }
        // The rest stays zero, which is no legal character and so also marks the end.
        let mut inline = [0; Self::MAX_LEN];
        inline[..name.len()].copy_from_slice(name);
        Ok(Self(inline))
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Boot({:?})", self.as_str())
    }
}

impl FromStr for Boot {
    type Err = BootError;

    fn from_str(text: &str) -> Result<Self, BootError> {
        Self::from_bytes(text.as_bytes())
    }
}

serde_as_text!(Boot, "1 to 16 characters of A-Z a-z 0-9 _ -");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_sixteen_characters() {
        for right in ["a", "k3v9", "A_z-09", "0123456789abcdef"] {
            assert_eq!(right.parse::<Boot>().unwrap().as_str(), right);
        }
        for wrong in ["", "0123456789abcdefg", "a b", "é", "a\0", "a/b"] {
            assert_eq!(wrong.parse::<Boot>(), Err(BootError), "{wrong:?}");
        }
    }

    #[test]
    fn boots_order_as_their_names_do() {
        let boot = |name: &str| name.parse::<Boot>().unwrap();
        assert!(boot("a") < boot("aa"));
        assert!(boot("ab") < boot("b"));
        assert_eq!(format!("{:?}", boot("k3v9")), "Boot(\"k3v9\")");
    }
}
