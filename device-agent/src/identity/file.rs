//! The file of an identity: wholly there or not at all.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use protocol::DeviceId;
use serde::{Deserialize, Serialize, Serializer};

use super::{Credentials, Identity, IdentityError, Keyring, Pair};
use crate::config::Secret;
use crate::durable::replace_secret;

/// Where an identity is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFile(PathBuf);

/// What is in it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<Pair>,
}

impl IdentityFile {
    /// The file of this path, there or not.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Who is in it; none where there is no such file.
    pub fn read(&self) -> Result<Option<Identity>, IdentityError> {
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IdentityError::of(&self.0)(error)),
        };
        // What serde says of it would quote it.
        let unreadable = || IdentityError::Unreadable(self.0.clone());
        let Stored { device, secret, certificates } =
            serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        match (secret, certificates.len()) {
            (Some(secret), 0) => {
                Ok(Some(Identity { device, secret: Some(Secret::new(&secret)), keyring: None }))
            }
            (None, 1 | 2) => {
                let keyring = Keyring::new(device, certificates, self.clone());
                Ok(Some(Identity { device, secret: None, keyring: Some(keyring) }))
            }
            _ => Err(unreadable()),
        }
    }

    /// Makes its directory if need be, and sees that the file can be written, as credentials are given once. One that is
    /// there is refused, unless it is to be replaced.
    pub fn prepare(&self, replace: bool) -> Result<(), IdentityError> {
        if !replace && self.0.exists() {
            return Err(IdentityError::Exists(self.0.clone()));
        }
        let attempt = self.0.with_extension("new");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.dir());
        made.and_then(|()| fs::write(&attempt, b""))
            .and_then(|()| fs::remove_file(&attempt))
            .map_err(IdentityError::of(&self.0))
    }

    /// Writes who the device has become. When this returns it survives a power cut.
    pub fn create(&self, device: DeviceId, credentials: Credentials) -> Result<Identity, IdentityError> {
        let (secret, certificates) = match credentials {
            Credentials::Secret(secret) => (Some(secret), Vec::new()),
            Credentials::Certificate(pair) => (None, vec![pair]),
        };
        self.write(&Stored {
            device,
            secret: secret.as_ref().map(|secret| secret.reveal().to_owned()),
            certificates: certificates.clone(),
        })
        .map_err(IdentityError::of(&self.0))?;
        let keyring = (!certificates.is_empty()).then(|| Keyring::new(device, certificates, self.clone()));
        Ok(Identity { device, secret, keyring })
    }

    /// Writes the certificates in the place of those that were there.
    pub(super) fn keep(&self, device: DeviceId, certificates: &[Pair]) -> io::Result<()> {
        self.write(&Stored { device, secret: None, certificates: certificates.to_vec() })
    }

    fn write(&self, stored: &Stored) -> io::Result<()> {
        replace_secret(self.dir(), &self.0, &serde_json::to_vec_pretty(stored)?)
    }

    fn dir(&self) -> &Path {
        match self.0.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        }
    }
}

/// For this file and nothing else.
pub(super) fn reveal<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";

    #[test]
    fn an_identity_is_read_as_it_was_written_and_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(dir.path().join("of/its/own/identity.json"));
        assert!(file.read().unwrap().is_none());
        file.prepare(false).unwrap();
        assert!(file.read().unwrap().is_none(), "nothing is written before there are credentials");
        let device = DEVICE.parse().unwrap();
        file.create(device, Credentials::Secret(Secret::new("dk_x"))).unwrap();
        let identity = file.read().unwrap().unwrap();
        assert_eq!((identity.device, identity.secret), (device, Some(Secret::new("dk_x"))));
        assert!(identity.keyring.is_none());
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.dir()).unwrap().permissions().mode() & 0o777, 0o700);

        assert!(matches!(file.prepare(false), Err(IdentityError::Exists(_))));
        file.prepare(true).unwrap();
        assert!(file.read().unwrap().is_some(), "what is to be replaced stays until it is");
    }

    #[test]
    fn what_is_no_identity_is_refused_without_being_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(dir.path().join("identity.json"));
        let pair = r#"{"certificate":"a","key":"dk_hidden","authority":"b"}"#;
        for text in [
            String::new(),
            "{}".into(),
            format!(r#"{{"device":"{DEVICE}"}}"#),
            format!(r#"{{"device":"{DEVICE}","secret":["dk_hidden"]}}"#),
            format!(r#"{{"device":"{DEVICE}","secret":"dk_hidden","certificates":[{pair}]}}"#),
            format!(r#"{{"device":"{DEVICE}","certificates":[{pair},{pair},{pair}]}}"#),
        ] {
            fs::write(file.path(), &text).unwrap();
            let error = file.read().unwrap_err();
            assert!(matches!(error, IdentityError::Unreadable(_)), "{text}");
            assert!(!format!("{error} {error:?}").contains("dk_hidden"));
        }
        fs::write(file.path(), format!(r#"{{"device":"{DEVICE}","certificates":[{pair}]}}"#)).unwrap();
        assert!(!format!("{:?}", file.read().unwrap()).contains("dk_hidden"));
    }
}
