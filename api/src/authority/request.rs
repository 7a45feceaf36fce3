//! Requests to sign a key (PKCS #10, RFC 2986).

use rcgen::{PublicKeyData, SignatureAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::prelude::{FromDer, parse_x509_pem};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{AuthorityError, Result};

/// The shortest RSA key that is signed, in bits.
const RSA_BITS: usize = 2_048;
/// The longest, which is also the longest that TLS takes here.
const LONGEST_RSA_BITS: usize = 8_192;

/// A public key whose owner has shown that the private one is theirs.
#[derive(Debug)]
pub struct SigningRequest {
    key: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl SigningRequest {
    /// Reads a request as PEM and checks its key and its signature. Its subject and its wishes are left where they are.
    pub fn parse(pem: &str) -> Result<SigningRequest> {
        const UNREADABLE: AuthorityError =
            AuthorityError::Request("must be a certificate signing request as PEM (PKCS #10)");
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| UNREADABLE)?;
        if !matches!(&*pem.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(UNREADABLE);
        }
        Self::read(&pem.contents)?.ok_or(UNREADABLE)
    }

    /// See [`Issued::key_hash`](super::Issued::key_hash).
    pub(super) fn key_hash(&self) -> [u8; 32] {
        super::key_hash(self)
    }

    /// Reads and checks the DER form; none when it is not a request.
    pub(super) fn read(der: &[u8]) -> Result<Option<SigningRequest>> {
        let Ok(([], request)) = X509CertificationRequest::from_der(der) else { return Ok(None) };
        let key = &request.certification_request_info.subject_pki;
        let algorithm = algorithm(key).ok_or(AuthorityError::Request(
            "the key must be ECDSA on P-256 or P-384, Ed25519, or RSA of 2,048 to 8,192 bits",
        ))?;
        request.verify_signature().map_err(|_| {
            AuthorityError::Request("the signature does not go with the key, or is of a kind not known here")
        })?;
        Ok(Some(SigningRequest { key: key.subject_public_key.data.to_vec(), algorithm }))
    }
}

impl PublicKeyData for SigningRequest {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// The algorithm of a key that is signed; none for others.
fn algorithm(key: &SubjectPublicKeyInfo<'_>) -> Option<&'static SignatureAlgorithm> {
    let kind = &key.algorithm.algorithm;
    if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
        if curve == OID_EC_P256 {
            Some(&rcgen::PKCS_ECDSA_P256_SHA256)
        } else if curve == OID_NIST_EC_P384 {
            Some(&rcgen::PKCS_ECDSA_P384_SHA384)
        } else {
            None
        }
    } else if *kind == OID_SIG_ED25519 {
        Some(&rcgen::PKCS_ED25519)
    } else if *kind == OID_PKCS1_RSAENCRYPTION {
        let Ok(PublicKey::RSA(rsa)) = key.parsed() else { return None };
        (RSA_BITS..=LONGEST_RSA_BITS).contains(&rsa.key_size()).then_some(&rcgen::PKCS_RSA_SHA256)
    } else {
        None
    }
}
