//! Which identifiers a venue counts beyond the usual ones.

use std::fmt;
use std::str::FromStr;

use protocol::Identifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A prefix of identifiers that a venue admits as subjects, on top of registered tags, `app:` and fixed `ble:` addresses.
///
/// Written as the identifier is, cut after any of its parts: `ibeacon:`, `ibeacon:UUID`, `ibeacon:UUID:MAJOR`,
/// `eddystone:NAMESPACE`, `altbeacon:HEX32` (its first 16 bytes), or a whole identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Admission {
    /// All of one scheme: `ibeacon:`, `eddystone:`, `eid:`, `altbeacon:`, `ble:` or `app:`.
    Scheme(&'static str),
    /// All iBeacons of a UUID, or of a UUID and major.
    IBeacon {
        /// The proximity UUID.
        uuid: [u8; 16],
        /// The major; none for any.
        major: Option<u16>,
    },
    /// All Eddystone-UID beacons of a namespace.
    Eddystone {
        /// The namespace.
        namespace: [u8; 10],
    },
    /// All `AltBeacons` whose identifier begins with these bytes.
    AltBeacon([u8; 16]),
    /// Exactly this one.
    Exact(Identifier),
}

/// A text that is no prefix of an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identifier and no prefix of one")]
pub struct AdmissionError(String);

const SCHEMES: [&str; 6] = ["ibeacon:", "eddystone:", "eid:", "altbeacon:", "ble:", "app:"];

impl Admission {
    /// Whether it admits `identifier`. Private random addresses are never admitted: they are gone in minutes.
    pub fn admits(&self, identifier: &Identifier) -> bool {
        if identifier.is_transient() {
            return false;
        }
        match (self, identifier) {
            (Self::Scheme(scheme), identifier) => *scheme == scheme_of(identifier),
            (Self::IBeacon { uuid, major }, Identifier::IBeacon { uuid: heard, major: heard_major, .. }) => {
                uuid == heard && major.is_none_or(|major| major == *heard_major)
            }
            (Self::Eddystone { namespace }, Identifier::Eddystone { namespace: heard, .. }) => {
                namespace == heard
            }
            (Self::AltBeacon(prefix), Identifier::AltBeacon(heard)) => heard.starts_with(prefix),
            (Self::Exact(identifier), heard) => identifier == heard,
            _ => false,
        }
    }
}

fn scheme_of(identifier: &Identifier) -> &'static str {
    match identifier {
        Identifier::IBeacon { .. } => SCHEMES[0],
        Identifier::Eddystone { .. } => SCHEMES[1],
        Identifier::Eid(_) => SCHEMES[2],
        Identifier::AltBeacon(_) => SCHEMES[3],
        Identifier::Ble { .. } => SCHEMES[4],
        Identifier::App(_) => SCHEMES[5],
    }
}

impl FromStr for Admission {
    type Err = AdmissionError;

    fn from_str(text: &str) -> Result<Self, AdmissionError> {
        if let Ok(identifier) = text.parse() {
            return Ok(Self::Exact(identifier));
        }
        parse_prefix(text).ok_or_else(|| AdmissionError(text.to_owned()))
    }
}

/// A cut identifier, read by completing it: the parser of whole identifiers stays the only one.
fn parse_prefix(text: &str) -> Option<Admission> {
    if let Some(scheme) = SCHEMES.iter().find(|scheme| **scheme == text) {
        return Some(Admission::Scheme(scheme));
    }
    let whole = |rest: &str| format!("{text}{rest}").parse::<Identifier>().ok();
    if let Some(Identifier::IBeacon { uuid, .. }) = whole(":0:0") {
        return Some(Admission::IBeacon { uuid, major: None });
    }
    if let Some(Identifier::IBeacon { uuid, major, .. }) = whole(":0") {
        return Some(Admission::IBeacon { uuid, major: Some(major) });
    }
    if let Some(Identifier::Eddystone { namespace, .. }) = whole(":000000000000") {
        return Some(Admission::Eddystone { namespace });
    }
    match whole("00000000") {
        Some(Identifier::AltBeacon(bytes)) => bytes.first_chunk().copied().map(Admission::AltBeacon),
        _ => None,
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => f.write_str(scheme),
            Self::IBeacon { uuid, major: None } => write!(f, "ibeacon:{}", Uuid::from_bytes(*uuid)),
            Self::IBeacon { uuid, major: Some(major) } => {
                write!(f, "ibeacon:{}:{major}", Uuid::from_bytes(*uuid))
            }
            Self::Eddystone { namespace } => hex(f, "eddystone:", namespace),
            Self::AltBeacon(prefix) => hex(f, "altbeacon:", prefix),
            Self::Exact(identifier) => write!(f, "{identifier}"),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, scheme: &str, bytes: &[u8]) -> fmt::Result {
    f.write_str(scheme)?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl Serialize for Admission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Admission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "f7826da6-4fa2-4e98-8024-bc5b71e0893e";

    fn admits(admission: &str, identifier: &str) -> bool {
        admission.parse::<Admission>().unwrap().admits(&identifier.parse().unwrap())
    }

    #[test]
    fn prefixes_print_as_they_are_written() {
        for text in [
            "ibeacon:".to_owned(),
            "app:".to_owned(),
            format!("ibeacon:{UUID}"),
            format!("ibeacon:{UUID}:1"),
            format!("ibeacon:{UUID}:1:7"),
            "eddystone:00112233445566778899".to_owned(),
            "eddystone:00112233445566778899:aabbccddeeff".to_owned(),
            "altbeacon:00112233445566778899aabbccddeeff".to_owned(),
            "ble:aa:bb:cc:dd:ee:ff".to_owned(),
        ] {
            assert_eq!(text.parse::<Admission>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ibeacon", "ibeacon:f7826da6", "eddystone:00", "altbeacon:00", "tag", "ble:aa:bb"] {
            assert_eq!(text.parse::<Admission>(), Err(AdmissionError(text.into())), "{text}");
        }
    }

    #[test]
    fn a_prefix_admits_what_begins_with_it() {
        let heard = format!("ibeacon:{UUID}:1:7");
        assert!(admits("ibeacon:", &heard));
        assert!(admits(&format!("ibeacon:{}", UUID.to_uppercase()), &heard));
        assert!(admits(&format!("ibeacon:{UUID}:1"), &heard));
        assert!(!admits(&format!("ibeacon:{UUID}:2"), &heard));
        assert!(!admits(&format!("ibeacon:{UUID}:1:8"), &heard));
        assert!(admits("eddystone:00112233445566778899", "eddystone:00112233445566778899:aabbccddeeff"));
        assert!(!admits("eddystone:00112233445566778800", "eddystone:00112233445566778899:aabbccddeeff"));
        assert!(admits(
            "altbeacon:00112233445566778899aabbccddeeff",
            "altbeacon:00112233445566778899aabbccddeeff01020304"
        ));
        assert!(!admits("app:", &heard));
    }

    #[test]
    fn private_random_addresses_are_never_admitted() {
        assert!(admits("ble:", "ble:aa:bb:cc:dd:ee:ff"));
        assert!(!admits("ble:", "ble:~4a:bb:cc:dd:ee:ff"));
        assert!(!admits("ble:~4a:bb:cc:dd:ee:ff", "ble:~4a:bb:cc:dd:ee:ff"));
    }
}
