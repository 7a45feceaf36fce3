//! The installation's own certificate authority: a key and a certificate in two files, which sign the certificates that
//! devices sign in with, and on request one for the server itself.
//!
//! Certificates follow RFC 5280; keys that are made here are ECDSA on P-256.

mod file;
mod request;
mod server_name;
mod signing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{DeviceId, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use sha2::{Digest, Sha256};
use store::NewCertificate;
use x509_parser::prelude::{FromDer, X509Certificate, parse_x509_pem};

use crate::fingerprint::Fingerprint;

pub use request::SigningRequest;
pub use server_name::ServerName;
pub(crate) use signing::{DEVICE_DAYS, check as check_request, sign};

/// The authority's certificate, in its folder.
pub const CERTIFICATE: &str = "authority.pem";
/// The authority's private key, in its folder.
pub const KEY: &str = "authority.key";
/// The server's certificate, beside the authority's.
pub const SERVER_CERTIFICATE: &str = "server.pem";
/// The server's private key, beside the authority's.
pub const SERVER_KEY: &str = "server.key";

/// The most days that a device's certificate is valid.
pub const MAX_DAYS: u32 = 3_650;
/// The days that it is valid when nobody asks for a number.
pub const DEFAULT_DAYS: u32 = 365;
/// An authority is valid for twenty years: replacing it means replacing every certificate it signed.
const AUTHORITY_DAYS: u32 = 7_305;
/// What programs accept of a server: longer ones are refused by some even from an authority that they trust.
const SERVER_DAYS: u32 = 825;

const DAY_MS: i64 = 24 * 3_600_000;
/// Certificates begin a little earlier than they are made, for machines whose clocks are behind ours.
const EARLIER_MS: i64 = 5 * 60_000;

/// How long a certificate is to be valid.
#[derive(Debug, Clone, Copy)]
pub enum Days {
    /// So long, or it is refused.
    Exactly(u32),
    /// So long, or until the authority ends.
    AtMost(u32),
}

/// A certificate authority that can sign.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    not_after: Timestamp,
}

/// A certificate that was just made.
#[derive(Debug)]
pub struct Issued {
    /// As PEM.
    pub certificate: String,
    /// The private key as PEM (PKCS #8); none when the key is with whoever asked.
    pub key: Option<String>,
    /// What the registry knows it by.
    pub fingerprint: Fingerprint,
    /// SHA-256 of the `SubjectPublicKeyInfo` of its key, in DER.
    pub key_hash: [u8; 32],
    /// 32 hexadecimal digits.
    pub serial: String,
    /// From when it is valid, on a whole second.
    pub not_before: Timestamp,
    /// Until when, that second included.
    pub not_after: Timestamp,
}

/// Why an authority cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is something that would be overwritten.
    #[error("{0} exists already, and nothing is overwritten")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: std::io::Error,
    },
    /// What is in the files is no authority.
    #[error("{path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The request to sign is not one that is signed; the text is for whoever sent it.
    #[error("{0}")]
    Request(&'static str),
    /// The authority itself is no longer valid.
    #[error("the authority's certificate ended")]
    Ended(Timestamp),
    /// The certificate would be valid for longer than the authority.
    #[error("the certificate would outlive the authority")]
    Outlives(Timestamp),
    /// The library or the system failed.
    #[error("a certificate could not be made: {0}")]
    Failed(String),
}

type Result<T> = std::result::Result<T, AuthorityError>;

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> AuthorityError {
        AuthorityError::Failed(error.to_string())
    }
}

impl Authority {
    /// Makes an authority called `name` in a folder, which is made when missing. The key is readable by its owner alone.
    pub fn init(folder: &Path, name: &str, now: Timestamp) -> Result<Authority> {
        let (certificate_path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        file::check_absent([&certificate_path, &key_path])?;
        let span = Span::of_days(AUTHORITY_DAYS, now);
        let mut params = params(name, &span)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        file::make_folder(folder)?;
        file::write_pair((&key_path, &key.serialize_pem()), (&certificate_path, &certificate))?;
        Ok(Authority { issuer: Issuer::new(params, key), certificate, not_after: span.not_after })
    }

    /// Reads the authority of a folder; none when there is none.
    pub fn open(folder: &Path) -> Result<Option<Authority>> {
        let (certificate_path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let (certificate, key) = match (file::read(&certificate_path)?, file::read(&key_path)?) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            (None, Some(_)) => return Err(unusable(&certificate_path, "it is missing beside its key")),
            (Some(_), None) => return Err(unusable(&key_path, "it is missing beside its certificate")),
        };
        let key = KeyPair::from_pem(&key).map_err(|error| unusable(&key_path, error.to_string()))?;
        let not_after = check(&certificate, &key).map_err(|why| unusable(&certificate_path, why))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(|error| unusable(&certificate_path, error.to_string()))?;
        Ok(Some(Authority { issuer, certificate, not_after }))
    }

    /// The authority's certificate as PEM, for whoever is to trust what it signs.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Refuses to sign with an authority that is over.
    pub(crate) fn check_valid(&self, now: Timestamp) -> Result<()> {
        if self.not_after <= now { Err(AuthorityError::Ended(self.not_after)) } else { Ok(()) }
    }

    /// Signs a certificate that a device signs in with: for the key of a request, else for a fresh one.
    ///
    /// What the request says of its sender and its purpose is not looked at: the registry knows whose certificate it is.
    pub fn issue(
        &self,
        device: DeviceId,
        days: Days,
        request: Option<&SigningRequest>,
        now: Timestamp,
    ) -> Result<Issued> {
        let span = self.span(days, now)?;
        let mut params = params(&device.to_string(), &span)?;
        // RFC 9562 section 4 names the URI of a UUID.
        params.subject_alt_names = vec![SanType::URI(format!("urn:uuid:{device}").try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        match request {
            Some(request) => self.sign(params, request, None, &span),
            None => self.sign_fresh(params, &span),
        }
    }

    /// Makes the server's own certificate and key beside the authority's, for all of its names; the first is its subject.
    pub fn make_server(&self, folder: &Path, names: &[ServerName], now: Timestamp) -> Result<Issued> {
        let (certificate_path, key_path) = (folder.join(SERVER_CERTIFICATE), folder.join(SERVER_KEY));
        file::check_absent([&certificate_path, &key_path])?;
        let span = self.span(Days::AtMost(SERVER_DAYS), now)?;
        let subject = names.first().map_or_else(String::new, ToString::to_string);
        let mut params = params(&subject, &span)?;
        params.subject_alt_names = names.iter().map(ServerName::alternative).collect::<Result<_>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let issued = self.sign_fresh(params, &span)?;
        let key = issued.key.as_deref().unwrap_or_default();
        file::write_pair((&key_path, key), (&certificate_path, &issued.certificate))?;
        Ok(issued)
    }

    fn sign_fresh(&self, params: CertificateParams, span: &Span) -> Result<Issued> {
        let key = KeyPair::generate()?;
        self.sign(params, &key, Some(key.serialize_pem()), span)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        public: &impl PublicKeyData,
        key: Option<String>,
        span: &Span,
    ) -> Result<Issued> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let certificate = params.signed_by(public, &self.issuer)?;
        Ok(Issued {
            fingerprint: Fingerprint::of(certificate.der()),
            key_hash: key_hash(public),
            certificate: certificate.pem(),
            key,
            serial: crate::fingerprint::hexadecimal(&serial),
            not_before: span.not_before,
            not_after: span.not_after,
        })
    }

    /// For how long a certificate is valid: as long as is asked, but not longer than the authority.
    fn span(&self, days: Days, now: Timestamp) -> Result<Span> {
        self.check_valid(now)?;
        let (Days::Exactly(asked) | Days::AtMost(asked)) = days;
        let mut span = Span::of_days(asked, now);
        if span.not_after > self.not_after {
            if matches!(days, Days::Exactly(_)) {
                return Err(AuthorityError::Outlives(self.not_after));
            }
            span.not_after = self.not_after;
        }
        Ok(span)
    }
}

impl Issued {
    /// As the registry keeps it; `renewed_with` is the certificate whose connection asked for it.
    pub(crate) fn kept(&self, renewed_with: Option<[u8; 32]>) -> NewCertificate {
        NewCertificate {
            fingerprint: self.fingerprint.0,
            serial: self.serial.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            key: self.key_hash,
            renewed_with,
        }
    }
}

/// When a certificate is valid; X.509 counts whole seconds.
struct Span {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Span {
    fn of_days(days: u32, now: Timestamp) -> Span {
        let second = |at: Timestamp| Timestamp(at.second().max(0) * 1_000);
        Span {
            not_before: second(now.minus(EARLIER_MS)),
            not_after: second(now.plus(i64::from(days) * DAY_MS)),
        }
    }
}

/// What every certificate has: a subject, a time and a serial number of its own.
fn params(name: &str, span: &Span) -> Result<CertificateParams> {
    let date = |at: Timestamp| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.second() as u64);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date(span.not_before), date(span.not_after));
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    Ok(params)
}

/// What the registry knows a key by.
fn key_hash(key: &impl PublicKeyData) -> [u8; 32] {
    Sha256::digest(key.subject_public_key_info()).into()
}

/// A serial number that nobody can guess, positive and always of 16 bytes (RFC 5280 section 4.1.2.2).
fn serial() -> Result<[u8; 16]> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)
        .map_err(|error| AuthorityError::Failed(format!("no randomness: {error}")))?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

/// Whether a certificate is an authority's and goes with the key; answers until when it is valid.
fn check(certificate: &str, key: &KeyPair) -> std::result::Result<Timestamp, String> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).map_err(|_| "it is not a certificate")?;
    let (_, parsed) = X509Certificate::from_der(&pem.contents).map_err(|_| "it is not a certificate")?;
    if !parsed.is_ca() {
        return Err("it is not the certificate of an authority".into());
    }
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(format!("{KEY} is the key of another certificate"));
    }
    Ok(Timestamp(parsed.validity().not_after.timestamp().saturating_mul(1_000)))
}

fn unusable(path: &Path, why: impl Into<String>) -> AuthorityError {
    AuthorityError::Unusable { path: path.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests;
