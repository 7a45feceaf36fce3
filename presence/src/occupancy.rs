//! Who is where right now, as numbers.

use std::collections::BTreeMap;

use protocol::{Timestamp, ZoneId};

/// How many subjects are in each zone; private random addresses are included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// The time it holds for: the watermark.
    pub at: Timestamp,
    /// Subjects in the venue's zones, the sum of `zones`.
    pub total: u32,
    /// Subjects by zone; empty zones are left out.
    pub zones: BTreeMap<ZoneId, u32>,
}
