//! What is on the disk of the device that this one was before. Nothing of it may be sent, or obeyed, as the device that it
//! is now.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::durable::sync_dir;
use crate::spool::{Spool, SpoolError};
use crate::{appliance, journal, privacy, tuning};

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Batches that were never receipted.
    pub batches: u64,
    /// Pings in them.
    pub pings: u64,
    /// Bytes of the spool.
    pub bytes: u64,
}

/// Why something of it is still there.
#[derive(Debug, thiserror::Error)]
pub enum FormerError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Commands, or what the twin asked for.
    #[error("{} cannot be deleted", path.display())]
    File {
        /// The file or its directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Deletes what waits in the spool, the journal of commands, the state of the appliance, and what the twin asked for. When
/// this returns it is gone for good. It can be done again after an error.
///
/// The spool is that of the configuration: as long as it is open, no agent works.
pub fn forget(config: &Config, spool: &mut Spool) -> Result<Forgotten, FormerError> {
    let commands = config.commands_dir();
    journal::delete(&commands).map_err(FormerError::of(&commands))?;
    for path in [appliance::state_file(&commands), tuning::path(&commands), privacy::path(&config.spool.dir)]
    {
        delete(&path).map_err(FormerError::of(&path))?;
    }
    let (before, bytes) = (spool.counters(), spool.bytes());
    spool.give_up_all("they are of the device that this one was")?;
    let after = spool.counters();
    Ok(Forgotten {
        batches: after.given_up - before.given_up,
        pings: after.given_up_pings - before.given_up_pings,
        bytes: bytes - spool.bytes(),
    })
}

fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => path.parent().map_or(Ok(()), sync_dir),
    }
}

impl FormerError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}
