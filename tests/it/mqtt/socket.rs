//! What packets are written to: a plain socket or one with TLS around it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::Certificate;

/// Both versions of TLS that are spoken.
pub(crate) const TLS_VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// An open socket.
pub(crate) enum Socket {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(crate) async fn plain(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        Ok(Self::Plain(socket))
    }

    /// From another address of this machine.
    pub(crate) async fn plain_from(from: IpAddr, server: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        Ok(Self::Plain(socket.connect(server).await?))
    }

    /// Does the handshake of TLS in one of the versions; trusts the authority alone, and shows a certificate of its own if
    /// it has one.
    pub(crate) async fn secure(
        server: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
        authority: &Path,
        shown: Option<&Certificate>,
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let builder = builder.with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(Certificate { pem, key, .. }) => {
                let certificate = CertificateDer::from_pem_slice(pem.as_bytes())?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
                builder.with_client_auth_cert(vec![certificate], key)?
            }
        };
        let Self::Plain(socket) = Self::plain(server).await? else { unreachable!("it is plain") };
        let name = ServerName::from(server.ip());
        let socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
        Ok(Self::Secure(Box::new(socket.context("no TLS handshake")?)))
    }

    /// The certificate that the server showed, as DER.
    pub(crate) fn server_certificate(&self) -> Option<&[u8]> {
        let Self::Secure(socket) = self else { return None };
        Some(socket.get_ref().1.peer_certificates()?.first()?.as_ref())
    }

    /// The version of TLS that both agreed on.
    pub(crate) fn tls_version(&self) -> Option<rustls::ProtocolVersion> {
        let Self::Secure(socket) = self else { return None };
        socket.get_ref().1.protocol_version()
    }

    pub(crate) async fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.read_exact(into).await.map(drop),
            Self::Secure(socket) => socket.read_exact(into).await.map(drop),
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
            Self::Secure(socket) => {
                socket.write_all(bytes).await?;
                socket.flush().await
            }
        }
    }

    /// Breaks the connection off: the other side gets a reset and not an end.
    pub(crate) fn reset(self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_zero_linger(),
            Self::Secure(socket) => socket.get_ref().0.set_zero_linger(),
        }
    }

    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown().await,
            Self::Secure(socket) => socket.shutdown().await,
        }
    }
}
