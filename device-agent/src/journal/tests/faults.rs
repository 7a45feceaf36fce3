//! A disk that writes less than it was given, and forgets what was not synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What a disk will do to the journal's file.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Bytes at the beginning of the file that survive a power cut.
    pub(crate) safe: u64,
    /// It takes so many bytes more, then fails so many times.
    plan: Option<(usize, u32)>,
}

impl Faults {
    pub(crate) fn at(safe: u64) -> Self {
        Self { safe, plan: None }
    }

    pub(crate) fn fail(&mut self, after: usize, times: u32) {
        self.plan = (times > 0).then_some((after, times));
    }

    pub(crate) fn written(&mut self, bytes: u64, durably: bool) {
        if durably {
            self.safe = bytes;
        }
    }

    pub(crate) fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        match self.take(bytes.len()) {
            Some(taken) => {
                file.write_all_at(&bytes[..taken], at)?;
                Err(io::ErrorKind::StorageFull.into())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.take(bytes.len()).map_or(Ok(()), |_| Err(io::ErrorKind::StorageFull.into()))
    }

    /// How many of so many bytes are taken, where that is not all.
    fn take(&mut self, bytes: usize) -> Option<usize> {
        let (left, times) = self.plan?;
        if bytes <= left {
            self.plan = Some((left - bytes, times));
            return None;
        }
        self.plan = (times > 1).then_some((0, times - 1));
        Some(left)
    }
}
