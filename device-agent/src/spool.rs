//! Batches on disk until the platform's receipt says that they are safe.
//!
//! - [`append`](Spool::append) returns when the batch is on the medium (one `fdatasync` a batch; the interval between
//!   batches is what bounds the writes). Only what is there is ever sent, so a number that a power cut tore off is given
//!   again without harm.
//! - Batches are numbered (boot, seq). Boot and next number are in the names and records of the files, so numbering goes
//!   on after a restart. A new boot begins when the spool is new, when it was found damaged, or when a receipt shows
//!   that the platform knows numbers this spool never gave (an old copy of the disk).
//! - Only a receipt deletes. A receipt is remembered by a mark that reaches the disk with the next batch; losing a mark
//!   only sends again what the platform will recognise.
//! - The spool is bounded: when there is no room, or the disk is full, the oldest segment is given up, counted, and
//!   told by `first`.
//! - Memory holds one entry for each segment, none for each batch.

mod numbering;
mod opening;
mod segment;
mod settling;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use protocol::{Batch, Boot, MAX_SEQ, Ping};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tracing::{error, info, warn};

use crate::durable::sync_dir;
use crate::record;

use numbering::Numbering;
use segment::{Miss, Name, Segment};

pub use numbering::Number;
pub use settling::{Loss, Settled};

/// The batches that wait for their receipt.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    segment_bytes: u64,
    rng: ChaCha8Rng,
    /// Oldest first; the last is the one written, and there always is one.
    segments: VecDeque<Segment>,
    /// Oldest first; the last is the one that grows, and there always is one.
    numberings: VecDeque<Numbering>,
    active: File,
    /// False after a failed write: the file's end is unknown, so the next batch goes to a new one.
    sound: bool,
    bytes: u64,
    reader: Option<(u32, File)>,
    /// Where the batch after this one begins, to read on without searching.
    cursor: Option<(Number, u32, u64)>,
    counters: Counters,
    /// Held locked as long as the spool is open.
    _lock: File,
}

/// A batch that waits for its receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its place in the spool.
    pub number: Number,
    /// The batch as it is to be sent, but for `sent`; `first` is the lowest number held now.
    pub batch: Batch,
    /// About how long it is in a message.
    pub bytes: usize,
}

/// What happened to batches and pings since the spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches put on disk, those appended again under a new number included.
    pub appended: u64,
    /// Batches deleted because a receipt covered them.
    pub released: u64,
    /// Batches given up without a receipt, for room or because the disk spoilt them.
    pub given_up: u64,
    /// Pings in them.
    pub given_up_pings: u64,
    /// Batches refused for good.
    pub refused: u64,
    /// Single pings refused for good, in batches otherwise accepted.
    pub refused_pings: u64,
    /// Batches to be sent again under a new number: over quota, or their number was in use.
    pub again: u64,
}

/// Why the spool cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk or its rights.
    #[error("the spool in {} cannot be read or written", dir.display())]
    Io {
        /// The spool's directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent works on it.
    #[error("the spool in {} is in use by another agent", dir.display())]
    InUse {
        /// The spool's directory.
        dir: PathBuf,
    },
}

impl Spool {
    /// Puts a batch on disk and gives it the next number. When this returns it survives a power cut.
    ///
    /// An error means that it is not there and that its number will go to another batch.
    pub fn append(&mut self, pings: Vec<Ping>) -> Result<Number, SpoolError> {
        let mut batch = Batch { boot: self.boot(), seq: 0, first: None, sent: None, pings };
        loop {
            match self.try_append(&mut batch) {
                Ok(number) => return Ok(number),
                Err(full) if full.kind() == io::ErrorKind::StorageFull && self.segments.len() > 1 => {
                    self.give_up_oldest("the disk is full");
                }
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    /// The oldest batch held after this number, or the oldest of all.
    pub fn next_after(&mut self, after: Option<Number>) -> Result<Option<Held>, SpoolError> {
        let floor = after.map_or((0, 0), |number| (number.age, number.seq.saturating_add(1)));
        let mut at = self.segments.partition_point(|segment| (segment.age, segment.end) <= floor);
        while let Some(segment) = self.segments.get(at) {
            let (index, age) = (segment.name.index, segment.age);
            let numbering = self.numbering(age);
            if numbering.low() >= segment.end {
                at += 1;
                continue;
            }
            let from = match self.cursor {
                Some((number, file, from)) if Some(number) == after && file == index => from,
                _ => 0,
            };
            match self.find(at, from, floor) {
                Ok(held) => return Ok(Some(held)),
                Err(Miss::End) => at += 1,
                Err(Miss::Spoilt) => self.give_up_spoilt(at)?,
                Err(Miss::Io(source)) => return Err(self.failed(source)),
            }
        }
        Ok(None)
    }

    /// The batch of this number, if it is still held.
    pub fn read(&mut self, number: Number) -> Result<Option<Held>, SpoolError> {
        if !self.holds(number) {
            return Ok(None);
        }
        let before = match number.seq.checked_sub(1) {
            Some(seq) => Number { seq, ..number },
            None => Number { age: number.age - 1, seq: u64::MAX },
        };
        // Reading out of turn must not make whoever reads on in turn search again.
        let cursor = self.cursor;
        let held = self.next_after(Some(before));
        self.cursor = cursor;
        Ok(held?.filter(|held| held.number == number))
    }

    /// Whether this batch still waits for its receipt.
    pub fn holds(&self, number: Number) -> bool {
        self.numberings.iter().any(|numbering| numbering.age == number.age && numbering.holds(number.seq))
    }

    /// Whether nothing waits for a receipt.
    pub fn is_empty(&self) -> bool {
        self.numberings.iter().all(Numbering::is_empty)
    }

    /// Whether a few more batches fit without giving up others.
    pub fn has_room(&self) -> bool {
        self.bytes + 2 * self.segment_bytes <= self.max_bytes
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The boot under which batches are numbered now.
    pub fn boot(&self) -> Boot {
        self.current().boot
    }

    /// What happened since it was opened.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Gives up everything and begins a new boot, as for another device. When this returns it is gone for good.
    pub fn give_up_all(&mut self, why: &str) -> Result<(), SpoolError> {
        let files: Vec<PathBuf> = self.segments.iter().map(|segment| segment.path().to_owned()).collect();
        self.begin().map_err(|source| self.failed(source))?;
        while self.segments.len() > 1 {
            self.give_up_oldest(why);
        }
        if files.iter().any(|file| file.exists()) {
            return Err(self.failed(io::Error::other("a file cannot be deleted")));
        }
        sync_dir(&self.dir).map_err(|source| self.failed(source))
    }

    fn try_append(&mut self, batch: &mut Batch) -> io::Result<Number> {
        if self.current().next > MAX_SEQ {
            self.begin()?;
        }
        let Numbering { boot, age, next: seq, .. } = *self.current();
        (batch.boot, batch.seq) = (boot, seq);
        let body = batch.to_cbor();
        let count = u16::try_from(batch.pings.len()).unwrap_or(u16::MAX);
        let segment = self.active_segment();
        let fills = segment.end > segment.name.base
            && segment.bytes + (record::HEAD + body.len()) as u64 > self.segment_bytes;
        if fills || !self.sound {
            self.create(boot, age, seq)?;
        }
        let bytes = self.active_segment().encode(count, seq, &body);
        while self.bytes + bytes.len() as u64 > self.max_bytes && self.segments.len() > 1 {
            self.give_up_oldest("there is no room");
        }
        self.write(&bytes, true)?;
        self.active_segment().end = seq + 1;
        self.current_mut().next = seq + 1;
        self.counters.appended += 1;
        Ok(Number { age, seq })
    }

    /// Writes at the end of the active file. A failure leaves the file as it was, or else unsound.
    fn write(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        let segment = self.segments.back_mut().expect("there always is a segment");
        let written = segment.write(&self.active, bytes);
        let written = written.and_then(|()| if durably { self.active.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // After a failed sync nobody knows what is on the medium; the name of the next file bounds this one.
            self.sound = false;
            let _ = self.active.set_len(segment.bytes);
            return Err(error);
        }
        segment.bytes += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins a new file.
    fn create(&mut self, boot: Boot, age: u64, base: u64) -> io::Result<()> {
        let index = self.active_segment().name.index + 1;
        let (segment, file) = Segment::create(&self.dir, Name { index, base, boot }, age)?;
        self.segments.push_back(segment);
        self.active = file;
        self.sound = true;
        self.reclaim();
        Ok(())
    }

    /// Begins a new boot, numbered from 0.
    fn begin(&mut self) -> io::Result<()> {
        let boot = random_boot(&mut self.rng);
        let age = self.current().age + 1;
        self.create(boot, age, 0)?;
        self.numberings.push_back(Numbering::new(boot, age, 0));
        info!(%boot, "a new boot begins");
        Ok(())
    }

    fn find(&mut self, at: usize, from: u64, floor: (u64, u64)) -> Result<Held, Miss> {
        let segment = &self.segments[at];
        let (index, age) = (segment.name.index, segment.age);
        if self.reader.as_ref().is_none_or(|reader| reader.0 != index) {
            self.reader = Some((index, segment.open(false)?));
        }
        let Some((_, file)) = &self.reader else { return Err(Miss::End) };
        let numbering = self.numbering(age);
        let found = segment.find(file, from, |seq| (age, seq) >= floor && numbering.holds(seq))?;
        let number = Number { age, seq: found.seq };
        let decoded = Batch::decode(&found.body, Some("application/cbor")).map_err(|_| Miss::Spoilt)?;
        let batch = Batch { first: Some(numbering.low()), ..decoded.batch };
        self.cursor = Some((number, index, found.next));
        Ok(Held { number, batch, bytes: found.body.len() })
    }

    /// Deletes the oldest files as long as nothing in them is held. A file's marks are about batches in it or before
    /// it, so they may go with it.
    fn reclaim(&mut self) {
        while self.segments.len() > 1 {
            let oldest = &self.segments[0];
            if self.numbering(oldest.age).low() < oldest.end {
                break;
            }
            self.drop_segment(0);
        }
    }

    fn give_up_oldest(&mut self, why: &str) {
        self.count_given_up(0, why);
        self.drop_segment(0);
        self.reclaim();
    }

    /// Gives up a segment whose contents changed after they were safe.
    fn give_up_spoilt(&mut self, at: usize) -> Result<(), SpoolError> {
        if at + 1 == self.segments.len() {
            let Numbering { boot, age, next, .. } = *self.current();
            let index = self.segments[at].name.index;
            self.create(boot, age, next).map_err(|source| self.failed(source))?;
            // What came before it may have gone meanwhile.
            let Some(at) = self.segments.iter().position(|segment| segment.name.index == index) else {
                return Ok(());
            };
            return self.give_up_spoilt(at);
        }
        error!(file = %self.segments[at].path().display(), "a spool file changed on the disk");
        self.count_given_up(at, "the disk spoilt it");
        self.drop_segment(at);
        Ok(())
    }

    /// Counts what a segment still holds, and releases it.
    fn count_given_up(&mut self, at: usize, why: &str) {
        let segment = &self.segments[at];
        let (age, end) = (segment.age, segment.end);
        let numbering = self.numbering(age);
        let held: Vec<u64> = numbering.held(segment.name.base..end).collect();
        if held.is_empty() {
            return;
        }
        let pings = segment.count_pings(|seq| numbering.holds(seq));
        self.counters.given_up += held.len() as u64;
        self.counters.given_up_pings += pings;
        warn!(batches = held.len(), pings, total = self.counters.given_up, why, "batches are given up");
        if let Some(numbering) = self.numberings.iter_mut().find(|numbering| numbering.age == age) {
            for seq in held {
                numbering.release(seq);
            }
        }
    }

    /// Deletes a file and what hung on it. A file that will not go is found again at the next start, all released.
    fn drop_segment(&mut self, at: usize) {
        let Some(segment) = self.segments.remove(at) else { return };
        if let Err(error) = segment.remove() {
            warn!(file = %segment.path().display(), %error, "a spool file cannot be deleted");
        }
        self.bytes -= segment.bytes;
        self.reader = self.reader.take().filter(|reader| reader.0 != segment.name.index);
        let current = self.current().age;
        let segments = &self.segments;
        self.numberings.retain(|numbering| {
            numbering.age == current || segments.iter().any(|segment| segment.age == numbering.age)
        });
    }

    fn numbering(&self, age: u64) -> &Numbering {
        let found = self.numberings.iter().find(|numbering| numbering.age == age);
        found.expect("every segment has its numbering")
    }

    fn current(&self) -> &Numbering {
        self.numberings.back().expect("there always is a numbering")
    }

    fn current_mut(&mut self) -> &mut Numbering {
        self.numberings.back_mut().expect("there always is a numbering")
    }

    fn active_segment(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("there always is a segment")
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError::Io { dir: self.dir.clone(), source }
    }
}

/// A name that no other run will have: 12 of 64 characters are 72 bits.
fn random_boot(rng: &mut ChaCha8Rng) -> Boot {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let name: String = (0..12).map(|_| char::from(ALPHABET[rng.random_range(0..64)])).collect();
    name.parse().expect("the alphabet is that of boots")
}

#[cfg(test)]
mod tests;
