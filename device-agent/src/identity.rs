//! Who this device is, and what it signs in with: told in the configuration, or fetched by the agent and kept in a file.
//!
//! The file is one, `identity.json`, readable by the agent alone and replaced as a whole, so that a certificate never
//! stands beside the key of another, whenever the power goes. It holds the device and either its secret or its
//! certificates, two at most (see [`Keyring`]).

mod certificate;
mod draft;
mod file;
mod keyring;

use std::io;
use std::path::{Path, PathBuf};

use protocol::DeviceId;

pub use certificate::{Validity, ValidityError};
pub use draft::{Draft, DraftError};
pub use file::IdentityFile;
pub use keyring::{Keyring, Pair, Settled};

use crate::config::{Config, Secret};

/// A device, as it signs in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id, which is also its user name.
    pub device: DeviceId,
    /// Its password, where it has one.
    pub secret: Option<Secret>,
    /// Certificates that the agent fetched and renews itself. Those of files that `[link]` names are not among them.
    pub keyring: Option<Keyring>,
}

/// What a device got when it came in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A password.
    Secret(Secret),
    /// A certificate, with the key that it is for.
    Certificate(Pair),
}

/// Why it is not known who this device is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file, or its directory, cannot be read or written.
    #[error("the identity {} cannot be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no identity", .0.display())]
    Unreadable(PathBuf),
    /// The device has come in already.
    #[error("there is an identity already in {}: `--replace` gives it up", .0.display())]
    Exists(PathBuf),
    /// Nobody told, and nothing was fetched.
    #[error(
        "this device has not come in yet ({} is not there): `promenade-agent enrol`, or `id` and a secret in [device]",
        .0.display()
    )]
    Missing(PathBuf),
    /// Certificates are shown in TLS alone.
    #[error("this device signs in with a certificate, which needs `tls = true` in [link]")]
    NeedsTls,
}

impl Identity {
    /// Who the configuration says, or else the file; none where the device has not come in yet.
    pub fn open(config: &Config) -> Result<Option<Self>, IdentityError> {
        if let Some(device) = config.device.id {
            return Ok(Some(Self { device, secret: config.device.secret.clone(), keyring: None }));
        }
        let identity = IdentityFile::new(config.identity_file()).read()?;
        match &identity {
            Some(Self { keyring: Some(_), .. }) if !config.link.tls => Err(IdentityError::NeedsTls),
            _ => Ok(identity),
        }
    }

    /// As [`open`](Self::open), and a device that has not come in yet is an error.
    pub fn require(config: &Config) -> Result<Self, IdentityError> {
        Self::open(config)?.ok_or_else(|| IdentityError::Missing(config.identity_file()))
    }

    /// The certificate to sign in with now, if it is one of the agent's own.
    pub fn pair(&self) -> Option<&Pair> {
        self.keyring.as_ref().map(Keyring::current)
    }
}

impl IdentityError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}
