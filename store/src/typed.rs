//! Secrets that a person types in: letters that are hard to confuse, read without regard to case and hyphens.

use std::fmt;

use crate::engine::Store;
use crate::error::Result;
use crate::random;

/// A short secret. Prints as `…` except where [`TypedCode::text`] is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedCode {
    letters: String,
    purpose: TypedPurpose,
}

/// What a typed code opens; part of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypedPurpose {
    /// Names a device that waits to be allowed in: 8 letters, 34 bits, to be guessed a few times only.
    Device,
    /// The same for a device that asks to come into an organization.
    Enrolment,
    /// Signs in without the second factor: 12 letters, 51 bits.
    Recovery,
}

/// No vowels, so that no words come out, and no digits (RFC 8628 section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Letters between two hyphens.
const GROUP: usize = 4;

impl TypedCode {
    pub(crate) fn generate(purpose: TypedPurpose) -> Result<Self> {
        let mut letters = String::with_capacity(purpose.length());
        while letters.len() < purpose.length() {
            for byte in random::bytes::<16>()? {
                // 240 is the largest multiple of 20 in a byte: what lies above would favour some letters.
                if byte < 240 && letters.len() < purpose.length() {
                    letters.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
                }
            }
        }
        Ok(Self { letters, purpose })
    }

    /// The code as a person typed it; none when it can be none.
    pub(crate) fn parse(purpose: TypedPurpose, text: &str) -> Option<Self> {
        // Nobody types so much, and nothing is gained by reading it.
        if text.len() > 64 {
            return None;
        }
        let is_letter = |character: &char| !matches!(character, '-' | ' ');
        let letters: String =
            text.chars().filter(is_letter).map(|letter| letter.to_ascii_uppercase()).collect();
        let fits = letters.len() == purpose.length() && letters.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then_some(Self { letters, purpose })
    }

    /// The form that people read: groups of four letters with hyphens between them.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.letters.len() + 2);
        for (index, letter) in self.letters.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// What is stored: BLAKE3 keyed with the installation key, over the purpose and the letters.
    pub(crate) fn hash(&self, store: &Store) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(store.installation_key());
        *hasher.update(self.purpose.domain()).update(self.letters.as_bytes()).finalize().as_bytes()
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl TypedPurpose {
    fn length(self) -> usize {
        match self {
            Self::Device | Self::Enrolment => 8,
            Self::Recovery => 12,
        }
    }

    fn domain(self) -> &'static [u8] {
        match self {
            Self::Device => b"promenade user code\0",
            Self::Enrolment => b"promenade enrolment user code\0",
            Self::Recovery => b"promenade recovery code\0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = TypedCode::generate(TypedPurpose::Device).unwrap();
        let text = code.text();
        assert!(text.len() == 9 && text.as_bytes()[4] == b'-', "{text}");
        let typed = [text.clone(), text.to_lowercase(), text.replace('-', ""), format!(" {text} ")];
        for typed in typed {
            assert_eq!(TypedCode::parse(TypedPurpose::Device, &typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(TypedCode::parse(TypedPurpose::Recovery, &text), None);
        assert_eq!(TypedCode::generate(TypedPurpose::Recovery).unwrap().text().len(), 14);
        assert_eq!(format!("{code:?}"), "…");
    }

    #[test]
    fn what_can_be_no_code_is_refused() {
        for text in ["", "BCDF", "BCDF-GHJA", "BCDF-GHJ1", "BCDF-GHJK-L", "ÄBCDFGHJ", &"-".repeat(100)] {
            assert_eq!(TypedCode::parse(TypedPurpose::Device, text), None, "{text}");
        }
    }
}
