//! Text to identifier, once for every ping: table-driven, and only `app:` allocates.

use super::{Identifier, app};
use crate::hex;

pub(super) fn parse(text: &[u8]) -> Option<Identifier> {
    let (kind, rest) = split(text)?;
    match kind {
        b"ibeacon" => ibeacon(rest),
        b"eddystone" => eddystone(rest),
        b"eid" => fixed(rest).map(Identifier::Eid),
        b"altbeacon" => fixed(rest).map(Identifier::AltBeacon),
        b"ble" => ble(rest),
        b"app" => app(rest),
        _ => None,
    }
}

fn ibeacon(rest: &[u8]) -> Option<Identifier> {
    let (uuid, numbers) = rest.split_first_chunk::<36>()?;
    let (major, minor) = split(numbers.strip_prefix(b":")?)?;
    Some(Identifier::IBeacon { uuid: hyphenated(uuid)?, major: decimal(major)?, minor: decimal(minor)? })
}

fn eddystone(rest: &[u8]) -> Option<Identifier> {
    let (namespace, instance) = split(rest)?;
    Some(Identifier::Eddystone { namespace: fixed(namespace)?, instance: fixed(instance)? })
}

fn ble(rest: &[u8]) -> Option<Identifier> {
    let (random, rest) = match rest.strip_prefix(b"~") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest: &[u8; 17] = rest.try_into().ok()?;
    let mut address = [0; 6];
    for (index, byte) in address.iter_mut().enumerate() {
        let start = 3 * index;
        if index > 0 && rest[start - 1] != b':' {
            return None;
        }
        if !hex::parse(&rest[start..start + 2], std::slice::from_mut(byte)) {
            return None;
        }
    }
    Some(Identifier::Ble { address, random })
}

/// What stands before and after the first colon.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    Some((&text[..colon], &text[colon + 1..]))
}

fn fixed<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::parse(digits, &mut bytes).then_some(bytes)
}

fn hyphenated(text: &[u8; 36]) -> Option<[u8; 16]> {
    if [8, 13, 18, 23].iter().any(|&hyphen| text[hyphen] != b'-') {
        return None;
    }
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(&text[..8]);
    digits[8..12].copy_from_slice(&text[9..13]);
    digits[12..16].copy_from_slice(&text[14..18]);
    digits[16..20].copy_from_slice(&text[19..23]);
    digits[20..].copy_from_slice(&text[24..]);
    fixed(&digits)
}

/// At most five digits, so that a number has few spellings and cannot overflow on the way.
fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    let mut number = 0u32;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u32::from(digit - b'0');
    }
    u16::try_from(number).ok()
}
