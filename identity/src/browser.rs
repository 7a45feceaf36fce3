//! Who sits in front of the browser that a request came from.

mod cookie;
mod posted;
mod scripted;
mod session;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::{REFERRER_POLICY, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{Account, BrowserSession};

use crate::Identity;
use crate::error::IdentityError;
use crate::next::Next;
use crate::page::PageRefusal;
use crate::random;
use crate::seal::Use;

pub(crate) use cookie::Cookie;
pub(crate) use posted::Posted;
pub(crate) use scripted::{Scripted, Told};

/// A browser, signed in or not.
pub(crate) struct Visitor {
    /// The person and the session, while signed in.
    pub(crate) signed_in: Option<SignedIn>,
    /// What binds forms to this browser, also before anybody signed in.
    pub(crate) binding: Binding,
    /// What a form of this browser carries, so that no other site can have made it.
    pub(crate) csrf: String,
    /// Where the request came from.
    pub(crate) address: IpAddr,
    /// What the browser calls itself.
    pub(crate) agent: String,
}

/// A person who is signed in. As an argument of a handler it is the check itself: anybody else is sent to the sign-in page.
pub(crate) struct Person {
    pub(crate) account: Account,
    pub(crate) session: BrowserSession,
    pub(crate) visitor: Visitor,
}

/// The person and the session of a browser.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) session: BrowserSession,
}

/// A random value in a cookie of its own.
pub(crate) struct Binding {
    pub(crate) value: String,
    /// The browser does not have it yet.
    is_new: bool,
}

impl Visitor {
    async fn read(parts: &Parts, identity: &Identity) -> Result<Self, IdentityError> {
        let secure = identity.issuer.is_secure();
        let signed_in = match Cookie::Session.read(&parts.headers, secure) {
            Some(secret) => SignedIn::find(identity, secret).await?,
            None => None,
        };
        let known = Cookie::Binding.read(&parts.headers, secure);
        let binding = match known.filter(|value| is_binding(value)) {
            Some(value) => Binding { value: value.to_owned(), is_new: false },
            None => Binding { value: URL_SAFE_NO_PAD.encode(random::bytes::<32>()?), is_new: true },
        };
        // A form from before a sign-in is worth nothing after it.
        let session = signed_in.as_ref().map(|one| one.session.id.to_string()).unwrap_or_default();
        let csrf = identity.sealer.sign(Use::Form, &[binding.value.as_bytes(), session.as_bytes()]);
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self { signed_in, binding, csrf, address: address(parts), agent: agent.to_owned() })
    }

    /// Adds what the browser has to keep.
    pub(crate) fn remembered(&self, identity: &Identity, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        if self.binding.is_new {
            let cookie = Cookie::Binding.set(&self.binding.value, identity.issuer.is_secure(), None);
            append(&mut response, cookie);
        }
        response
    }

    /// The account, while signed in.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.signed_in.as_ref().map(|one| &one.account)
    }
}

impl Binding {
    /// What rows know the browser by: a hash, so that a copy of the database does not show the cookie.
    pub(crate) fn mark(&self) -> [u8; 32] {
        let mut mark = [0; 32];
        mark.copy_from_slice(digest(&SHA256, self.value.as_bytes()).as_ref());
        mark
    }
}

impl FromRequestParts<Arc<Identity>> for Visitor {
    type Rejection = PageRefusal;

    async fn from_request_parts(parts: &mut Parts, identity: &Arc<Identity>) -> Result<Self, PageRefusal> {
        Ok(Self::read(parts, identity).await?)
    }
}

impl FromRequestParts<Arc<Identity>> for Person {
    type Rejection = PageRefusal;

    async fn from_request_parts(parts: &mut Parts, identity: &Arc<Identity>) -> Result<Self, PageRefusal> {
        let visitor = Visitor::from_request_parts(parts, identity).await?;
        let next = parts.uri.path_and_query().and_then(|asked| Next::parse(asked.as_str()));
        Self::of(visitor).ok_or(PageRefusal::SignIn(next.unwrap_or_default()))
    }
}

impl Person {
    /// The person of a browser; none when nobody is signed in.
    pub(crate) fn of(visitor: Visitor) -> Option<Self> {
        let SignedIn { account, session } = visitor.signed_in.clone()?;
        Some(Self { account, session, visitor })
    }
}

/// Sends the browser on with a GET request, whatever it came with, and without telling where from.
pub(crate) fn redirect(to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(crate) fn append(response: &mut Response, cookie: String) {
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Whoever serves the routes says where a connection comes from; a request without a connection is this program's own.
fn address(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}

fn is_binding(value: &str) -> bool {
    URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == 32)
}
