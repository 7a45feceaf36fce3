//! Eddystone (Eddystone Protocol Specification, github.com/google/eddystone `protocol-specification.md`).

mod tlm;
mod url;

use super::{BeaconError, Frame};
use crate::Identifier;

pub use tlm::Tlm;
pub use url::Url;

/// The 16-bit service UUID of Eddystone ("Common Elements").
pub const SERVICE: u16 = 0xfeaa;

/// Frame types: the first byte of the service data.
const UID: u8 = 0x00;
const URL: u8 = 0x10;
const TLM: u8 = 0x20;
const EID: u8 = 0x30;

/// What a signal loses on its first metre, in dB: Eddystone gives power at 0 m (`eddystone-uid/README.md`, "Tx Power").
const FIRST_METRE: i8 = 41;

/// A fixed identifier (`eddystone-uid/README.md`, "Frame Specification").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uid {
    /// Ranging data: dBm at 0 m.
    pub power: i8,
    /// Namespace, the owner.
    pub namespace: [u8; 10],
    /// Instance, the beacon.
    pub instance: [u8; 6],
}

/// An identifier that changes and only its owner can resolve (`eddystone-eid/README.md`, "Frame Specification").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eid {
    /// Ranging data: dBm at 0 m.
    pub power: i8,
    /// The ephemeral identifier.
    pub eid: [u8; 8],
}

/// From service data of Eddystone, without the UUID.
pub(super) fn decode(data: &[u8]) -> Result<Frame, BeaconError> {
    match data.first() {
        Some(&UID) => Uid::decode(data).map(Frame::Uid),
        Some(&URL) => Url::decode(data).map(Frame::Url),
        Some(&TLM) => Tlm::decode(data).map(Frame::Tlm),
        Some(&EID) => Eid::decode(data).map(Frame::Eid),
        _ => Err(BeaconError::Unknown),
    }
}

/// Power at one metre from power at 0 m.
pub(super) const fn at_one_metre(power: i8) -> i8 {
    power.saturating_sub(FIRST_METRE)
}

impl Uid {
    /// From service data of Eddystone, without the UUID; the two reserved bytes at the end may be missing ("Field Notes").
    pub fn decode(data: &[u8]) -> Result<Self, BeaconError> {
        let [UID, frame @ ..] = data else { return Err(BeaconError::Unknown) };
        let (&[power], rest) = frame.split_first_chunk::<1>().ok_or(BeaconError::Length)?;
        let (namespace, rest) = rest.split_first_chunk::<10>().ok_or(BeaconError::Length)?;
        let (instance, reserved) = rest.split_first_chunk::<6>().ok_or(BeaconError::Length)?;
        if !matches!(reserved.len(), 0 | 2) {
            return Err(BeaconError::Length);
        }
        Ok(Self { power: power.cast_signed(), namespace: *namespace, instance: *instance })
    }

    /// To service data, without the UUID.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![UID, self.power.cast_unsigned()];
        data.extend_from_slice(&self.namespace);
        data.extend_from_slice(&self.instance);
        data.extend_from_slice(&[0, 0]);
        data
    }

    /// The `id` of a ping that heard it.
    pub const fn identifier(&self) -> Identifier {
        Identifier::Eddystone { namespace: self.namespace, instance: self.instance }
    }
}

impl Eid {
    /// From service data of Eddystone, without the UUID.
    pub fn decode(data: &[u8]) -> Result<Self, BeaconError> {
        let [EID, frame @ ..] = data else { return Err(BeaconError::Unknown) };
        let (&power, eid) = frame.split_first().ok_or(BeaconError::Length)?;
        Ok(Self { power: power.cast_signed(), eid: eid.try_into().map_err(|_| BeaconError::Length)? })
    }

    /// To service data, without the UUID.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![EID, self.power.cast_unsigned()];
        data.extend_from_slice(&self.eid);
        data
    }
}
