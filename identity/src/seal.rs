//! Secrets that are kept sealed, and what only this server can have written.
//!
//! The key is a file beside the database and never a row in it: a copy of the database alone opens nothing.

mod file;

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::IdentityError;
use crate::random;

/// Seals with AES-256-GCM and signs with HMAC-SHA256, each with a key of its own that derives from the one in the file.
pub(crate) struct Sealer {
    sealing: LessSafeKey,
    signing: hmac::Key,
}

/// What a sealed or signed value is for; part of it, so that one cannot be passed for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The private half of a signing key.
    SigningKey,
    /// The secret of a second factor.
    Totp,
    /// That a person gave the right password and owes the second factor.
    Ticket,
    /// That a form was made by this server for this browser.
    Form,
    /// What a page of consent showed.
    Consent,
    /// What an authenticator has to sign, and the way on after it.
    Passkey,
    /// The PKCE verifier of a sign-in by another provider, and the way on after it.
    Verifier,
    /// What a voice assistant gave to be told of changes.
    Assistant,
    /// The PIN of a device.
    Pin,
    /// The key that the identifier of a beacon changes with.
    BeaconKey,
    /// A key that identifiers become pseudonyms with.
    Pseudonyms,
}

impl Sealer {
    /// Reads the key from its file, which is made when it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, IdentityError> {
        Self::with_key(&file::read_or_make(path)?)
    }

    /// Reads the key from its file, where something was sealed with it already: a new one would open nothing.
    pub(crate) fn open_existing(path: &Path) -> Result<Self, IdentityError> {
        if !path.exists() {
            let reason =
                "it is not there, and what is in the database was sealed with it; put the copy of it back";
            return Err(IdentityError::SealingKey { path: path.to_owned(), reason: reason.to_owned() });
        }
        Self::open(path)
    }

    fn with_key(key: &[u8; 32]) -> Result<Self, IdentityError> {
        let secret = Salt::new(HKDF_SHA256, b"promenade sealing key").extract(key);
        let mut sealing = [0; 32];
        let mut signing = [0; 32];
        for (label, bytes) in [(b"seal".as_slice(), &mut sealing), (b"sign".as_slice(), &mut signing)] {
            secret
                .expand(&[label], HKDF_SHA256)
                .and_then(|okm| okm.fill(bytes))
                .map_err(|_| IdentityError::SigningKey("the sealing key does not expand"))?;
        }
        let unbound = UnboundKey::new(&AES_256_GCM, &sealing)
            .map_err(|_| IdentityError::SigningKey("the sealing key does not fit"))?;
        Ok(Self { sealing: LessSafeKey::new(unbound), signing: hmac::Key::new(HMAC_SHA256, &signing) })
    }

    /// Seals `plain`; `about` has to be the same when it is opened. Keys of this kind seal a few thousand values in their
    /// life, far from the 2^32 that random nonces allow (NIST SP 800-38D section 8.3).
    pub(crate) fn seal(&self, purpose: Use, about: &[u8], plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let nonce = random::bytes::<NONCE_LEN>()?;
        let mut sealed = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.with(about)),
                &mut sealed,
            )
            .map_err(|_| IdentityError::Sealed(purpose.word()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] made.
    pub(crate) fn unseal(&self, purpose: Use, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let failed = || IdentityError::Sealed(purpose.word());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        let mut plain = sealed.to_vec();
        let opened = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.with(about)), &mut plain)
            .map_err(|_| failed())?;
        Ok(opened.to_vec())
    }

    /// A text that only this server can have made of `parts`.
    pub(crate) fn sign(&self, purpose: Use, parts: &[&[u8]]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.signing, &purpose.joined(parts)))
    }

    /// Whether [`Sealer::sign`] made `signature` of these parts; takes as long whatever is wrong.
    pub(crate) fn is_signed(&self, purpose: Use, parts: &[&[u8]], signature: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|signature| hmac::verify(&self.signing, &purpose.joined(parts), &signature).is_ok())
    }
}

impl Use {
    fn word(self) -> &'static str {
        match self {
            Self::SigningKey => "signing key",
            Self::Totp => "second factor",
            Self::Ticket => "sign-in",
            Self::Form => "form",
            Self::Consent => "consent",
            Self::Passkey => "passkey",
            Self::Verifier => "verifier",
            Self::Assistant => "assistant",
            Self::Pin => "PIN",
            Self::BeaconKey => "beacon key",
            Self::Pseudonyms => "pseudonym key",
        }
    }

    fn with(self, about: &[u8]) -> Vec<u8> {
        self.joined(&[about])
    }

    /// Every part behind its length, so that no two lists of parts read alike.
    fn joined(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut joined = Vec::new();
        for part in std::iter::once(self.word().as_bytes()).chain(parts.iter().copied()) {
            joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
            joined.extend_from_slice(part);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let sealer = Sealer::with_key(&[7; 32]).unwrap();
        let value = sealer.seal(Use::Totp, b"ann", b"secret").unwrap();
        assert_eq!(sealer.unseal(Use::Totp, b"ann", &value).unwrap(), b"secret");
        assert!(sealer.unseal(Use::Totp, b"bob", &value).is_err());
        assert!(sealer.unseal(Use::SigningKey, b"ann", &value).is_err());
        assert!(Sealer::with_key(&[8; 32]).unwrap().unseal(Use::Totp, b"ann", &value).is_err());
        assert!(sealer.unseal(Use::Totp, b"ann", &value[..5]).is_err());
        assert_ne!(value, sealer.seal(Use::Totp, b"ann", b"secret").unwrap(), "a nonce of its own");
    }

    #[test]
    fn a_signature_is_of_its_parts_alone() {
        let sealer = Sealer::with_key(&[7; 32]).unwrap();
        let signature = sealer.sign(Use::Form, &[b"ab", b"c"]);
        assert!(sealer.is_signed(Use::Form, &[b"ab", b"c"], &signature));
        assert!(!sealer.is_signed(Use::Form, &[b"a", b"bc"], &signature));
        assert!(!sealer.is_signed(Use::Consent, &[b"ab", b"c"], &signature));
        assert!(!sealer.is_signed(Use::Form, &[b"ab", b"c"], ""));
    }
}
