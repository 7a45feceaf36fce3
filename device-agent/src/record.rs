//! One record of a file that only grows: a batch of the spool, a mark of what is released, or a line of the journal.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | length of the body, little-endian like all numbers here |
//! | 4 | CRC-32 (IEEE 802.3) of everything after it, begun with the CRC-32 of the file's name |
//! | 1 | kind: 1 batch, 2 mark, 3 line |
//! | 2 | pings in the batch; otherwise 0 |
//! | 8 | number of the batch or the line; in a mark, every number below is released |
//! | … | body: the batch in CBOR; in a mark, the boot's name; the line in JSON |
//!
//! The name in the checksum keeps a stale block of another file, which a file system may show after a power cut,
//! from passing as a record of this one.

use protocol::MAX_BATCH_BYTES;

/// Longest body; a length beyond it is taken for damage.
pub(crate) const LONGEST: usize = MAX_BATCH_BYTES;

/// Bytes before the body.
pub(crate) const HEAD: usize = 19;

/// How far a number may be ahead of the one expected; more is taken for damage.
const LONGEST_GAP: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Batch = 1,
    Mark = 2,
    Line = 3,
}

/// A record without its body, not yet checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) pings: u16,
    pub(crate) seq: u64,
    /// Bytes of the body.
    pub(crate) len: usize,
    crc: u32,
}

impl Head {
    /// The head in these bytes, if they can be one.
    pub(crate) fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let [l0, l1, l2, l3, c0, c1, c2, c3, kind, p0, p1, seq @ ..] = *bytes;
        let kind = match kind {
            1 => Kind::Batch,
            2 => Kind::Mark,
            3 => Kind::Line,
            _ => return None,
        };
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let head = Self {
            kind,
            pings: u16::from_le_bytes([p0, p1]),
            seq: u64::from_le_bytes(seq),
            len,
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        (len <= LONGEST).then_some(head)
    }

    /// Whether this is the body that was written with it.
    pub(crate) fn fits(&self, salt: u32, body: &[u8]) -> bool {
        self.crc == checksum(salt, self.kind, self.pings, self.seq, body)
    }

    /// Bytes of the whole record.
    pub(crate) fn size(&self) -> usize {
        HEAD + self.len
    }
}

/// What a name adds to the checksum of each record in the file.
pub(crate) fn salt(name: &str) -> u32 {
    crc32fast::hash(name.as_bytes())
}

/// Adds a record to `out`.
pub(crate) fn write(out: &mut Vec<u8>, salt: u32, kind: Kind, pings: u16, seq: u64, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&checksum(salt, kind, pings, seq, body).to_le_bytes());
    out.push(kind as u8);
    out.extend_from_slice(&pings.to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(body);
}

/// What a whole file holds.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Start and head of each good record, in order.
    pub(crate) records: Vec<(usize, Head)>,
    /// Where the last good record ends; what follows is torn.
    pub(crate) end: usize,
    /// Whether good records follow after something that is none: the file was damaged, not torn.
    pub(crate) damaged: bool,
}

/// Finds the good records of a file whose first batch or line would have the number `base`.
///
/// A tail without any good record is what a power cut leaves. A good record after a bad place is different: something
/// that had been safe is gone.
pub(crate) fn scan(bytes: &[u8], salt: u32, base: u64) -> Scan {
    let mut scan = Scan { records: Vec::new(), end: 0, damaged: false };
    let mut expected = base;
    let mut at = 0;
    while at < bytes.len() {
        let Some(head) = good(&bytes[at..], salt, expected) else {
            match (at + 1..bytes.len()).find(|&later| good(&bytes[later..], salt, expected).is_some()) {
                Some(later) => {
                    scan.damaged = true;
                    at = later;
                    continue;
                }
                None => break,
            }
        };
        scan.records.push((at, head));
        if head.kind != Kind::Mark {
            expected = head.seq + 1;
        }
        at += head.size();
        scan.end = at;
    }
    scan
}

/// The good record these bytes begin with.
fn good(bytes: &[u8], salt: u32, expected: u64) -> Option<Head> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let head = Head::read(head)?;
    let body = rest.get(..head.len)?;
    let follows = head.kind == Kind::Mark
        || (head.seq >= expected && head.seq - expected <= LONGEST_GAP && head.seq < u64::MAX);
    (follows && head.fits(salt, body)).then_some(head)
}

fn checksum(salt: u32, kind: Kind, pings: u16, seq: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(&[kind as u8]);
    hasher.update(&pings.to_le_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(salt: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, salt, Kind::Batch, 3, 7, b"first");
        write(&mut bytes, salt, Kind::Mark, 0, 8, b"boot");
        write(&mut bytes, salt, Kind::Batch, 1, 8, b"");
        bytes
    }

    #[test]
    fn every_cut_leaves_the_whole_records_and_a_torn_tail() {
        let bytes = three(1);
        let ends = [0, HEAD + 5, 2 * HEAD + 9, 3 * HEAD + 9];
        for cut in 0..=bytes.len() {
            let scan = scan(&bytes[..cut], 1, 7);
            let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
            assert_eq!((scan.records.len(), scan.end, scan.damaged), (whole, ends[whole], false), "{cut}");
        }
    }

    #[test]
    fn any_changed_byte_spoils_its_record_only() {
        let bytes = three(1);
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x20;
            let scan = scan(&changed, 1, 7);
            let spoilt = [HEAD + 5, 2 * HEAD + 9, 3 * HEAD + 9].iter().filter(|&&end| end <= place).count();
            let kept: Vec<usize> = scan.records.iter().map(|record| record.0).collect();
            let mut expected = vec![0, HEAD + 5, 2 * HEAD + 9];
            expected.remove(spoilt);
            assert_eq!((kept, scan.damaged), (expected, spoilt < 2), "{place}");
        }
    }

    #[test]
    fn records_of_another_file_or_another_time_are_none() {
        assert_eq!(scan(&three(1), 2, 7).records.len(), 0);
        assert_eq!(scan(&three(1), 1, 9).records.len(), 1, "only the mark");
        assert_eq!(scan(&[0; 4_096], 1, 0).records.len(), 0);
    }
}
