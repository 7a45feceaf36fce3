//! The files of the authority: never overwritten, and keys readable by their owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{AuthorityError, Result};

/// Refuses when one of them is there.
pub(super) fn check_absent<'a>(paths: impl IntoIterator<Item = &'a std::path::PathBuf>) -> Result<()> {
    match paths.into_iter().find(|path| path.exists()) {
        Some(path) => Err(AuthorityError::Exists(path.clone())),
        None => Ok(()),
    }
}

/// Makes a folder that only its owner may look into, if it is not there.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| failed(path, error))
}

/// The text of a file; none when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// Writes a new file for everybody who may look into the folder.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    write_new(path, text, 0o644)
}

/// Writes a new file for its owner alone.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<()> {
    write_new(path, text, 0o600)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: io::Error) -> AuthorityError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return AuthorityError::Exists(path.to_owned());
    }
    AuthorityError::File { path: path.to_owned(), error }
}
