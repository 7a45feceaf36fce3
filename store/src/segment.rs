//! The packed body of one row of the raw log.
//!
//! Version 1, integers as LEB128 varints unless said otherwise, signed ones zigzag-coded first:
//!
//! ```text
//! version      u8 = 1
//! base         signed: event time of the first ping, Unix ms
//! counts       subjects, devices, batches
//! batches      for each: device index, length of boot (u8) and boot, seq, content hash (u64, little endian),
//!              number of pings, bytes of its pings
//! subjects     16 bytes each, most significant first, in the order of their first appearance
//! devices      16 bytes each: reporters and anchors, the same way
//! pings        for each batch its pings: flags (u8), rssi (i8), subject index, anchor index, signed ms since the ping
//!              before (for the first of a batch: since base), then tx (i8), max (i8) and n, those that the flags name
//! ```
//!
//! Pseudonyms are random, so numbering them is what makes the body small: a ping takes 6 to 8 bytes.

mod builder;
mod reader;
pub(crate) mod varint;

use protocol::{Boot, DeviceId, Subject, Timestamp};

pub use builder::SegmentBuilder;
pub use reader::{Batches, PackedBatch, Pings, SegmentError, SegmentReader, StoredPing};

const VERSION: u8 = 1;

/// The head of a batch to be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHead {
    /// Its reporter.
    pub device: DeviceId,
    /// The reporter's boot.
    pub boot: Boot,
    /// Its number.
    pub seq: u64,
    /// What tells its content from another batch of the same number.
    pub hash: u64,
}

/// A ping to be packed into the batch that was begun last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedPing {
    /// Event time, corrected.
    pub at: Timestamp,
    /// Who moved.
    pub subject: Subject,
    /// The fixed end: who heard the subject, or whom it heard.
    pub anchor: DeviceId,
    /// dBm.
    pub rssi: i8,
    /// Whether the subject is a private random address.
    pub transient: bool,
    /// Transmit power as advertised, dBm.
    pub tx: Option<i8>,
    /// The strongest of the observations it stands for, dBm.
    pub max: Option<i8>,
    /// How many observations it stands for.
    pub n: Option<u16>,
}

/// Bits of a ping's flags.
mod flag {
    pub(super) const TRANSIENT: u8 = 1;
    pub(super) const TX: u8 = 2;
    pub(super) const MAX: u8 = 4;
    pub(super) const N: u8 = 8;
    pub(super) const KNOWN: u8 = 15;
}

#[cfg(test)]
mod tests;
