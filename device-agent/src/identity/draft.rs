//! A key that waits for its certificate.

use std::fmt;

use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use x509_parser::pem::parse_x509_pem;

use super::Pair;
use crate::config::Secret;

/// A private key that was made here and has no certificate yet (ECDSA on P-256). It comes from the system's randomness and
/// from no seed, as nobody shall be able to make it again.
pub struct Draft(KeyPair);

/// Why a key gets no certificate.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The library, or the system's randomness.
    #[error("a key cannot be made: {0}")]
    Key(#[from] rcgen::Error),
    /// What came is for another key, or is nothing of the kind.
    #[error("what came is no certificate for this key")]
    Stranger,
}

impl Draft {
    /// A new key.
    pub fn new() -> Result<Self, DraftError> {
        Ok(Self(KeyPair::generate()?))
    }

    /// The request to sign it, as PEM (PKCS #10, RFC 2986). Its subject does not matter to the platform.
    pub fn request(&self) -> Result<String, DraftError> {
        let request = CertificateParams::default().serialize_request(&self.0)?;
        Ok(request.pem()?)
    }

    /// The key beside the certificate that came for it.
    pub fn signed(&self, certificate: &str, authority: &str) -> Result<Pair, DraftError> {
        let (_, pem) = parse_x509_pem(certificate.as_bytes()).map_err(|_| DraftError::Stranger)?;
        let parsed = pem.parse_x509().map_err(|_| DraftError::Stranger)?;
        if parsed.public_key().raw != self.0.subject_public_key_info() {
            return Err(DraftError::Stranger);
        }
        Ok(Pair {
            certificate: certificate.to_owned(),
            key: Secret::new(&self.0.serialize_pem()),
            authority: authority.to_owned(),
        })
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certificate_for_the_same_key_is_taken() {
        let (draft, other) = (Draft::new().unwrap(), Draft::new().unwrap());
        let params = CertificateParams::new(vec![]).unwrap();
        let certificate = |draft: &Draft| params.clone().self_signed(&draft.0).unwrap().pem();
        let pair = draft.signed(&certificate(&draft), "authority").unwrap();
        assert_eq!(pair.key.reveal(), draft.0.serialize_pem());
        assert!(!format!("{draft:?} {pair:?}").contains("PRIVATE KEY"));
        for wrong in [certificate(&other), draft.0.serialize_pem(), draft.request().unwrap(), String::new()] {
            assert!(matches!(draft.signed(&wrong, "authority"), Err(DraftError::Stranger)), "{wrong}");
        }
    }
}
