//! Values as scanners write them: numbers as texts, addresses with and without colons.

use serde_json::Value;

use super::Flaw;
use crate::{Identifier, Reason, batch::is_dbm, hex};

/// Longest text that is read as a number.
const MAX_DIGITS: usize = 32;

/// What is known of an address beside its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The scanner says that it is public.
    Public,
    /// The scanner says that it is random.
    Random,
    /// It stays, whichever it is.
    Fixed,
    /// Nothing.
    Unknown,
}

/// A finite number, also one in quotes.
pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.len() <= MAX_DIGITS => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// A whole number from 0 to 65,535.
pub(super) fn number16(value: Option<&Value>) -> Option<u16> {
    let number = number(value)?;
    (number.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&number)).then_some(number as u16)
}

/// A percentage, rounded.
pub(super) fn percent(value: Option<&Value>) -> Option<u8> {
    let rounded = number(value)?.round();
    (0.0..=100.0).contains(&rounded).then_some(rounded as u8)
}

/// A power in dBm, rounded; scanners average.
pub(super) fn dbm(value: Option<&Value>) -> Option<i8> {
    let rounded = number(value)?.round();
    if !(-128.0..128.0).contains(&rounded) {
        return None;
    }
    Some(rounded as i8).filter(|power| is_dbm(*power))
}

/// The signal strength; none where the object names none, so that it is no sighting.
pub(super) fn rssi(value: Option<&Value>, path: &str) -> Result<Option<i8>, Flaw> {
    match value {
        None | Some(Value::Null) => Ok(None),
        value => {
            let flaw = || Flaw::new(Reason::BadRssi, path, "a number of dBm from -127 to 20");
            dbm(value).map(Some).ok_or_else(flaw)
        }
    }
}

/// Exactly `N` bytes in hexadecimal, with hyphens or colons in between or without.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut digits = [0; 64];
    let digits = digits.get_mut(..2 * N)?;
    let mut written = text.bytes().filter(|byte| !matches!(byte, b'-' | b':'));
    for digit in &mut *digits {
        *digit = written.next()?;
    }
    (written.next().is_none() && hex::parse(digits, &mut bytes)).then_some(bytes)
}

/// Any number of bytes in hexadecimal.
pub(super) fn all_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    hex::parse(text.as_bytes(), &mut bytes).then_some(bytes)
}

/// An address as an identifier. What is not said of it is told from its two top bits: private random addresses have 00 or 01
/// there, static ones 11, and 10 is none of them (Bluetooth Core Specification 5.4, volume 6 part B section 1.3.2). What may be
/// private counts as that, since nobody must be counted again under each of their addresses.
pub(super) fn address(address: [u8; 6], kind: Kind) -> Identifier {
    let random = match (kind, address[0] >> 6) {
        (Kind::Random, _) | (Kind::Fixed | Kind::Unknown, 0b11) | (Kind::Unknown, 0b00 | 0b01) => true,
        (Kind::Public | Kind::Fixed | Kind::Unknown, _) => false,
    };
    Identifier::Ble { address, random }
}

/// The 20 bytes of an `AltBeacon`, of which the last two pairs are by custom two numbers.
pub(super) fn altbeacon(uuid: [u8; 16], major: u16, minor: u16) -> Identifier {
    let mut id = [0; 20];
    id[..16].copy_from_slice(&uuid);
    id[16..18].copy_from_slice(&major.to_be_bytes());
    id[18..].copy_from_slice(&minor.to_be_bytes());
    Identifier::AltBeacon(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_with_and_without_quotes() {
        for (value, read) in [
            (json!(-67), Some(-67)),
            (json!(-67.5), Some(-68)),
            (json!("-67"), Some(-67)),
            (json!(" -67.2 "), Some(-67)),
            (json!(20), Some(20)),
            (json!(-127), Some(-127)),
            (json!(21), None),
            (json!(-128), None),
            (json!(1e300), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!(true), None),
            (json!([-67]), None),
            (json!("x".repeat(1000)), None),
        ] {
            assert_eq!(dbm(Some(&value)), read, "{value}");
        }
        assert_eq!(rssi(None, "/rssi"), Ok(None));
        assert_eq!(rssi(Some(&Value::Null), "/rssi"), Ok(None));
        assert_eq!(rssi(Some(&json!(99)), "/rssi").unwrap_err().reason, Reason::BadRssi);
        for (value, read) in
            [(json!(0), Some(0)), (json!("65535"), Some(65535)), (json!(65536), None), (json!(1.5), None)]
        {
            assert_eq!(number16(Some(&value)), read, "{value}");
        }
    }

    #[test]
    fn bytes_are_exactly_as_many() {
        for text in ["aabbccddeeff", "AA:BB:CC:DD:EE:FF", "aa-bb-cc-dd-ee-ff"] {
            assert_eq!(bytes(text), Some([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]), "{text}");
        }
        for text in ["", "aabbccddeef", "aabbccddeeff0", "aabbccddeegg", "ää:bb:cc:dd:ee:ff"] {
            assert_eq!(bytes::<6>(text), None, "{text}");
        }
        assert_eq!(all_bytes("0aFF"), Some(vec![0x0a, 0xff]));
        assert_eq!((all_bytes("0"), all_bytes("zz"), all_bytes("")), (None, None, Some(Vec::new())));
    }

    #[test]
    fn an_address_that_may_be_private_counts_as_private() {
        let text = |top: u8, kind| address([top, 0, 0, 0, 0, 1], kind).to_string();
        for (top, kind, read) in [
            (0x00, Kind::Unknown, "ble:~00:00:00:00:00:01"),
            (0x40, Kind::Unknown, "ble:~40:00:00:00:00:01"),
            (0x80, Kind::Unknown, "ble:80:00:00:00:00:01"),
            (0xc0, Kind::Unknown, "ble:~c0:00:00:00:00:01"),
            (0x00, Kind::Fixed, "ble:00:00:00:00:00:01"),
            (0x40, Kind::Fixed, "ble:40:00:00:00:00:01"),
            (0xc0, Kind::Fixed, "ble:~c0:00:00:00:00:01"),
            (0x40, Kind::Public, "ble:40:00:00:00:00:01"),
            (0xc0, Kind::Public, "ble:c0:00:00:00:00:01"),
            (0x80, Kind::Random, "ble:~80:00:00:00:00:01"),
            (0xc0, Kind::Random, "ble:~c0:00:00:00:00:01"),
        ] {
            assert_eq!(text(top, kind), read, "{kind:?}");
        }
        assert!(!address([0xc0, 0, 0, 0, 0, 1], Kind::Unknown).is_transient(), "neither kind of it changes");
    }
}
