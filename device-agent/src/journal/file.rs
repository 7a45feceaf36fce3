//! The file of the journal: records that are only ever added, until the file is long and is written anew.
//!
//! A new file gets the next number in its name and takes its place as a whole, so the one with the highest number is
//! always complete; what it replaced is deleted after it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::JournalError;
use super::line::Line;
use crate::durable::{replace, sync_dir};
use crate::record::{self, HEAD, Kind};

/// A file is written anew when it has grown by so much since it was.
const LONG: u64 = 256 * 1024;

/// The file that grows, and what is known about it.
#[derive(Debug)]
pub(super) struct LogFile {
    dir: PathBuf,
    index: u32,
    file: File,
    salt: u32,
    /// Number of the next record.
    seq: u64,
    /// Bytes of good records.
    bytes: u64,
    /// Bytes it began with.
    began_with: u64,
    /// False after a failed write: what is at its end is not known.
    sound: bool,
    /// Held locked as long as the journal is open.
    _lock: File,
    #[cfg(test)]
    pub(super) faults: super::tests::Faults,
}

/// What was in a file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) lines: Vec<Line>,
    /// Whether something that had been safe is gone.
    pub(super) damaged: bool,
}

impl LogFile {
    /// Opens the newest file of the directory, with its torn tail cut off, or makes an empty one.
    pub(super) fn open(dir: &Path) -> Result<(Self, Found), JournalError> {
        let failed = |source| JournalError::Io { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        // Else a power cut could take the whole directory with it.
        dir.parent().filter(|parent| parent.is_dir()).map_or(Ok(()), sync_dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Self::recover(dir, lock).map_err(failed)
    }

    /// Whether all that was given to it is on the disk.
    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Whether it is time to write it anew.
    pub(super) fn is_long(&self) -> bool {
        self.bytes > 2 * self.began_with + LONG
    }

    /// Adds a line. A failure leaves the file unsound.
    pub(super) fn append(&mut self, body: &[u8], durably: bool) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        record::write(&mut bytes, self.salt, Kind::Line, 0, self.seq, body);
        if let Err(error) = self.write(&bytes, durably) {
            self.sound = false;
            return Err(error);
        }
        self.seq += 1;
        self.bytes += bytes.len() as u64;
        #[cfg(test)]
        self.faults.written(self.bytes, durably);
        Ok(())
    }

    /// Begins a new file with these lines. After an error the old one is still the one, and unsound.
    pub(super) fn replace(&mut self, bodies: &[Vec<u8>]) -> Result<(), JournalError> {
        self.sound = false;
        let index = self.index + 1;
        let (bytes, salt) = render(index, bodies);
        self.file =
            self.place(index, &bytes).map_err(|source| JournalError::Io { dir: self.dir.clone(), source })?;
        if let Err(error) = fs::remove_file(path(&self.dir, self.index)) {
            warn!(%error, "the journal's last file cannot be deleted");
        }
        let bytes = bytes.len() as u64;
        (self.index, self.salt, self.seq) = (index, salt, bodies.len() as u64);
        (self.bytes, self.began_with, self.sound) = (bytes, bytes, true);
        #[cfg(test)]
        self.faults.written(self.bytes, true);
        Ok(())
    }

    fn place(&mut self, index: u32, bytes: &[u8]) -> io::Result<File> {
        #[cfg(test)]
        self.faults.replace(bytes)?;
        let path = path(&self.dir, index);
        replace(&self.dir, &path, bytes)?;
        File::options().read(true).write(true).open(&path)
    }

    fn recover(dir: &Path, lock: File) -> io::Result<(Self, Found)> {
        let mut indices = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let is_left = path.extension().is_some_and(|extension| extension == "new");
            if is_left {
                fs::remove_file(&path)?;
            } else {
                indices.extend(path.file_name().and_then(|name| name.to_str()).and_then(parse));
            }
        }
        indices.sort_unstable();
        let index = indices.pop().unwrap_or_default();
        for older in indices {
            fs::remove_file(path(dir, older))?;
        }
        let path = path(dir, index);
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        let bytes = fs::read(&path)?;
        let salt = record::salt(&name(index));
        let scan = record::scan(&bytes, salt, 0);
        if scan.end < bytes.len() {
            info!(bytes = bytes.len() - scan.end, "a torn tail of the journal is cut off");
            file.set_len(scan.end as u64)?;
        }
        file.sync_all()?;
        sync_dir(dir)?;
        let bodies = scan.records.iter().map(|(at, head)| &bytes[at + HEAD..at + head.size()]);
        let lines: Vec<Option<Line>> = bodies.map(|body| serde_json::from_slice(body).ok()).collect();
        // A line of a newer agent is as good as lost to this one.
        let damaged = scan.damaged || lines.iter().any(Option::is_none);
        let found = Found { lines: lines.into_iter().flatten().collect(), damaged };
        let log = Self {
            dir: dir.to_owned(),
            index,
            file,
            salt,
            seq: scan.records.last().map_or(0, |(_, head)| head.seq + 1),
            bytes: scan.end as u64,
            began_with: scan.end as u64,
            // A damaged file is written anew before anything is added.
            sound: !damaged,
            _lock: lock,
            #[cfg(test)]
            faults: super::tests::Faults::at(scan.end as u64),
        };
        Ok((log, found))
    }

    fn write(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        #[cfg(test)]
        self.faults.write(&self.file, bytes, self.bytes)?;
        self.file.write_all_at(bytes, self.bytes)?;
        if durably { self.file.sync_data() } else { Ok(()) }
    }
}

/// Deletes the files in the directory, if there are any. No journal may be open there.
pub(crate) fn delete(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).and_then(parse).is_some() {
            fs::remove_file(&path)?;
        }
    }
    sync_dir(dir)
}

/// The records of a whole file, and its salt.
fn render(index: u32, bodies: &[Vec<u8>]) -> (Vec<u8>, u32) {
    let salt = record::salt(&name(index));
    let mut bytes = Vec::new();
    for (seq, body) in (0..).zip(bodies) {
        record::write(&mut bytes, salt, Kind::Line, 0, seq, body);
    }
    (bytes, salt)
}

fn path(dir: &Path, index: u32) -> PathBuf {
    dir.join(name(index))
}

fn name(index: u32) -> String {
    format!("{index:08x}.journal")
}

fn parse(text: &str) -> Option<u32> {
    let index = u32::from_str_radix(text.strip_suffix(".journal")?, 16).ok()?;
    (name(index) == text).then_some(index)
}
