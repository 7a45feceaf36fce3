//! Secrets of devices, keys, people and applications: shown once, stored as a keyed hash.

use std::fmt;

use crate::engine::Store;
use crate::error::Result;
use crate::random;

/// 32 random bytes that prove to be somebody. Prints as `…` except where [`Secret::text`] is asked for.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub struct Secret {
    bytes: [u8; 32],
    purpose: Purpose,
}

/// What a secret opens. It is part of the hash, so that a device's secret is never an API key and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A device's password; 43 characters of base64url.
    Device,
    /// An API key; `pk_` and 43 characters of base64url.
    ApiKey,
    /// A link that is sent by mail and works once; `ol_` and so on.
    Link,
    /// An invitation into an organization; `in_`.
    Invitation,
    /// A browser that a person signed in with; `bs_`.
    BrowserSession,
    /// An application that can keep a secret; `cs_`.
    Client,
    /// An authorization code; `ac_`.
    Code,
    /// A refresh token; `rt_`.
    RefreshToken,
    /// The code that a device without a keyboard asks with; `dc_`.
    DeviceCode,
    /// The `state` of a sign-in by another provider; `us_`.
    UpstreamState,
    /// The code that a device which asks to come in polls with; `ec_`.
    Enrolment,
    /// A key that devices of a fleet ask to come in with; `ck_`.
    ClaimKey,
}

impl Secret {
    pub(crate) fn generate(purpose: Purpose) -> Result<Self> {
        Ok(Self { bytes: random::bytes()?, purpose })
    }

    /// The secret as it was given out; none when the text has another shape.
    pub(crate) fn parse(purpose: Purpose, text: &str) -> Option<Self> {
        let text = text.strip_prefix(purpose.prefix())?;
        Some(Self { bytes: decode(text.as_bytes())?, purpose })
    }

    /// The form that is given to its owner: base64url without padding (RFC 4648 section 5), most with a
    /// prefix that says what it is.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(46);
        text.push_str(self.purpose.prefix());
        encode(&self.bytes, &mut text);
        text
    }

    /// What is stored: BLAKE3 keyed with the installation key, over the purpose and the secret.
    pub(crate) fn hash(&self, installation_key: &[u8; 32]) -> blake3::Hash {
        blake3::Hasher::new_keyed(installation_key)
            .update(self.purpose.domain())
            .update(&self.bytes)
            .finalize()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Store {
    /// A new secret and its hash.
    pub(crate) fn mint(&self, purpose: Purpose) -> Result<(Secret, [u8; 32])> {
        let secret = Secret::generate(purpose)?;
        let hash = secret.hash(self.installation_key());
        Ok((secret, *hash.as_bytes()))
    }

    /// The hash that a presented secret is looked up by; none when the text has another shape.
    pub(crate) fn hashed(&self, purpose: Purpose, presented: &str) -> Option<[u8; 32]> {
        let secret = Secret::parse(purpose, presented)?;
        Some(*secret.hash(self.installation_key()).as_bytes())
    }
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Device => "",
            Self::ApiKey => "pk_",
            Self::Link => "ol_",
            Self::Invitation => "in_",
            Self::BrowserSession => "bs_",
            Self::Client => "cs_",
            Self::Code => "ac_",
            Self::RefreshToken => "rt_",
            Self::DeviceCode => "dc_",
            Self::UpstreamState => "us_",
            Self::Enrolment => "ec_",
            Self::ClaimKey => "ck_",
        }
    }

    fn domain(self) -> &'static [u8] {
        match self {
            Self::Device => b"promenade device secret\0",
            Self::ApiKey => b"promenade api key\0",
            Self::Link => b"promenade one-time link\0",
            Self::Invitation => b"promenade invitation\0",
            Self::BrowserSession => b"promenade browser session\0",
            Self::Client => b"promenade client secret\0",
            Self::Code => b"promenade authorization code\0",
            Self::RefreshToken => b"promenade refresh token\0",
            Self::DeviceCode => b"promenade device code\0",
            Self::UpstreamState => b"promenade upstream state\0",
            Self::Enrolment => b"promenade enrolment code\0",
            Self::ClaimKey => b"promenade claim key\0",
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Characters of 32 bytes: ten groups of three bytes make 40, the two bytes that remain make 3.
const CHARACTERS: usize = 43;

fn encode(bytes: &[u8; 32], text: &mut String) {
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
}

fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != CHARACTERS {
        return None;
    }
    let mut bytes = [0; 32];
    for (characters, group) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let mut bits = 0_u32;
        for (place, character) in characters.iter().enumerate() {
            let value = ALPHABET.iter().position(|known| known == character)?;
            bits |= (value as u32) << (18 - 6 * place);
        }
        let padded = bits.to_be_bytes();
        // Bits past the last byte have to be zero, else one secret would have several texts.
        if padded[1 + group.len()..].iter().any(|&rest| rest != 0) {
            return None;
        }
        group.copy_from_slice(&padded[1..=group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_text_is_base64url() {
        let bytes = std::array::from_fn(|index| (index * 8 + 3) as u8);
        let secret = Secret { bytes, purpose: Purpose::ApiKey };
        assert_eq!(secret.text(), "pk_AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_s");
        assert_eq!(Secret::parse(Purpose::ApiKey, &secret.text()), Some(secret));
    }

    #[test]
    fn a_generated_secret_parses_as_itself_only() {
        let device = Secret::generate(Purpose::Device).unwrap();
        let text = device.text();
        assert_eq!(text.len(), 43);
        assert_eq!(Secret::parse(Purpose::Device, &text), Some(device));
        assert_eq!(Secret::parse(Purpose::ApiKey, &text), None);
    }

    #[test]
    fn other_shapes_are_refused() {
        let zeros = "A".repeat(43);
        assert!(Secret::parse(Purpose::Device, &zeros).is_some());
        for text in [
            "",
            "A",
            &"A".repeat(42),
            &"A".repeat(44),
            &format!("{}B", &zeros[1..]),
            &format!("{}=", &zeros[1..]),
        ] {
            assert_eq!(Secret::parse(Purpose::Device, text), None, "{text}");
        }
    }

    #[test]
    fn the_hash_depends_on_key_and_purpose() {
        let device = Secret { bytes: [7; 32], purpose: Purpose::Device };
        let key = Secret { bytes: [7; 32], purpose: Purpose::ApiKey };
        assert_eq!(device.hash(&[1; 32]), device.hash(&[1; 32]));
        assert_ne!(device.hash(&[1; 32]), device.hash(&[2; 32]));
        assert_ne!(device.hash(&[1; 32]), key.hash(&[1; 32]));
    }

    #[test]
    fn each_purpose_has_a_prefix_and_a_domain_of_its_own() {
        let purposes = [
            Purpose::Device,
            Purpose::ApiKey,
            Purpose::Link,
            Purpose::Invitation,
            Purpose::BrowserSession,
            Purpose::Client,
            Purpose::Code,
            Purpose::RefreshToken,
            Purpose::DeviceCode,
            Purpose::UpstreamState,
            Purpose::Enrolment,
            Purpose::ClaimKey,
        ];
        let prefixes = BTreeSet::from(purposes.map(Purpose::prefix));
        let domains = BTreeSet::from(purposes.map(Purpose::domain));
        assert_eq!((prefixes.len(), domains.len()), (purposes.len(), purposes.len()));
    }

    #[test]
    fn debugging_does_not_show_it() {
        assert_eq!(format!("{:?}", Some(Secret { bytes: [7; 32], purpose: Purpose::Device })), "Some(…)");
    }
}
