//! Unpacking. Bodies come from our own database, yet nothing in here trusts them.

use protocol::{Boot, DeviceId, Subject, Timestamp};
use uuid::Uuid;

use super::{BatchHead, VERSION, flag, varint};

/// A body that is no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// A newer program wrote it.
    #[error("the segment has version {0}, which this program cannot read")]
    Version(u8),
    /// It is damaged.
    #[error("the segment is damaged")]
    Damaged,
}

/// A packed segment.
#[derive(Debug, Clone, Copy)]
pub struct SegmentReader<'a> {
    base: i64,
    subjects: &'a [[u8; 16]],
    devices: &'a [[u8; 16]],
    batches: usize,
    heads: &'a [u8],
    pings: &'a [u8],
}

/// A batch of a segment.
#[derive(Debug, Clone)]
pub struct PackedBatch<'a> {
    /// Who sent it as which number.
    pub head: BatchHead,
    pings: Pings<'a>,
}

/// A ping of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPing {
    /// Event time, corrected.
    pub at: Timestamp,
    /// Who moved.
    pub subject: Subject,
    /// The fixed end as an index into [`SegmentReader::devices`].
    pub anchor: u32,
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

impl<'a> SegmentReader<'a> {
    /// Reads the tables of a body; batches and pings are read as they are asked for.
    pub fn new(body: &'a [u8]) -> Result<Self, SegmentError> {
        match body.first() {
            Some(&VERSION) => Self::parse(&body[1..]).ok_or(SegmentError::Damaged),
            Some(&version) => Err(SegmentError::Version(version)),
            None => Err(SegmentError::Damaged),
        }
    }

    /// Reporters and anchors, by index.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = DeviceId> + use<'a> {
        self.devices.iter().map(|id| DeviceId::from_uuid(Uuid::from_bytes(*id)))
    }

    /// Everybody who is in it.
    pub fn subjects(&self) -> impl ExactSizeIterator<Item = Subject> + use<'a> {
        self.subjects.iter().map(|id| Subject(u128::from_be_bytes(*id)))
    }

    /// The batches in the order in which they were committed. After an error nothing follows.
    pub fn batches(&self) -> Batches<'a> {
        Batches { segment: *self, left: self.batches, heads: self.heads, pings: self.pings }
    }

    fn parse(mut body: &'a [u8]) -> Option<Self> {
        let base = varint::unzigzag(varint::take(&mut body)?);
        let [subjects, devices, batches] = [count(&mut body)?, count(&mut body)?, count(&mut body)?];
        let mut rest = body;
        for _ in 0..batches {
            Head::take(&mut rest)?;
        }
        let heads = &body[..body.len() - rest.len()];
        let subjects = ids(&mut rest, subjects)?;
        let devices = ids(&mut rest, devices)?;
        Some(Self { base, subjects, devices, batches, heads, pings: rest })
    }
}

impl<'a> PackedBatch<'a> {
    /// Its pings. After an error nothing follows.
    pub fn pings(&self) -> Pings<'a> {
        self.pings.clone()
    }
}

/// The batches of a segment.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    segment: SegmentReader<'a>,
    left: usize,
    heads: &'a [u8],
    pings: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<PackedBatch<'a>, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let batch = self.take();
        if batch.is_none() {
            self.left = 0;
        }
        Some(batch.ok_or(SegmentError::Damaged))
    }
}

impl<'a> Batches<'a> {
    fn take(&mut self) -> Option<PackedBatch<'a>> {
        let head = Head::take(&mut self.heads)?;
        let bytes = self.pings.split_off(..head.bytes)?;
        let device = *self.segment.devices.get(head.device)?;
        let boot = str::from_utf8(head.boot).ok()?.parse::<Boot>().ok()?;
        let device = DeviceId::from_uuid(Uuid::from_bytes(device));
        Some(PackedBatch {
            head: BatchHead { device, boot, seq: head.seq, hash: head.hash },
            pings: Pings { segment: self.segment, left: head.pings, bytes, at: self.segment.base },
        })
    }
}

/// The pings of a batch.
#[derive(Debug, Clone)]
pub struct Pings<'a> {
    segment: SegmentReader<'a>,
    left: usize,
    bytes: &'a [u8],
    at: i64,
}

impl Iterator for Pings<'_> {
    type Item = Result<StoredPing, SegmentError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let ping = self.take();
        if ping.is_none() {
            self.left = 0;
        }
        Some(ping.ok_or(SegmentError::Damaged))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl Pings<'_> {
    #[inline]
    fn take(&mut self) -> Option<StoredPing> {
        let bytes = &mut self.bytes;
        let flags = *bytes.split_off_first()?;
        let rssi = *bytes.split_off_first()? as i8;
        let subject = usize::try_from(varint::take(bytes)?).ok()?;
        let subject = Subject(u128::from_be_bytes(*self.segment.subjects.get(subject)?));
        let anchor = u32::try_from(varint::take(bytes)?).ok()?;
        self.at = self.at.wrapping_add(varint::unzigzag(varint::take(bytes)?));
        let mut dbm = |named: u8| -> Option<Option<i8>> {
            if flags & named == 0 { Some(None) } else { Some(Some(*bytes.split_off_first()? as i8)) }
        };
        let (tx, max) = (dbm(flag::TX)?, dbm(flag::MAX)?);
        let n = match flags & flag::N {
            0 => None,
            _ => Some(u16::try_from(varint::take(bytes)?).ok()?),
        };
        let known = flags & !flag::KNOWN == 0 && (anchor as usize) < self.segment.devices.len();
        let transient = flags & flag::TRANSIENT != 0;
        known.then_some(StoredPing { at: Timestamp(self.at), subject, anchor, rssi, transient, tx, max, n })
    }
}

/// An entry of the batch table.
struct Head<'a> {
    device: usize,
    boot: &'a [u8],
    seq: u64,
    hash: u64,
    pings: usize,
    bytes: usize,
}

impl<'a> Head<'a> {
    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let device = usize::try_from(varint::take(bytes)?).ok()?;
        let length = usize::from(*bytes.split_off_first()?);
        Some(Self {
            device,
            boot: bytes.split_off(..length)?,
            seq: varint::take(bytes)?,
            hash: u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?),
            pings: usize::try_from(varint::take(bytes)?).ok()?,
            bytes: usize::try_from(varint::take(bytes)?).ok()?,
        })
    }
}

/// A count of things that follow: each takes at least a byte, so a larger one is damage and must not cost a long loop.
fn count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::take(bytes)?).ok().filter(|count| *count <= bytes.len())
}

fn ids<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [[u8; 16]]> {
    Some(bytes.split_off(..count.checked_mul(16)?)?.as_chunks().0)
}
