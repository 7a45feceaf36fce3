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

/// Writes a new key, for its owner alone, and its certificate, for everybody who may look into the folder: both or, with an
/// error, neither, because one without the other is in the way of the next attempt.
pub(super) fn write_pair(key: (&Path, &str), certificate: (&Path, &str)) -> Result<()> {
    write_new(key, 0o600)?;
    write_new(certificate, 0o644).inspect_err(|_| remove(key.0))
}

fn write_new((path, text): (&Path, &str), mode: u32) -> Result<()> {
    // A file that is there already is not ours to remove.
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = opened.map_err(|error| failed(path, error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        remove(path);
        failed(path, error)
    })
}

/// The error that it comes after is the one to tell.
fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a file that was half made stays");
    }
}

fn failed(path: &Path, error: io::Error) -> AuthorityError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return AuthorityError::Exists(path.to_owned());
    }
    AuthorityError::File { path: path.to_owned(), error }
}
