//! Which commands this device took, and how far it got with each: on disk, so that none is ever run twice.
//!
//! - A command is [accepted](Journal::accept) before the platform hears of it, [begun](Journal::begin) before its effect
//!   begins, and [ended](Journal::end) before the platform hears how it ended. Each of these is on the medium when the
//!   method returns (one `fdatasync`), so that whatever was told or done is known after a power cut.
//! - What was begun and not ended when the journal is opened was interrupted, and is never begun again.
//! - An answer waits here until the broker has [acknowledged](Journal::acknowledge) it. That mark need not be durable:
//!   what is forgotten of it is sent again.
//! - Commands are remembered until their deadline is over for certain, and those without one for a week, or until
//!   others need their room; see [`forget`](Journal::forget). Both are bounded, so that the journal is too.
//! - When a nonce is forgotten, the deadline that was signed with it is noted instead (one for all), and nothing that is
//!   signed until then is taken any more. So a clock that was ahead for a while, and had nonces forgotten too early, cannot
//!   have an order run again.

mod entry;
mod file;
mod line;
mod questions;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{Ack, AckStatus, CommandId, Timestamp};
use tracing::{error, info, warn};

use crate::record;

use file::LogFile;

pub(crate) use file::delete;
use line::Line;

pub use entry::{Entry, Nonce, Order, RESTART, Terms};

/// How many commands are remembered at once: as many as may wait, and as many that are over.
pub const CAPACITY: usize = 2_048;

/// How long after its deadline a command is still remembered: no two clocks that both count are so far apart.
pub const MARGIN: Duration = Duration::from_mins(10);

/// How long a command without a deadline is remembered.
pub const WITHOUT_DEADLINE: Duration = Duration::from_hours(7 * 24);

/// The commands of one device, by their ids.
#[derive(Debug)]
pub struct Journal {
    file: LogFile,
    entries: BTreeMap<CommandId, Entry>,
    /// Those that wait to be run, by their order.
    waiting: BTreeMap<u64, CommandId>,
    /// Given to the next entry: they keep the order in which they came.
    next: u64,
    /// Version of the last desired twin that was followed.
    followed: Option<u64>,
    /// The last deadline that was signed with a nonce that is forgotten.
    spent: Option<Timestamp>,
}

/// Why the journal cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk or its rights.
    #[error("the journal in {} cannot be read or written", dir.display())]
    Io {
        /// The journal's directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent works on it.
    #[error("the journal in {} is in use by another agent", dir.display())]
    InUse {
        /// The journal's directory.
        dir: PathBuf,
    },
    /// There are as many commands in it as it remembers.
    #[error("the journal is full")]
    Full,
    /// A command that could not be read again.
    #[error("{bytes} bytes are too many for a line of the journal")]
    TooLong {
        /// Bytes of the line.
        bytes: usize,
    },
}

impl Journal {
    /// Opens the journal in its directory, or makes one.
    ///
    /// What had begun and not ended is ended as failed, for the reason `interrupted`, and so is what had not begun if the
    /// journal is damaged: whether it had is then not known. A [`RESTART`] that had begun is done.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let (file, found) = LogFile::open(dir)?;
        let mut journal = Self {
            file,
            entries: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            followed: None,
            spent: None,
        };
        for line in found.lines {
            journal.apply(line);
        }
        if found.damaged {
            error!(dir = %dir.display(), "the journal was damaged; what is left of it is kept");
        }
        let interrupted: Vec<(CommandId, Ack)> = journal
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_begun() || found.damaged && entry.waits())
            .map(|(&id, entry)| (id, entry.interrupted()))
            .collect();
        for (id, ack) in interrupted {
            warn!(command = %id, status = ack.status.as_str(), "a command was interrupted");
            journal.end(id, ack)?;
        }
        Ok(journal)
    }

    /// Takes a command that is to be run later. It answers `accepted` from now on.
    pub fn accept(&mut self, id: CommandId, order: Order, terms: Terms) -> Result<(), JournalError> {
        self.take(id, Line::Accepted { command: id, order, terms })
    }

    /// Notes that a command will not be run, so that it is not if it comes again.
    pub fn refuse(&mut self, id: CommandId, terms: Terms, ack: Ack) -> Result<(), JournalError> {
        self.take(id, Line::Closed { command: id, terms, ack })
    }

    /// Notes that a command's effect is about to begin. After an error it must not.
    pub fn begin(&mut self, id: CommandId) -> Result<(), JournalError> {
        let before = self.entries.get(&id).cloned();
        let written = self.write(Line::Begun { command: id }, true);
        if written.is_err()
            && let Some(before) = before
        {
            self.waiting.insert(before.number, id);
            self.entries.insert(id, before);
        }
        written
    }

    /// Notes how a command ended. After an error that is known here all the same, and answers wait until the disk has it.
    pub fn end(&mut self, id: CommandId, ack: Ack) -> Result<(), JournalError> {
        self.write(Line::Ended { command: id, ack }, true)
    }

    /// Notes that the platform has this answer.
    pub fn acknowledge(&mut self, id: CommandId, status: AckStatus) {
        let waits = |entry: &Entry| entry.ack.status == status && !entry.acknowledged;
        if !self.entries.get(&id).is_some_and(waits) {
            return;
        }
        if let Err(error) = self.write(Line::Acknowledged { command: id, status }, false) {
            warn!(%error, "an acknowledgement could not be noted on the disk");
        }
    }

    /// Notes that the desired twin of this version was followed.
    pub fn follow(&mut self, version: u64) -> Result<(), JournalError> {
        self.write(Line::Followed { version }, true)
    }

    /// Tries again what the disk did not take. True when all that is known here is on it.
    pub fn mend(&mut self) -> bool {
        if !self.file.is_sound()
            && let Err(error) = self.rewrite()
        {
            warn!(%error, "the journal cannot be written");
        }
        self.file.is_sound()
    }

    /// Forgets what is over for certain. `elapsed` counts since the journal was opened; `own` is the device's own clock, if
    /// it can be right. What anybody says of the time is no reason to forget.
    ///
    /// A deadline is over when the own clock says so, or when as much time has passed since the command came as was left
    /// then by the own clock. Commands without a deadline count a week from their arrival.
    pub fn forget(&mut self, elapsed: Duration, own: Option<Timestamp>) {
        let before = self.entries.len();
        let spent = &mut self.spent;
        self.entries.retain(|_, entry| {
            let is_over = entry.is_over(elapsed, own);
            if is_over {
                *spent = (*spent).max(entry.terms.nonce.as_ref().map(|nonce| nonce.until));
            }
            !is_over
        });
        if self.entries.len() < before {
            info!(commands = before - self.entries.len(), "commands are forgotten");
        }
    }

    fn take(&mut self, id: CommandId, line: Line) -> Result<(), JournalError> {
        let bytes = line.to_json().len();
        if bytes > record::LONGEST {
            return Err(JournalError::TooLong { bytes });
        }
        if self.entries.len() >= CAPACITY {
            let dispensable = self.entries.iter().filter(|(_, entry)| entry.is_dispensable());
            let oldest = dispensable.min_by_key(|(_, entry)| entry.number).map(|(&id, _)| id);
            self.entries.remove(&oldest.ok_or(JournalError::Full)?);
        }
        let written = self.write(line, true);
        if written.is_err()
            && let Some(entry) = self.entries.remove(&id)
        {
            self.waiting.remove(&entry.number);
        }
        written
    }

    /// Changes what is known here, then on the disk. Where the disk does not take it, the file is written anew from what
    /// is known, so that a line that was refused cannot come back.
    fn write(&mut self, line: Line, durably: bool) -> Result<(), JournalError> {
        let body = line.to_json();
        self.apply(line);
        if self.file.is_sound() && !self.file.is_long() && self.file.append(&body, durably).is_ok() {
            return Ok(());
        }
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<(), JournalError> {
        let mut entries: Vec<(&CommandId, &Entry)> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.number);
        let mut bodies: Vec<Vec<u8>> = entries
            .into_iter()
            .flat_map(|(&id, entry)| line::of(id, entry))
            .map(|line| line.to_json())
            .collect();
        bodies.extend(self.followed.map(|version| Line::Followed { version }.to_json()));
        bodies.extend(self.spent.map(|until| Line::Spent { until }.to_json()));
        self.file.replace(&bodies)
    }

    fn apply(&mut self, line: Line) {
        let number = self.next;
        match line {
            Line::Accepted { command, order, terms } => {
                self.waiting.insert(number, command);
                self.entries.insert(command, Entry::accepted(number, order, terms));
                self.next += 1;
            }
            Line::Closed { command, terms, ack } => {
                self.entries.insert(command, Entry::closed(number, terms, ack));
                self.next += 1;
            }
            Line::Begun { command } => self.change(command, Entry::begin),
            Line::Ended { command, ack } => self.change(command, |entry| entry.end(ack)),
            Line::Acknowledged { command, status } => {
                self.change(command, |entry| entry.acknowledge(status));
            }
            Line::Followed { version } => self.followed = Some(version),
            Line::Spent { until } => self.spent = self.spent.max(Some(until)),
        }
    }

    fn change(&mut self, id: CommandId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
            if !entry.waits() {
                self.waiting.remove(&entry.number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
