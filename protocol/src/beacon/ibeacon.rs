//! Apple's Proximity Beacon (Proximity Beacon Specification, Release R1, section 2.1 table 2-1).

use super::BeaconError;
use crate::Identifier;

/// Company identifier of Apple (Bluetooth Assigned Numbers section 7).
pub const COMPANY: u16 = 0x004c;

/// First byte of the beacon type 0x0215; Apple uses others for other purposes.
pub(super) const TYPE: u8 = 0x02;
/// Second byte of the beacon type, also the number of bytes that follow.
const LEN: u8 = 0x15;

/// What a proximity beacon says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IBeacon {
    /// Proximity UUID.
    pub uuid: [u8; 16],
    /// Major, by custom the site.
    pub major: u16,
    /// Minor, by custom the beacon.
    pub minor: u16,
    /// Measured power: dBm at one metre (section 2.2).
    pub power: i8,
}

impl IBeacon {
    /// From manufacturer specific data of Apple, without the company identifier.
    pub fn decode(data: &[u8]) -> Result<Self, BeaconError> {
        let [TYPE, LEN, frame @ ..] = data else { return Err(BeaconError::Unknown) };
        let frame: &[u8; LEN as usize] = frame.try_into().map_err(|_| BeaconError::Length)?;
        let (uuid, rest) = frame.split_first_chunk::<16>().ok_or(BeaconError::Length)?;
        let &[major_high, major_low, minor_high, minor_low, power] = rest else {
            return Err(BeaconError::Length);
        };
        Ok(Self {
            uuid: *uuid,
            major: u16::from_be_bytes([major_high, major_low]),
            minor: u16::from_be_bytes([minor_high, minor_low]),
            power: power.cast_signed(),
        })
    }

    /// To manufacturer specific data, without the company identifier.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![TYPE, LEN];
        data.extend_from_slice(&self.uuid);
        data.extend_from_slice(&self.major.to_be_bytes());
        data.extend_from_slice(&self.minor.to_be_bytes());
        data.push(self.power.cast_unsigned());
        data
    }

    /// The `id` of a ping that heard it.
    pub const fn identifier(&self) -> Identifier {
        Identifier::IBeacon { uuid: self.uuid, major: self.major, minor: self.minor }
    }
}
