//! HTTP/1.1 to the platform: one request on a connection, and a short answer.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::Address;

/// How long an answer may take, from the first look for the host's address.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of an answer: a chain of certificates fits.
const MOST: usize = 64 * 1024;

/// Who asks.
pub(super) struct Client {
    address: Address,
    tls: Option<TlsConnector>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Seconds to wait, where the header `Retry-After` says so (RFC 9110, section 10.2.3).
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("what answers there does not speak HTTP: {0}")]
    Stranger(#[from] hyper::Error),
    #[error("its answer is too long")]
    TooLong,
    #[error("it does not answer")]
    Silent,
}

impl Client {
    pub(super) fn new(address: Address, tls: Option<Arc<rustls::ClientConfig>>) -> Self {
        Self { address, tls: tls.map(TlsConnector::from) }
    }

    /// Sends JSON to this path.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<Answer, Unanswered> {
        let request = Request::post(path)
            .header(HOST, &self.address.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(io::Error::other)?;
        let exchange = async {
            let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
            match &self.tls {
                Some(tls) => {
                    let name = ServerName::try_from(self.address.host.clone()).map_err(io::Error::other)?;
                    exchange(tls.connect(name, stream).await?, request).await
                }
                None => exchange(stream, request).await,
            }
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(Unanswered::Silent))
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<String>,
) -> Result<Answer, Unanswered> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let answer = pin!(async move { read(sender.send_request(request).await?).await });
    // What was received before the connection ended is still to be had.
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Unanswered> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_s = retry_after.and_then(|seconds| seconds.parse().ok());
    let (mut incoming, mut body) = (response.into_body(), Vec::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            if body.len() + data.len() > MOST {
                return Err(Unanswered::TooLong);
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(Answer { status, retry_after_s, body })
}
