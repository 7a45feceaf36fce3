//! Identifier to the bytes that are hashed, and back.

use super::{Identifier, app};

const IBEACON: u8 = 1;
const EDDYSTONE: u8 = 2;
const EID: u8 = 3;
const ALTBEACON: u8 = 4;
const BLE_PUBLIC: u8 = 5;
const BLE_RANDOM: u8 = 6;
const APP: u8 = 7;

pub(super) fn write<'a>(identifier: &Identifier, buf: &'a mut [u8; Identifier::MAX_LEN]) -> &'a [u8] {
    match identifier {
        Identifier::IBeacon { uuid, major, minor } => {
            join(buf, IBEACON, &[uuid, &major.to_be_bytes(), &minor.to_be_bytes()])
        }
        Identifier::Eddystone { namespace, instance } => join(buf, EDDYSTONE, &[namespace, instance]),
        Identifier::Eid(eid) => join(buf, EID, &[eid]),
        Identifier::AltBeacon(id) => join(buf, ALTBEACON, &[id]),
        Identifier::Ble { address, random: false } => join(buf, BLE_PUBLIC, &[address]),
        Identifier::Ble { address, random: true } => join(buf, BLE_RANDOM, &[address]),
        Identifier::App(opaque) => {
            let opaque = opaque.as_bytes();
            join(buf, APP, &[opaque.get(..Identifier::MAX_APP_LEN).unwrap_or(opaque)])
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Option<Identifier> {
    let (&kind, rest) = bytes.split_first()?;
    match kind {
        IBEACON => {
            let rest: &[u8; 20] = rest.try_into().ok()?;
            let (uuid, numbers) = rest.split_first_chunk::<16>()?;
            Some(Identifier::IBeacon {
                uuid: *uuid,
                major: u16::from_be_bytes([numbers[0], numbers[1]]),
                minor: u16::from_be_bytes([numbers[2], numbers[3]]),
            })
        }
        EDDYSTONE => {
            let (namespace, instance) = rest.split_first_chunk::<10>()?;
            Some(Identifier::Eddystone { namespace: *namespace, instance: instance.try_into().ok()? })
        }
        EID => Some(Identifier::Eid(rest.try_into().ok()?)),
        ALTBEACON => Some(Identifier::AltBeacon(rest.try_into().ok()?)),
        BLE_PUBLIC => Some(Identifier::Ble { address: rest.try_into().ok()?, random: false }),
        BLE_RANDOM => Some(Identifier::Ble { address: rest.try_into().ok()?, random: true }),
        APP => app(rest),
        _ => None,
    }
}

fn join<'a>(buf: &'a mut [u8; Identifier::MAX_LEN], kind: u8, parts: &[&[u8]]) -> &'a [u8] {
    buf[0] = kind;
    let mut len = 1;
    for part in parts {
        buf[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    &buf[..len]
}
