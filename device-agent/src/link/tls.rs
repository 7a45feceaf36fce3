//! Whom to believe that it is the platform, and what this device shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::LinkConfig;

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
    /// Certificate and key do not fit, or the library does not do.
    #[error("the certificate or its key does not do")]
    Rustls(#[from] rustls::Error),
}

/// What a connection needs for TLS; nothing where it is not spoken.
pub fn client_config(link: &LinkConfig) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    if !link.tls {
        return Ok(None);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities(link.ca.as_deref())?);
    let config = match (&link.certificate, &link.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
            builder.with_client_auth_cert(chain, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// The authorities in a file. Those of the system are many, and one that cannot be read does not cost the others.
fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let path = file.unwrap_or(Path::new(SYSTEM));
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        return Err(TlsError::File { path: path.to_owned(), why: "there is no authority in it".into() });
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
