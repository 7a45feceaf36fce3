//! What MQTT travels on: TCP, TLS, WebSocket, and WebSocket over TLS.

mod certificate;
mod gate;
mod tls;
mod websocket;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

pub(crate) use certificate::PeerCertificate;
pub(crate) use tls::Tls;
pub use tls::{TlsError, TlsFiles};

use websocket::WebSocket;

/// The sockets that MQTT is served on; those left out are switched off.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Plain TCP.
    pub mqtt: Option<TcpListener>,
    /// TLS.
    pub mqtts: Option<TcpListener>,
    /// WebSocket, path `/mqtt`.
    pub ws: Option<TcpListener>,
    /// WebSocket over TLS.
    pub wss: Option<TcpListener>,
}

/// How a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

impl Transport {
    /// As the settings name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }

    fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    fn is_web(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket)
    }
}

impl Listeners {
    /// Each with what comes in on it.
    pub(crate) fn into_each(self) -> impl Iterator<Item = (Transport, TcpListener)> {
        let Self { mqtt, mqtts, ws, wss } = self;
        let all = [
            (Transport::Tcp, mqtt),
            (Transport::Tls, mqtts),
            (Transport::WebSocket, ws),
            (Transport::SecureWebSocket, wss),
        ];
        all.into_iter().filter_map(|(transport, listener)| Some((transport, listener?)))
    }

    /// Whether one of them cannot do without a certificate.
    pub(crate) fn need_tls(&self) -> bool {
        self.mqtts.is_some() || self.wss.is_some()
    }
}

/// Why no MQTT can be spoken with a peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("no TLS handshake: {0}")]
    Tls(io::Error),
    #[error("no WebSocket handshake: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the client certificate cannot be read")]
    Certificate,
}

impl OpenError {
    /// The word under which the refusal counter knows it.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Tls(_) => "tls_handshake",
            Self::WebSocket(_) => "websocket_handshake",
            Self::Certificate => "bad_certificate",
        }
    }
}

/// A connection of any transport. Those with state of their own are in a box, so that plain ones stay small.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(Box<WebSocket<TcpStream>>),
    SecureWebSocket(Box<WebSocket<TlsStream<TcpStream>>>),
}

/// Does the handshakes of the transport; takes as long as the peer does, so the caller sets a deadline.
pub(crate) async fn open(
    transport: Transport,
    socket: TcpStream,
    tls: Option<&Tls>,
    largest: usize,
    first: usize,
) -> Result<(Stream, Option<PeerCertificate>), OpenError> {
    let tls = tls.filter(|_| transport.is_secure());
    let Some(tls) = tls else {
        let stream = if transport.is_web() {
            Stream::WebSocket(Box::new(WebSocket::accept(socket, largest, first).await?))
        } else {
            Stream::Tcp(socket)
        };
        return Ok((stream, None));
    };
    let socket = tls.accept(socket).await.map_err(OpenError::Tls)?;
    let certificates = socket.get_ref().1.peer_certificates();
    let certificate = certificates
        .and_then(<[_]>::first)
        .map(|der| PeerCertificate::read(der).ok_or(OpenError::Certificate))
        .transpose()?;
    let stream = if transport.is_web() {
        Stream::SecureWebSocket(Box::new(WebSocket::accept(socket, largest, first).await?))
    } else {
        Stream::Tls(Box::new(socket))
    };
    Ok((stream, certificate))
}

impl Stream {
    /// The client has signed in, and may send packets of any size it was offered.
    pub(crate) fn open(&mut self) {
        match self {
            Self::Tcp(_) | Self::Tls(_) => {}
            Self::WebSocket(stream) => stream.open(),
            Self::SecureWebSocket(stream) => stream.open(),
        }
    }

    /// Whether a browser acts for a page of another server.
    pub(crate) fn is_foreign(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Tls(_) => false,
            Self::WebSocket(stream) => stream.is_foreign(),
            Self::SecureWebSocket(stream) => stream.is_foreign(),
        }
    }
}

macro_rules! with {
    ($stream:expr, |$inner:ident| $body:expr) => {
        match $stream.get_mut() {
            Stream::Tcp(stream) => {
                let $inner = Pin::new(stream);
                $body
            }
            Stream::Tls(stream) => {
                let $inner = Pin::new(&mut **stream);
                $body
            }
            Stream::WebSocket(stream) => {
                let $inner = Pin::new(&mut **stream);
                $body
            }
            Stream::SecureWebSocket(stream) => {
                let $inner = Pin::new(&mut **stream);
                $body
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with!(self, |inner| inner.poll_read(context, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with!(self, |inner| inner.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, |inner| inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, |inner| inner.poll_shutdown(context))
    }
}
