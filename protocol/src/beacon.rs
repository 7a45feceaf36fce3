//! Frames that beacons broadcast, out of advertising data and back.
//!
//! Advertising data is a row of structures of a length, a type and data (Bluetooth Core Specification 5.4, volume 3
//! part C section 11). Beacons use two types of the Core Specification Supplement 11, part A: manufacturer specific data
//! (section 1.4) and service data of a 16-bit UUID (section 1.11).

mod altbeacon;
mod eddystone;
mod ephemeral;
mod ibeacon;
mod state;

use crate::Identifier;

pub use altbeacon::AltBeacon;
pub use eddystone::{Eid, SERVICE as EDDYSTONE_SERVICE, Tlm, Uid, Url};
pub use ephemeral::{Eids, IdentityKey, IdentityKeyError, MAX_ROTATION_EXPONENT, Rotation};
pub use ibeacon::{COMPANY as APPLE, IBeacon};
pub use state::BeaconState;

/// One frame of any of the formats that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Apple's Proximity Beacon.
    IBeacon(IBeacon),
    /// Eddystone, a fixed identifier.
    Uid(Uid),
    /// Eddystone, a web address.
    Url(Url),
    /// Eddystone, the beacon's own state.
    Tlm(Tlm),
    /// Eddystone, an identifier that changes.
    Eid(Eid),
    /// `AltBeacon`.
    AltBeacon(AltBeacon),
}

/// Why bytes are no frame, or a frame cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// None of the formats, which is what most advertising is.
    #[error("not a known beacon format")]
    Unknown,
    /// One of the formats by its first bytes, but of a wrong length.
    #[error("a beacon frame of a wrong length")]
    Length,
    /// One of the formats, with a value that the format does not allow.
    #[error("a beacon frame with a value outside its format")]
    Value,
}

/// Advertising data type "Service Data - 16-bit UUID" (Assigned Numbers section 2.3).
const SERVICE_DATA: u8 = 0x16;
/// Advertising data type "Manufacturer Specific Data" (Assigned Numbers section 2.3).
const MANUFACTURER_DATA: u8 = 0xff;
/// Flags: general discoverable, no BR/EDR (Core Specification Supplement 11, part A section 1.3).
const FLAGS: [u8; 3] = [0x02, 0x01, 0x06];

impl Frame {
    /// The frame in manufacturer specific data, given without its company identifier.
    pub fn from_manufacturer_data(company: u16, data: &[u8]) -> Result<Self, BeaconError> {
        if company == APPLE && data.first() == Some(&ibeacon::TYPE) {
            return IBeacon::decode(data).map(Self::IBeacon);
        }
        AltBeacon::decode(company, data).map(Self::AltBeacon)
    }

    /// The frame in service data, given without its 16-bit UUID.
    pub fn from_service_data(service: u16, data: &[u8]) -> Result<Self, BeaconError> {
        if service == EDDYSTONE_SERVICE { eddystone::decode(data) } else { Err(BeaconError::Unknown) }
    }

    /// The first frame in the advertising data of one packet.
    pub fn from_advertising(data: &[u8]) -> Result<Self, BeaconError> {
        let mut rest = data;
        while let Some((&len, after)) = rest.split_first() {
            // A length of zero ends the significant part early (volume 3 part C section 11).
            if len == 0 {
                break;
            }
            let (structure, next) = after.split_at_checked(usize::from(len)).ok_or(BeaconError::Length)?;
            rest = next;
            let [kind, low, high, data @ ..] = structure else { continue };
            let uuid_or_company = u16::from_le_bytes([*low, *high]);
            let frame = match *kind {
                MANUFACTURER_DATA => Self::from_manufacturer_data(uuid_or_company, data),
                SERVICE_DATA => Self::from_service_data(uuid_or_company, data),
                _ => continue,
            };
            if frame != Err(BeaconError::Unknown) {
                return frame;
            }
        }
        Err(BeaconError::Unknown)
    }

    /// The advertising data of a packet with this frame; at most 31 bytes, what a legacy packet holds.
    pub fn to_advertising(&self) -> Vec<u8> {
        match self {
            Self::IBeacon(frame) => manufacturer(APPLE, &frame.encode()),
            Self::AltBeacon(frame) => manufacturer(frame.company, &frame.encode()),
            Self::Uid(frame) => service(&frame.encode()),
            Self::Url(frame) => service(&frame.encode()),
            Self::Tlm(frame) => service(&frame.encode()),
            Self::Eid(frame) => service(&frame.encode()),
        }
    }

    /// Who sent it, if the frame says so.
    pub fn identifier(&self) -> Option<Identifier> {
        match self {
            Self::IBeacon(frame) => Some(frame.identifier()),
            Self::Uid(frame) => Some(frame.identifier()),
            Self::Eid(frame) => Some(Identifier::Eid(frame.eid)),
            Self::AltBeacon(frame) => Some(Identifier::AltBeacon(frame.id)),
            Self::Url(_) | Self::Tlm(_) => None,
        }
    }

    /// The power in dBm at which it is heard from one metre, the `tx` of a ping; `None` if not said or not in its range.
    pub fn tx(&self) -> Option<i8> {
        let tx = match self {
            Self::IBeacon(frame) => frame.power,
            Self::AltBeacon(frame) => frame.power,
            Self::Uid(frame) => eddystone::at_one_metre(frame.power),
            Self::Url(frame) => eddystone::at_one_metre(frame.power()),
            Self::Eid(frame) => eddystone::at_one_metre(frame.power),
            Self::Tlm(_) => return None,
        };
        crate::batch::is_dbm(tx).then_some(tx)
    }
}

fn manufacturer(company: u16, data: &[u8]) -> Vec<u8> {
    advertising(&FLAGS, MANUFACTURER_DATA, company, data)
}

fn service(data: &[u8]) -> Vec<u8> {
    let [low, high] = EDDYSTONE_SERVICE.to_le_bytes();
    // Complete list of 16-bit service UUIDs, which every Eddystone frame has (Eddystone, "Common Elements").
    let before = [FLAGS[0], FLAGS[1], FLAGS[2], 0x03, 0x03, low, high];
    advertising(&before, SERVICE_DATA, EDDYSTONE_SERVICE, data)
}

fn advertising(before: &[u8], kind: u8, uuid_or_company: u16, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(31);
    out.extend_from_slice(before);
    out.push(data.len() as u8 + 3);
    out.push(kind);
    out.extend_from_slice(&uuid_or_company.to_le_bytes());
    out.extend_from_slice(data);
    out
}
