//! `AltBeacon` (`AltBeacon` Protocol Specification v1.0, "`AltBeacon` Protocol Fields").

use super::BeaconError;

/// The beacon code, in the order it is sent.
const CODE: [u8; 2] = [0xbe, 0xac];

/// What an `AltBeacon` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AltBeacon {
    /// Company identifier of the manufacturer.
    pub company: u16,
    /// Beacon id; by custom the first 16 bytes are the owner's.
    pub id: [u8; 20],
    /// Reference RSSI: average dBm at one metre, -127 to 0.
    pub power: i8,
    /// For the manufacturer's own features.
    pub reserved: u8,
}

impl AltBeacon {
    /// From manufacturer specific data of any company, without the company identifier.
    pub fn decode(company: u16, data: &[u8]) -> Result<Self, BeaconError> {
        let frame = data.strip_prefix(&CODE).ok_or(BeaconError::Unknown)?;
        let (id, rest) = frame.split_first_chunk::<20>().ok_or(BeaconError::Length)?;
        let &[power, reserved] = rest else { return Err(BeaconError::Length) };
        let power = power.cast_signed();
        if !(-127..=0).contains(&power) {
            return Err(BeaconError::Value);
        }
        Ok(Self { company, id: *id, power, reserved })
    }

    /// To manufacturer specific data, without the company identifier.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = CODE.to_vec();
        data.extend_from_slice(&self.id);
        data.push(self.power.cast_unsigned());
        data.push(self.reserved);
        data
    }
}
