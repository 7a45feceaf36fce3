//! Eddystone-TLM, unencrypted (`eddystone-tlm/tlm-plain.md`, "Unencrypted TLM Frame Specification").

use super::super::BeaconError;
use super::TLM;

/// The only version there is; the encrypted frame has another and cannot be read without its key.
const PLAIN: u8 = 0x00;
/// The temperature of a beacon that has no thermometer.
const NO_TEMPERATURE: i16 = i16::MIN;

/// The beacon's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlm {
    /// Battery in millivolts; `None` if it has none.
    pub battery_mv: Option<u16>,
    /// Temperature in 1/256 degrees Celsius; `None` if it is not measured.
    pub temperature: Option<i16>,
    /// Packets sent since it started.
    pub advertisements: u32,
    /// Tenths of a second since it started.
    pub uptime_ds: u32,
}

impl Tlm {
    /// Temperature in degrees Celsius.
    pub fn celsius(&self) -> Option<f32> {
        self.temperature.map(|fixed| f32::from(fixed) / 256.0)
    }

    /// From service data of Eddystone, without the UUID.
    pub fn decode(data: &[u8]) -> Result<Self, BeaconError> {
        let [TLM, PLAIN, frame @ ..] = data else { return Err(BeaconError::Unknown) };
        let &[b0, b1, t0, t1, a0, a1, a2, a3, s0, s1, s2, s3] = frame else {
            return Err(BeaconError::Length);
        };
        let battery = u16::from_be_bytes([b0, b1]);
        let temperature = i16::from_be_bytes([t0, t1]);
        Ok(Self {
            battery_mv: (battery != 0).then_some(battery),
            temperature: (temperature != NO_TEMPERATURE).then_some(temperature),
            advertisements: u32::from_be_bytes([a0, a1, a2, a3]),
            uptime_ds: u32::from_be_bytes([s0, s1, s2, s3]),
        })
    }

    /// To service data, without the UUID.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![TLM, PLAIN];
        data.extend_from_slice(&self.battery_mv.unwrap_or(0).to_be_bytes());
        data.extend_from_slice(&self.temperature.unwrap_or(NO_TEMPERATURE).to_be_bytes());
        data.extend_from_slice(&self.advertisements.to_be_bytes());
        data.extend_from_slice(&self.uptime_ds.to_be_bytes());
        data
    }
}
