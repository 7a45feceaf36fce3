//! Requests that this server makes to others, at addresses that somebody else chose.
//!
//! A name is looked up once, and the connection goes to the very address that was checked. No redirect is followed, and
//! nothing takes long or becomes large.

mod address;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::error::IdentityError;

/// How long a whole request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Makes requests.
pub(crate) struct Outbound {
    tls: TlsConnector,
    may_be_private: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// How it went.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The whole body; at most 256 KiB.
    pub body: Bytes,
}

impl Outbound {
    pub(crate) fn new(may_be_private: bool) -> Result<Self, IdentityError> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), may_be_private })
    }

    /// Posts a form.
    pub(crate) async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Reply, IdentityError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = Request::post(url).header(CONTENT_TYPE, form).body(body.into_bytes());
        self.send(request.map_err(|error| failed(&error))?).await
    }

    /// Asks for JSON, perhaps with the access token of somebody.
    pub(crate) async fn get(&self, url: &str, token: Option<&str>) -> Result<Reply, IdentityError> {
        let mut request = Request::get(url).header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            let mut bearer =
                HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| failed(&error))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        self.send(request.body(Vec::new()).map_err(|error| failed(&error))?).await
    }

    /// Makes a request to its URI, which is whole.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Reply, IdentityError> {
        let (mut parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| failed(&error))?;
        let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let target = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        parts.uri = target.parse().map_err(|error| failed(&error))?;
        parts.headers.insert(HOST, authority.parse().map_err(|error| failed(&error))?);
        parts.headers.insert(USER_AGENT, HeaderValue::from_static("Promenade"));
        let request = Request::from_parts(parts, Body::from(body));
        tokio::time::timeout(PATIENCE, self.connected(&url, request)).await.map_err(|error| failed(&error))?
    }

    async fn connected(&self, url: &Url, request: Request<Body>) -> Result<Reply, IdentityError> {
        let host = url.host().ok_or_else(|| failed(&"the address has no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| failed(&"the address has no port"))?;
        let stream = self.connect(&host, port).await?;
        match url.scheme() {
            "https" => {
                let name = ServerName::try_from(host.to_string().trim_matches(['[', ']']).to_owned());
                let name = name.map_err(|error| failed(&error))?;
                let stream = self.tls.connect(name, stream).await.map_err(|error| failed(&error))?;
                exchange(stream, request).await
            }
            // Nothing but a test has a reason to go without TLS.
            "http" if self.may_be_private => exchange(stream, request).await,
            _ => Err(failed(&"the address is not `https`")),
        }
    }

    async fn connect(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, IdentityError> {
        let addresses: Vec<IpAddr> = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((*name, port)).await.map_err(|error| failed(&error))?;
                found.map(|address| address.ip()).collect()
            }
        };
        // One private address among public ones is as good as none: nobody has a reason to mix them.
        if !self.may_be_private && !addresses.iter().all(|address| address::is_public(*address)) {
            return Err(failed(&"the address belongs to a private network"));
        }
        let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        TcpStream::connect(addresses.as_slice()).await.map_err(|error| failed(&error))
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Body>,
) -> Result<Reply, IdentityError> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), MAX_ANSWER_BYTES).await.map_err(|error| failed(&error))?;
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = answer.as_mut() => answer,
        // Whether it ended well or badly, the answer is either there by now or never comes.
        _ = connection.as_mut() => answer.await,
    }
}

fn failed(why: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Outbound(why.to_string())
}
