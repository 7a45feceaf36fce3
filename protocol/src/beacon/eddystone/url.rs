//! Eddystone-URL (`eddystone-url/README.md`, "Frame Specification").

use super::super::BeaconError;
use super::URL;

/// Most bytes after the scheme.
const MAX_LEN: usize = 17;

/// By the byte that stands for it ("URL Scheme Prefix").
const SCHEMES: [&str; 4] = ["http://www.", "https://www.", "http://", "https://"];

/// By the byte that stands for it ("Eddystone-URL HTTP URL encoding"). Each has one dot, at its start, so taking the
/// longest that fits is also the shortest encoding.
const ENDINGS: [&str; 14] = [
    ".com/", ".org/", ".edu/", ".net/", ".info/", ".biz/", ".gov/", ".com", ".org", ".edu", ".net", ".info",
    ".biz", ".gov",
];

/// A web address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    power: i8,
    address: String,
    encoded: Vec<u8>,
}

impl Url {
    /// The frame of an address that is HTTP or HTTPS, visible ASCII and short enough.
    pub fn new(power: i8, url: &str) -> Result<Self, BeaconError> {
        let mut encoded = Vec::with_capacity(1 + MAX_LEN);
        let mut rest = take(url, &SCHEMES, &mut encoded).ok_or(BeaconError::Value)?;
        while let Some(&byte) = rest.as_bytes().first() {
            if !byte.is_ascii_graphic() {
                return Err(BeaconError::Value);
            }
            rest = take(rest, &ENDINGS, &mut encoded).unwrap_or_else(|| {
                encoded.push(byte);
                &rest[1..]
            });
        }
        if encoded.len() > 1 + MAX_LEN {
            return Err(BeaconError::Length);
        }
        Ok(Self { power, address: url.to_owned(), encoded })
    }

    /// Dbm at 0 m.
    pub const fn power(&self) -> i8 {
        self.power
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// From service data of Eddystone, without the UUID.
    pub fn decode(data: &[u8]) -> Result<Self, BeaconError> {
        let [URL, frame @ ..] = data else { return Err(BeaconError::Unknown) };
        let [power, scheme, rest @ ..] = frame else { return Err(BeaconError::Length) };
        if rest.len() > MAX_LEN {
            return Err(BeaconError::Length);
        }
        let mut url = SCHEMES.get(usize::from(*scheme)).ok_or(BeaconError::Value)?.to_string();
        for &byte in rest {
            match ENDINGS.get(usize::from(byte)) {
                Some(ending) => url.push_str(ending),
                None if byte.is_ascii_graphic() => url.push(char::from(byte)),
                None => return Err(BeaconError::Value),
            }
        }
        Self::new(power.cast_signed(), &url)
    }

    /// To service data, without the UUID.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![URL, self.power.cast_unsigned()];
        data.extend_from_slice(&self.encoded);
        data
    }
}

/// Replaces the longest of the expansions that `text` starts with by its byte and returns the rest.
fn take<'a>(text: &'a str, expansions: &[&str], encoded: &mut Vec<u8>) -> Option<&'a str> {
    let fitting = expansions.iter().enumerate().filter(|(_, expansion)| text.starts_with(**expansion));
    let (code, expansion) = fitting.max_by_key(|(_, expansion)| expansion.len())?;
    encoded.push(code as u8);
    Some(&text[expansion.len()..])
}
