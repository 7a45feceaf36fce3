//! Who is counted, without saying who.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// The pseudonym of a phone, a tag or an admitted identifier, of one organization and key epoch.
///
/// Prints and parses as exactly 32 lowercase hexadecimal digits, most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(pub u128);

/// A text that is not 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 32 lowercase hexadecimal digits")]
pub struct SubjectError;

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let lowercase = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(lowercase) {
            return Err(SubjectError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| SubjectError)
    }
}

serde_as_text!(Subject, "32 lowercase hexadecimal digits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_printed() {
        assert_eq!(Subject(0xab).to_string(), "000000000000000000000000000000ab");
        assert_eq!("000000000000000000000000000000ab".parse(), Ok(Subject(0xab)));
    }

    #[test]
    fn other_spellings_are_refused() {
        for wrong in ["", "ab", "000000000000000000000000000000AB", "+00000000000000000000000000000ab"] {
            assert_eq!(wrong.parse::<Subject>(), Err(SubjectError), "{wrong}");
        }
    }
}
