//! The data directory, which one process at a time may serve from.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;

use crate::config::Config;

/// For how long nobody needs the lock who does not serve.
const A_LOOK: Duration = Duration::from_secs(1);

/// An open data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// The lock that `serve` and `demo` hold; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// Makes the directory if there is none; only its owner may look into it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Takes the lock, or says that another process has it: one that has it for longer than it takes to look whether
    /// somebody has it, as [`Self::is_served`] does.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let file = self.lock_file()?;
        let (tell, told) = mpsc::sync_channel(1);
        // The system wakes whoever waits. A thread that waited in vain lets go of the file when it gets the lock after all.
        thread::spawn(move || {
            let locked = flock(&file, FlockOperation::LockExclusive).map(|()| Lock { _file: file });
            drop(tell.send(locked));
        });
        match told.recv_timeout(A_LOOK) {
            Ok(locked) => locked.context("the lock of the data directory"),
            Err(_) => {
                bail!(
                    "another promenade is serving from {}; stop it or name another --data",
                    self.path.display()
                )
            }
        }
    }

    /// Whether some process serves from the directory now.
    pub fn is_served(&self) -> anyhow::Result<bool> {
        Ok(flock(self.lock_file()?, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK))
    }

    /// The database: what the configuration names, or SQLite here.
    pub fn database_url(&self, config: &Config) -> String {
        config
            .database
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.path.join("promenade.db").display()))
    }

    /// Whether there is a database to look into: a file here, or whatever the configuration names.
    pub fn has_database(&self, config: &Config) -> bool {
        config.database.url.is_some() || self.path.join("promenade.db").is_file()
    }

    /// The files that others on this machine can read; there should be none, since the keys of the pseudonyms are among them.
    pub fn open_to_others(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = std::fs::metadata(&self.path)?;
        if !is_open(&folder) {
            return Ok(Vec::new());
        }
        let mut open = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() && is_open(&metadata) {
                open.push(entry.path());
            }
        }
        Ok(open)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock_file(&self) -> anyhow::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path.join("lock"))
            .with_context(|| format!("{} is not writable", self.path.display()))
    }
}

/// Whether others than the owner may do anything with it.
fn is_open(metadata: &Metadata) -> bool {
    Mode::from_raw_mode(metadata.permissions().mode()).intersects(Mode::RWXG | Mode::RWXO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&folder.path().join("deep/data")).expect("made");
        assert!(!data.is_served().expect("asked"));
        let lock = data.lock().expect("free");
        assert!(data.is_served().expect("asked"));
        let error = data.lock().expect_err("taken").to_string();
        assert!(error.contains("another promenade"), "{error}");
        drop(lock);
        data.lock().expect("free again");
    }

    #[test]
    fn what_others_can_read_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("made");
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("allowed");
        };
        for (name, mode) in [("promenade.db", 0o644), ("lock", 0o600)] {
            std::fs::write(folder.path().join(name), "").expect("written");
            open(&folder.path().join(name), mode);
        }
        open(folder.path(), 0o700);
        assert!(data.open_to_others().expect("read").is_empty(), "nobody else can enter");
        open(folder.path(), 0o755);
        assert_eq!(data.open_to_others().expect("read"), [folder.path().join("promenade.db")]);
    }

    #[test]
    fn whoever_looks_does_not_keep_a_server_from_starting() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("made");
        let look = data.lock().expect("free");
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let starting = &data;
            scope.spawn(move || tell.send(starting.lock().map_err(|error| error.to_string())));
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
            drop(look);
            told.recv().expect("an answer").expect("it has the lock");
        });
    }
}
