//! Files that are wholly there or not at all, whenever the power goes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Makes the directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Puts a file of these bytes in the place of whatever is there. When this returns it survives a power cut; before, what
/// was there does. What an interrupted attempt leaves behind has the extension `new`.
pub(crate) fn replace(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    put(File::create(&new)?, &new, dir, path, bytes)
}

/// As [`replace`], for what nobody else may read, from its first byte on.
pub(crate) fn replace_secret(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // What an interrupted attempt left may have another mode.
    let _ = fs::remove_file(&new);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    put(file, &new, dir, path, bytes)
}

fn put(mut file: File, new: &Path, dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        for bytes in [&b"a longer one"[..], b"short", b""] {
            replace(dir.path(), &path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
