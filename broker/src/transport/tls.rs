//! TLS 1.2 and 1.3, with certificates that can be replaced while connections go on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use protocol::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::PeerCertificate;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the certificates are, as PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate, and behind it those it was signed with.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority whose certificates sign devices in; without it no client is asked for one.
    pub client_authority: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as what it should be.
    #[error("{path} is not readable as {what}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not go together, or the library takes neither.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(String),
    /// A listener needs certificates and none are named.
    #[error("MQTT over TLS needs a certificate and a key")]
    Missing,
}

/// The TLS side of the front.
pub(crate) struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let config = ArcSwap::from_pointee(load(&files)?);
        Ok(Self { files, config })
    }

    /// Does the handshake with the certificates of this moment.
    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config.load_full()).accept(socket).await
    }

    /// Reads the files again when they changed, or on SIGHUP, until `shutdown`. Open connections go on as they are; files
    /// that cannot be used change nothing.
    pub(crate) async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let mut hang_up = signal(SignalKind::hangup()).ok();
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.files.changed_at().await;
        loop {
            let forced = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => false,
                () = async { match &mut hang_up {
                    Some(signal) => { signal.recv().await; }
                    None => std::future::pending().await,
                } } => true,
            };
            let now = self.files.changed_at().await;
            if now == seen && !forced {
                continue;
            }
            seen = now;
            match load(&self.files) {
                Ok(config) => {
                    self.config.store(Arc::new(config));
                    tracing::info!("the TLS certificates were read anew");
                }
                Err(error) => tracing::error!(%error, "the TLS certificates stay as they were"),
            }
        }
    }
}

impl TlsFiles {
    /// Until when the server's certificate is good.
    pub fn good_until(&self) -> Result<Timestamp, TlsError> {
        let found = certificates(&self.certificate)?;
        let read = found.first().and_then(PeerCertificate::read);
        let unreadable = || TlsError::File {
            path: self.certificate.clone(),
            what: "certificates",
            why: "the first of them cannot be read".into(),
        };
        Ok(read.ok_or_else(unreadable)?.not_after)
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key].into_iter().chain(&self.client_authority)
    }

    async fn changed_at(&self) -> Vec<Option<SystemTime>> {
        let mut times = Vec::new();
        for path in self.all() {
            let modified = tokio::fs::metadata(path).await.and_then(|metadata| metadata.modified());
            times.push(modified.ok());
        }
        times
    }
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: &dyn std::error::Error| TlsError::Unusable(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = match &files.client_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            // Clients without a certificate sign in with a password.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unusable(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::File {
        path: files.key.clone(),
        what: "a private key",
        why: error.to_string(),
    })?;
    builder.with_single_cert(certificates(&files.certificate)?, key).map_err(|error| unusable(&error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |why: String| TlsError::File { path: path.to_owned(), what: "certificates", why };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("there is none in it".into())) } else { Ok(found) }
}
