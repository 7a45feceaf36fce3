//! One file of the spool, append-only while it is the last.
//!
//! Its name says all about it, so that even an empty file is a whole one: `00000012.k3v9Zx0q.000000000000004b.spool`
//! is the 18th file, of boot `k3v9Zx0q`, and its first batch has or will have the number 75.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use protocol::Boot;

use crate::durable::{replace, sync_dir};
use crate::record::{self, HEAD, Head, Kind, Scan};

/// What a file name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Place among the files, growing by one.
    pub(super) index: u32,
    /// Number its first batch has.
    pub(super) base: u64,
    /// Whose numbers they are.
    pub(super) boot: Boot,
}

impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let index = u32::from_str_radix(parts.next()?, 16).ok()?;
        let boot = parts.next()?.parse().ok()?;
        let base = u64::from_str_radix(parts.next()?, 16).ok()?;
        let name = Self { index, base, boot };
        // Only the spelling that would be printed: two names must never mean the same file.
        (name.print() == text).then_some(name)
    }

    pub(super) fn print(&self) -> String {
        format!("{:08x}.{}.{:016x}.spool", self.index, self.boot, self.base)
    }
}

/// A file and what is known about its contents.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: Name,
    /// Which numbering of this spool its boot is, counted from 1.
    pub(super) age: u64,
    /// One past the last batch number.
    pub(super) end: u64,
    /// Bytes of good records.
    pub(super) bytes: u64,
    path: PathBuf,
    salt: u32,
}

/// A batch found in a segment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seq: u64,
    pub(super) body: Vec<u8>,
    /// Where the record after it begins.
    pub(super) next: u64,
}

/// Why nothing could be found.
#[derive(Debug)]
pub(super) enum Miss {
    /// There is no such batch.
    End,
    /// What was safe on disk has changed there.
    Spoilt,
    /// The system says no.
    Io(io::Error),
}

impl From<io::Error> for Miss {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Segment {
    /// A new, empty file, in the directory for good when this returns.
    pub(super) fn create(dir: &Path, name: Name, age: u64) -> io::Result<(Self, File)> {
        let text = name.print();
        let path = dir.join(&text);
        // A file of this name can only be left over from an attempt that failed.
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
        if let Err(error) = file.sync_all().and_then(|()| sync_dir(dir)) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let salt = record::salt(&text);
        Ok((Self { name, age, end: name.base, bytes: 0, path, salt }, file))
    }

    /// An existing file with its torn tail cut off, and if it was damaged, written anew with its good records only.
    pub(super) fn recover(dir: &Path, name: Name, age: u64) -> io::Result<(Self, Recovered)> {
        let text = name.print();
        let path = dir.join(&text);
        let salt = record::salt(&text);
        let bytes = fs::read(&path)?;
        let Scan { records, end, damaged } = record::scan(&bytes, salt, name.base);
        let mut marks = Vec::new();
        let mut seqs = Vec::new();
        for (at, head) in &records {
            match head.kind {
                Kind::Batch => seqs.push(head.seq),
                Kind::Line => {}
                Kind::Mark => {
                    let boot = &bytes[at + HEAD..at + head.size()];
                    marks.extend(
                        str::from_utf8(boot)
                            .ok()
                            .and_then(|text| text.parse().ok())
                            .map(|boot| (boot, head.seq)),
                    );
                }
            }
        }
        let mut size = end;
        if damaged {
            let good: Vec<u8> =
                records.iter().flat_map(|(at, head)| &bytes[*at..at + head.size()]).copied().collect();
            replace(dir, &path, &good)?;
            size = good.len();
        } else if end < bytes.len() {
            let file = File::options().write(true).open(&path)?;
            file.set_len(end as u64)?;
            file.sync_all()?;
        }
        let end = seqs.last().map_or(name.base, |last| last + 1);
        let segment = Self { name, age, end, bytes: size as u64, path, salt };
        Ok((segment, Recovered { seqs, marks, damaged, torn: bytes.len() - size }))
    }

    /// Opens the file to read it, or as the last one also to write it.
    pub(super) fn open(&self, write: bool) -> io::Result<File> {
        File::options().read(true).write(write).open(&self.path)
    }

    /// A batch as a record of this file.
    pub(super) fn encode(&self, pings: u16, seq: u64, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        record::write(&mut bytes, self.salt, Kind::Batch, pings, seq, body);
        bytes
    }

    /// A mark as a record of this file.
    pub(super) fn encode_mark(&self, boot: Boot, low: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        record::write(&mut bytes, self.salt, Kind::Mark, 0, low, boot.as_str().as_bytes());
        bytes
    }

    /// Writes at the end of the good records, which what a failed write left behind does not move.
    pub(super) fn write(&mut self, file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, self.bytes)
    }

    /// The first batch at or after the byte `from` whose number is wanted.
    pub(super) fn find(&self, file: &File, from: u64, wanted: impl Fn(u64) -> bool) -> Result<Found, Miss> {
        let mut at = from;
        while at < self.bytes {
            let head = self.head(file, at)?;
            let next = at + head.size() as u64;
            if head.kind == Kind::Batch && head.seq < self.end && wanted(head.seq) {
                let mut body = vec![0; head.len];
                file.read_exact_at(&mut body, at + HEAD as u64)?;
                if !head.fits(self.salt, &body) {
                    return Err(Miss::Spoilt);
                }
                return Ok(Found { seq: head.seq, body, next });
            }
            at = next;
        }
        Err(Miss::End)
    }

    /// How many pings the batches with wanted numbers hold, as far as it can be read.
    pub(super) fn count_pings(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let mut pings = 0;
        let mut at = 0;
        let Ok(file) = self.open(false) else { return 0 };
        while at < self.bytes
            && let Ok(head) = self.head(&file, at)
        {
            if head.kind == Kind::Batch && wanted(head.seq) {
                pings += u64::from(head.pings);
            }
            at += head.size() as u64;
        }
        pings
    }

    /// Deletes the file.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn head(&self, file: &File, at: u64) -> Result<Head, Miss> {
        let mut bytes = [0; HEAD];
        if at + HEAD as u64 > self.bytes {
            return Err(Miss::Spoilt);
        }
        file.read_exact_at(&mut bytes, at)?;
        let head = Head::read(&bytes).ok_or(Miss::Spoilt)?;
        if at + head.size() as u64 > self.bytes { Err(Miss::Spoilt) } else { Ok(head) }
    }
}

/// What a file held when it was opened.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Numbers of its batches, ascending.
    pub(super) seqs: Vec<u64>,
    /// What was released, by boot.
    pub(super) marks: Vec<(Boot, u64)>,
    /// Whether something that had been safe is gone.
    pub(super) damaged: bool,
    /// Bytes cut off.
    pub(super) torn: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_what_they_parse() {
        let name = Name { index: 18, base: 75, boot: "k3v9-_".parse().unwrap() };
        assert_eq!(name.print(), "00000012.k3v9-_.000000000000004b.spool");
        assert_eq!(Name::parse(&name.print()), Some(name));
        for wrong in [
            "12.k3v9.4b.spool",
            "00000012.k3v9.000000000000004B.spool",
            "00000012.k3v9.000000000000004b.new",
            "00000012..000000000000004b.spool",
            "lock",
            "",
        ] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
    }
}
