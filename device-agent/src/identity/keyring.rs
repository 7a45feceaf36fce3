//! The certificates of a device that renews its own: one, or the next beside the one before until the next has signed in.

use std::io;

use protocol::DeviceId;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::IdentityFile;
use super::file::reveal;
use crate::config::Secret;

/// A certificate, its private key, and the authority that signed it, each as PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The certificate, whose common name is the device's id.
    pub certificate: String,
    /// Its private key (PKCS #8).
    #[serde(serialize_with = "reveal")]
    pub key: Secret,
    /// The authority's certificate, which may vouch for the platform too.
    pub authority: String,
}

/// One certificate, or two: then the first is the next, which nobody has seen yet, and the second the one before. They
/// are tried in turns until one signs in, and the other is forgotten.
#[derive(Clone, Debug)]
pub struct Keyring {
    device: DeviceId,
    /// Newest first.
    pairs: Vec<Pair>,
    /// Whether it is the turn of the one before.
    steps_back: bool,
    file: IdentityFile,
}

/// What signing in was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// There was but one certificate.
    Nothing,
    /// The next has taken the place of the one before.
    Renewed,
    /// The next was tried in vain while the one before signs in; it is given up.
    GivenUp,
}

impl Keyring {
    /// One or two certificates, newest first.
    pub(super) fn new(device: DeviceId, pairs: Vec<Pair>, file: IdentityFile) -> Self {
        Self { device, pairs, steps_back: false, file }
    }

    /// The one to sign in with now.
    pub fn current(&self) -> &Pair {
        &self.pairs[usize::from(self.steps_back)]
    }

    /// Takes the next certificate, and signs in with it from now on; that it is for its key has been seen. It is on the
    /// disk when this returns, and with an error nothing is another.
    pub fn renew(&mut self, next: Pair) -> io::Result<()> {
        let pairs = vec![next, self.current().clone()];
        self.file.keep(self.device, &pairs)?;
        self.pairs = pairs;
        self.steps_back = false;
        Ok(())
    }

    /// Whether there is a next certificate that has not signed in yet.
    pub fn is_trying(&self) -> bool {
        self.pairs.len() > 1
    }

    /// Signing in failed, for whatever reason: if there are two, it is the other's turn.
    pub fn failed(&mut self) {
        self.steps_back = self.is_trying() && !self.steps_back;
    }

    /// The current one signed in. A disk that would not take that it is the only one is told again after a restart, when
    /// both are tried again.
    pub fn signed_in(&mut self) -> Settled {
        if !self.is_trying() {
            return Settled::Nothing;
        }
        let settled = if self.steps_back { Settled::GivenUp } else { Settled::Renewed };
        self.pairs = vec![self.current().clone()];
        self.steps_back = false;
        if let Err(error) = self.file.keep(self.device, &self.pairs) {
            error!(%error, "which certificate signed in cannot be written down");
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Credentials, Identity};
    use super::*;

    fn pair(name: &str) -> Pair {
        Pair { certificate: name.into(), key: Secret::new(name), authority: "authority".into() }
    }

    fn certificates(keyring: &Keyring) -> Vec<&str> {
        keyring.pairs.iter().map(|pair| pair.certificate.as_str()).collect()
    }

    fn first() -> (tempfile::TempDir, IdentityFile, Keyring) {
        let dir = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(dir.path().join("identity.json"));
        let device = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10".parse().unwrap();
        let identity = file.create(device, Credentials::Certificate(pair("one"))).unwrap();
        (dir, file, identity.keyring.unwrap())
    }

    fn read(file: &IdentityFile) -> Keyring {
        let Some(Identity { keyring: Some(keyring), .. }) = file.read().unwrap() else {
            panic!("no keyring")
        };
        keyring
    }

    #[test]
    fn the_next_certificate_is_the_only_one_once_it_signed_in() {
        let (_dir, file, mut keyring) = first();
        assert_eq!(keyring.signed_in(), Settled::Nothing);
        keyring.failed();
        assert_eq!(keyring.current(), &pair("one"));
        keyring.renew(pair("two")).unwrap();
        assert_eq!(keyring.current(), &pair("two"));
        assert_eq!(certificates(&read(&file)), ["two", "one"]);
        assert_eq!(keyring.signed_in(), Settled::Renewed);
        assert_eq!(certificates(&read(&file)), ["two"]);
    }

    #[test]
    fn they_are_tried_in_turns_and_the_one_before_stays_if_only_it_signs_in() {
        let (_dir, file, mut keyring) = first();
        keyring.renew(pair("two")).unwrap();
        for turn in ["one", "two", "one"] {
            keyring.failed();
            assert_eq!(keyring.current(), &pair(turn));
        }
        assert_eq!(keyring.signed_in(), Settled::GivenUp);
        assert_eq!((keyring.current(), certificates(&read(&file))), (&pair("one"), vec!["one"]));
    }

    /// The power goes at each moment of a renewal: what is on the disk then is a certificate with its own key.
    #[test]
    fn a_power_cut_at_any_step_leaves_a_pair_to_sign_in_with() {
        let (dir, file, mut keyring) = first();
        let torn = dir.path().join("identity.new");
        let usable = |expected: &[&str]| {
            let keyring = read(&file);
            assert_eq!(certificates(&keyring), expected);
            assert!(keyring.pairs.iter().all(|pair| pair.key == Secret::new(&pair.certificate)));
        };
        // The next is being written beside the file, not all of it, or all of it without its new name.
        for bytes in [&b""[..], b"{\"device\":\"019c", b"{}"] {
            fs::write(&torn, bytes).unwrap();
            usable(&["one"]);
        }
        keyring.renew(pair("two")).unwrap();
        usable(&["two", "one"]);
        // It signed in, and that is being written.
        fs::write(&torn, b"{\"device\":\"019c").unwrap();
        usable(&["two", "one"]);
        assert_eq!(keyring.signed_in(), Settled::Renewed);
        usable(&["two"]);
        assert!(!torn.exists());
    }

    #[test]
    fn a_disk_that_takes_nothing_leaves_everything_as_it_is() {
        let (dir, file, mut keyring) = first();
        // A directory is in the way of what is written.
        fs::create_dir(dir.path().join("identity.new")).unwrap();
        assert!(keyring.renew(pair("two")).is_err());
        assert_eq!((keyring.current(), certificates(&read(&file))), (&pair("one"), vec!["one"]));
        assert!(!keyring.is_trying());
    }
}
