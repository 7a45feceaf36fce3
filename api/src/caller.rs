//! Who calls: an API key of one organization, and what it may do.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use protocol::{OrganizationId, Timestamp};
use store::{ApiKey, ScopeSet};

use crate::App;
use crate::problem::Problem;
use crate::scopes::Needed;

/// A caller whose key holds the scope `S`. As an argument of a handler it is the check itself, so put it first: nothing
/// is said about a request to somebody who is not signed in.
pub(crate) struct Caller<S> {
    key: ApiKey,
    scope: PhantomData<S>,
}

/// The key that a request signed in with; kept with the request so that it is looked up once.
#[derive(Clone)]
struct SignedIn(ApiKey);

impl<S> Caller<S> {
    /// The organization that the caller acts for.
    pub(crate) fn organization(&self) -> OrganizationId {
        self.key.organization
    }

    /// The key.
    pub(crate) fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Everything the key may do.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.key.scopes
    }

    /// When the key stops being valid.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.key.expires_at
    }
}

impl<S: Needed> FromRequestParts<Arc<App>> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller<S>, Problem> {
        let key = key_of(parts, app).await?;
        let scope = S::scope();
        if !key.scopes.allows(&scope) {
            return Err(Problem::missing_scope(&scope.to_string()));
        }
        Ok(Caller { key, scope: PhantomData })
    }
}

/// The key that a request presents, whatever it may do.
pub(crate) async fn key_of(parts: &mut Parts, app: &App) -> Result<ApiKey, Problem> {
    if let Some(SignedIn(key)) = parts.extensions.get() {
        return Ok(key.clone());
    }
    let presented = bearer(&parts.headers)?;
    let key = app.store.sign_in_key(presented, app.clock.now()).await?;
    let unknown = || Problem::unauthenticated("the API key is unknown or expired", Some("invalid_token"));
    let key = key.ok_or_else(unknown)?;
    tracing::Span::current().record("key", tracing::field::display(key.id));
    parts.extensions.insert(SignedIn(key.clone()));
    Ok(key)
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Problem::unauthenticated(
            "an `Authorization: Bearer` header with an API key is needed",
            None,
        ));
    };
    let wrong = || {
        let detail = "the `Authorization` header must be one `Bearer` and an API key";
        Problem::unauthenticated(detail, Some("invalid_request"))
    };
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(wrong()) }
}
