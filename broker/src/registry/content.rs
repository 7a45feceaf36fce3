//! What tells one batch from another of the same number.

use std::hash::Hasher;

/// A hash of what a ping says, so that a batch number that comes again with other pings is noticed. It need not
/// withstand anybody: a device could only deceive itself.
pub(crate) fn content(hasher: &mut impl Hasher, canonical: &[u8], ping: &protocol::Ping) {
    hasher.write_u8(canonical.len() as u8);
    hasher.write(canonical);
    hasher.write_i64(ping.at.0);
    let small = |value: Option<i8>| value.map_or(0x0100, |value| u16::from(value as u8));
    hasher.write_u64(
        u64::from(ping.rssi as u8)
            | u64::from(small(ping.tx)) << 8
            | u64::from(small(ping.max)) << 24
            | u64::from(ping.n.unwrap_or(0)) << 40,
    );
}
