//! MQTT over WebSocket (MQTT 5 section 6): binary frames at the path `/mqtt` with the subprotocol `mqtt`. Packets and
//! frames need not begin or end together.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::uri::Authority;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::OpenError;
use super::gate::Gate;

/// Where MQTT is found.
const PATH: &str = "/mqtt";
/// The subprotocol that a client must offer and the server picks (MQTT-6.0.0-3, -4).
const PROTOCOL: &str = "mqtt";
/// What the library sets aside for reading before there is anything to read.
const READ_BUFFER: usize = 4 * 1024;
/// The largest frame written, and what the library may hold back of it with its head.
const FRAME: usize = 64 * 1024;
const WRITE_BUFFER: usize = FRAME + 1024;

/// A WebSocket that reads and writes like a plain socket.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    frames: WebSocketStream<Gate<S>>,
    /// The rest of the frame that is being read.
    rest: Bytes,
    /// A page of another server asked for it.
    is_foreign: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Answers the client's request; `largest` is the most bytes that one message may have, `first` how many may come in all
    /// until the gate is opened.
    pub(super) async fn accept(socket: S, largest: usize, first: usize) -> Result<Self, OpenError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        let mut is_foreign = false;
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let answer = |request: &Request, response| {
            is_foreign = comes_from_elsewhere(request);
            welcome(request, response)
        };
        let frames = accept_hdr_async_with_config(Gate::new(socket, first), answer, Some(config)).await;
        let frames = frames.map_err(|error| OpenError::WebSocket(Box::new(error)))?;
        Ok(Self { frames, rest: Bytes::new(), is_foreign })
    }

    /// The client has signed in.
    pub(super) fn open(&mut self) {
        self.frames.get_mut().open();
    }

    /// Whether a page of another server made a browser ask for it (RFC 6455 section 10.2).
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }
}

/// Browsers say which page they act for; other programs say nothing. A page of this machine is asked for by a name that
/// cannot be another's: a foreign name may be made to lead here (DNS rebinding).
fn comes_from_elsewhere(request: &Request) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return false };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let is_the_same = page.zip(host).is_some_and(|((_, page), host)| page.eq_ignore_ascii_case(host));
    let is_here = host.and_then(|host| host.parse::<Authority>().ok()).is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    !(is_the_same && is_here)
}

/// The answer to the request: only MQTT is spoken here.
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn welcome(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        refusal
    };
    if request.uri().path() != PATH {
        return Err(refuse(StatusCode::NOT_FOUND, "MQTT is at /mqtt"));
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    if !offered.map(str::trim).any(|protocol| protocol == PROTOCOL) {
        return Err(refuse(StatusCode::BAD_REQUEST, "the subprotocol mqtt must be offered"));
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.frames).poll_next(context)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // MQTT-6.0.0-1: anything but binary data ends the connection.
                Some(Ok(Message::Text(_))) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.rest.len().min(into.remaining());
        into.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut frames = Pin::new(&mut self.frames);
        ready!(frames.as_mut().poll_ready(context)).map_err(broken)?;
        let count = bytes.len().min(FRAME);
        frames.start_send(Message::Binary(Bytes::copy_from_slice(&bytes[..count]))).map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.frames).poll_flush(context).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.frames).poll_close(context).map_err(broken)
    }
}
