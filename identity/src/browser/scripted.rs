//! What the script of our own pages posts, and what it is answered.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::posted::is_from_elsewhere;
use super::{Person, Visitor};
use crate::Identity;
use crate::metrics::Cause;
use crate::next::Next;
use crate::oauth::error::UNCACHED;
use crate::page::PageRefusal;

/// JSON that the script of one of our pages posted, for this browser and this sign-in: as [`super::Posted`], the only way to
/// what it says.
pub(crate) struct Scripted<T> {
    pub(crate) visitor: Visitor,
    pub(crate) said: T,
}

/// A refusal that a script reads: `error` is its cause, `message` is for the person.
#[derive(Debug)]
pub(crate) struct Told(PageRefusal);

impl<T: DeserializeOwned> FromRequest<Arc<Identity>> for Scripted<T> {
    type Rejection = Told;

    async fn from_request(request: Request, identity: &Arc<Identity>) -> Result<Self, Told> {
        let (parts, body) = request.into_parts();
        let visitor = Visitor::read(&parts, identity).await?;
        // A form cannot say that it is JSON, so no other site can send this without asking the browser first.
        if is_from_elsewhere(&parts.headers) || !is_json(&parts.headers) {
            return Err(PageRefusal::Forged.into());
        }
        let unreadable = || Told(PageRefusal::Unreadable);
        let body = Bytes::from_request(Request::from_parts(parts, body), identity).await;
        let body = body.map_err(|_| unreadable())?;
        let mut said: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        let carried = said.as_object_mut().and_then(|said| said.remove("csrf"));
        let carried = carried.as_ref().and_then(Value::as_str).unwrap_or_default();
        verify_slices_are_equal(carried.as_bytes(), visitor.csrf.as_bytes())
            .map_err(|_| PageRefusal::Forged)?;
        let said = T::deserialize(said).map_err(|_| unreadable())?;
        Ok(Self { visitor, said })
    }
}

impl<T> Scripted<T> {
    /// The person whose page it was.
    pub(crate) fn by_person(self) -> Result<(Person, T), Told> {
        let person = Person::of(self.visitor).ok_or_else(|| PageRefusal::SignIn(Next::default()))?;
        Ok((person, self.said))
    }
}

impl<E: Into<PageRefusal>> From<E> for Told {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let status = match &refusal {
            // A script does not follow to a page.
            PageRefusal::SignIn(_) => StatusCode::UNAUTHORIZED,
            other => other.status(),
        };
        let body = json!({"error": refusal.cause(), "message": refusal.text()});
        let mut response = (status, UNCACHED, Json(body)).into_response();
        response.extensions_mut().insert(Cause::new(refusal.cause()));
        if refusal == PageRefusal::Busy {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// Whether the body says that it is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
