//! The raw log and the marks that catch repeats.

mod forget;
mod marks;
mod numbers;
mod segments;

use protocol::{Boot, DeviceId, OrganizationId, Timestamp, VenueId};

use crate::engine::Store;
use crate::error::Result;
use crate::loss::Loss;

pub use numbers::Numbers;

/// What is committed together: the log of one group of batches and what is now known of their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// The new rows of the log, normally one for each venue.
    pub segments: &'a [NewSegment],
    /// The marks that changed; each (device, boot) at most once.
    pub boots: &'a [BootRow],
    /// What was refused and why, each loss as it is now: one that is stored already is written over.
    pub losses: &'a [Loss],
    /// When.
    pub now: Timestamp,
}

/// A row of the log to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSegment {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The venue that all of its pings belong to.
    pub venue: VenueId,
    /// Its place in the venue's log; the writer counts.
    pub position: i64,
    /// The oldest event time in it.
    pub from_at: Timestamp,
    /// The newest event time in it.
    pub to_at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// How many batches.
    pub batches: u32,
    /// How many pings.
    pub pings: u32,
    /// The packed batches, see [`crate::segment`].
    pub body: Vec<u8>,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSegment {
    /// Its place in the venue's log.
    pub position: i64,
    /// The oldest event time in it.
    pub from_at: Timestamp,
    /// The newest event time in it.
    pub to_at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// The packed batches, see [`crate::segment`].
    pub body: Vec<u8>,
}

/// What is known of the batch numbers of one boot of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct BootRow {
    /// The reporter.
    pub device: DeviceId,
    /// Its organization.
    pub organization: OrganizationId,
    /// Its boot.
    pub boot: Boot,
    /// The numbers dealt with.
    pub numbers: Numbers,
    /// The content hashes that changed.
    pub chunks: Vec<HashChunk>,
    /// Hashes before this chunk are no longer kept. None when nothing new fell out, which saves a statement.
    pub drop_chunks_below: Option<u64>,
}

/// The content hashes of 64 consecutive batch numbers, from `64 * number` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashChunk {
    /// Which 64 numbers.
    pub number: u64,
    /// One hash for each; 0 where none is known.
    pub hashes: [u64; HashChunk::LEN],
}

/// What was saved of the batch numbers of one boot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BootMarks {
    /// The numbers dealt with.
    pub numbers: Numbers,
    /// The content hashes that are still kept, by number.
    pub chunks: Vec<HashChunk>,
}

impl HashChunk {
    /// Hashes in a chunk.
    pub const LEN: usize = 64;

    /// Bytes of a stored chunk.
    const BYTES: usize = 8 * Self::LEN;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::BYTES);
        for hash in self.hashes {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    fn from_bytes(number: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<8>();
        let hashes: &[[u8; 8]; Self::LEN] = hashes.try_into().ok().filter(|_| rest.is_empty())?;
        Some(Self { number, hashes: hashes.map(u64::from_le_bytes) })
    }
}

impl Store {
    /// Commits a group of batches. A position that is taken is a conflict over `position`: somebody else writes this log.
    pub async fn append(&self, append: &Append<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        for segment in append.segments {
            tx.insert_segment(segment).await?;
        }
        tx.put_boots(append.boots, append.now).await?;
        tx.put_hashes(append.boots).await?;
        tx.drop_hashes(append.boots).await?;
        tx.put_losses(append.losses).await?;
        tx.commit().await
    }
}
