//! What BlueZ says, in our words: addresses, and frames of beacons.

use std::collections::HashMap;
use std::hash::BuildHasher;

use btleplug::platform::PeripheralId;
use protocol::beacon::{BeaconError, Frame};

use super::book::Address;

/// The 128 bits of a 16-bit UUID, without those (Core Specification 5.4, volume 3 part B section 2.5.1).
const BASE_UUID: u128 = 0x0000_0000_0000_1000_8000_0080_5f9b_34fb;

/// The address in BlueZ's name of a device, `hci0/dev_C0_FF_EE_00_00_01`.
pub(super) fn address_of(id: &PeripheralId) -> Option<Address> {
    address_in(&id.to_string())
}

fn address_in(name: &str) -> Option<Address> {
    let mut address = [0; 6];
    let mut digits = name.rsplit_once("dev_")?.1.split('_');
    for byte in &mut address {
        *byte = u8::from_str_radix(digits.next().filter(|pair| pair.len() == 2)?, 16).ok()?;
    }
    digits.next().is_none().then_some(address)
}

pub(super) fn manufacturer_frames<S: BuildHasher>(
    data: &HashMap<u16, Vec<u8>, S>,
) -> impl Iterator<Item = Result<Frame, BeaconError>> {
    data.iter().map(|(&company, data)| Frame::from_manufacturer_data(company, data))
}

pub(super) fn service_frames<'a>(
    data: impl Iterator<Item = (u128, &'a Vec<u8>)>,
) -> impl Iterator<Item = Result<Frame, BeaconError>> {
    data.map(|(uuid, data)| match short_uuid(uuid) {
        Some(service) => Frame::from_service_data(service, data),
        None => Err(BeaconError::Unknown),
    })
}

fn short_uuid(uuid: u128) -> Option<u16> {
    let short = (uuid >> 96) as u16;
    (uuid == BASE_UUID | u128::from(short) << 96).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_name() {
        assert_eq!(address_in("hci0/dev_C0_FF_EE_00_00_01"), Some([0xc0, 0xff, 0xee, 0, 0, 1]));
        for wrong in ["", "hci0", "hci0/dev_", "hci0/dev_C0_FF_EE_00_00", "hci0/dev_C0_FF_EE_00_00_01_02"] {
            assert_eq!(address_in(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_short_uuid_is_told_from_a_long_one() {
        assert_eq!(short_uuid(0x0000_feaa_0000_1000_8000_0080_5f9b_34fb), Some(0xfeaa));
        assert_eq!(short_uuid(0x0001_feaa_0000_1000_8000_0080_5f9b_34fb), None);
        assert_eq!(short_uuid(0x0000_feaa_0000_1000_8000_0080_5f9b_34fc), None);
    }
}
