//! The file with the sealing key: 32 bytes as base64url, readable by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::IdentityError;
use crate::random;

/// The key; a missing file is made with a new one.
pub(super) fn read_or_make(path: &Path) -> Result<[u8; 32], IdentityError> {
    let failed = |reason: String| IdentityError::SealingKey { path: path.to_owned(), reason };
    match fs::read_to_string(path) {
        Ok(text) => URL_SAFE_NO_PAD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| failed("it does not hold 32 bytes as base64url".to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = random::bytes::<32>()?;
            make(path, &URL_SAFE_NO_PAD.encode(key)).map_err(|error| failed(error.to_string()))?;
            tracing::info!(path = %path.display(), "made a sealing key; keep a copy of it apart from the database");
            Ok(key)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Writes a file that was not there before, and waits until it is on the disk: what is sealed with it soon will be.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_read_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, "short").unwrap();
        assert!(read_or_make(&path).is_err(), "a broken key is never replaced");
    }
}
