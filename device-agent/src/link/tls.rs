//! Whom to believe that it is the platform, and what this device shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use crate::config::LinkConfig;
use crate::identity::{Pair, ValidityError};

/// Where Debian and its kin keep the authorities that the system believes.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate, the key or the authority that the agent fetched.
    #[error("the own certificate or its key cannot be read: {0}")]
    Own(pem::Error),
    /// The dates of the certificate that the agent fetched.
    #[error("the own certificate cannot be read")]
    Validity(#[from] ValidityError),
    /// Certificate and key do not fit, or the library does not do.
    #[error("the certificate or its key does not do")]
    Rustls(#[from] rustls::Error),
}

/// What a connection needs for TLS; nothing where it is not spoken. It shows this certificate, or else that of the files.
pub fn client_config(link: &LinkConfig, own: Option<&Pair>) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    if !link.tls {
        return Ok(None);
    }
    let builder = believing(authorities(link.ca.as_deref(), own)?)?;
    let config = match (own, &link.certificate, &link.key) {
        (Some(own), ..) => {
            let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().map_err(TlsError::Own)?;
            let key = PrivateKeyDer::from_pem_slice(own.key.reveal().as_bytes()).map_err(TlsError::Own)?;
            builder.with_client_auth_cert(chain, key)?
        }
        (None, Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
            builder.with_client_auth_cert(chain, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// What a connection needs on which the device shows nothing of itself. The authorities are those of the file, or else of
/// the system.
pub(crate) fn anonymous(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    Ok(Arc::new(believing(authorities(ca, None)?)?.with_no_client_auth()))
}

fn believing(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}

/// The authorities in a file, or else those of the system and the one that signed the own certificate, which then need not
/// have any. Those of the system are many, and one that cannot be read does not cost the others.
fn authorities(file: Option<&Path>, own: Option<&Pair>) -> Result<RootCertStore, TlsError> {
    let path = file.unwrap_or(Path::new(SYSTEM));
    let mut roots = RootCertStore::empty();
    let own = own.filter(|_| file.is_none()).map_or(0, |own| {
        let own = CertificateDer::pem_slice_iter(own.authority.as_bytes());
        roots.add_parsable_certificates(own.filter_map(Result::ok)).0
    });
    match certificates(path) {
        Ok(found) => {
            if roots.add_parsable_certificates(found).0 + own == 0 {
                let why = "there is no authority in it".into();
                return Err(TlsError::File { path: path.to_owned(), why });
            }
        }
        Err(error) if own == 0 => return Err(error),
        Err(_) => {}
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::File { path: path.to_owned(), why: "there is no certificate in it".into() });
    }
    Ok(certificates)
}

fn wrong(path: &Path, error: &pem::Error) -> TlsError {
    let why = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "what is asked for is not in it".into(),
        other => other.to_string(),
    };
    TlsError::File { path: path.to_owned(), why }
}
