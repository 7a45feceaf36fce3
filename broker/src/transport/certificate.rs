//! What a client certificate says of its bearer. That an authority we trust signed it is checked before.

use protocol::Timestamp;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A client certificate.
#[derive(Debug, Clone)]
pub(crate) struct PeerCertificate {
    /// SHA-256 of its DER form: what the registry knows it by.
    pub(crate) fingerprint: [u8; 32],
    /// The common name of its subject (RFC 5280 section 4.1.2.6, RFC 4519 section 2.3), if there is just one.
    pub(crate) common_name: Option<Box<str>>,
    /// When it ends.
    pub(crate) not_after: Timestamp,
}

impl PeerCertificate {
    /// Reads what is needed; none where it is not a certificate.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut names = certificate.subject().iter_common_name().map(|name| name.as_str().ok());
        let common_name = match (names.next(), names.next()) {
            (Some(Some(name)), None) => Some(name.into()),
            _ => None,
        };
        let not_after = Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000));
        Some(Self { fingerprint: Sha256::digest(der).into(), common_name, not_after })
    }
}
