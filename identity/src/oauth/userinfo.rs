//! `/oauth/userinfo`: what a person allowed to be told (`OpenID` Connect Core section 5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::Account;

use super::error::{Refusal, UNCACHED};
use super::scope::{IdentityScope, Scopes};
use crate::Identity;
use crate::bearer::BearerError;
use crate::jwt::Profile;
use crate::metrics::Cause;

/// A refusal in the words of RFC 6750 section 3.1.
enum Challenge {
    Missing,
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
}

/// Tells about the person whose token this is. The token stands in the header and nowhere else (RFC 9700 section 4.3.2).
pub(crate) async fn userinfo(State(identity): State<Arc<Identity>>, headers: HeaderMap) -> Response {
    let token = match bearer(&headers) {
        Ok(token) => token,
        Err(challenge) => return challenge.into_response(),
    };
    let checked = match identity.check_any(token).await {
        Ok(checked) => checked,
        Err(BearerError::Invalid) => return Challenge::InvalidToken.into_response(),
        Err(BearerError::Store(error)) => return Refusal::from(error).into_response(),
    };
    let account = match checked.standing.grant.account {
        Some(account) if checked.scopes.has(IdentityScope::OpenId) => account,
        _ => return Challenge::InsufficientScope.into_response(),
    };
    let account = match identity.store.account(account).await {
        Ok(account) => account,
        Err(error) => return Refusal::from(error).into_response(),
    };
    let mut body = json!(profile(&account, &checked.scopes));
    body["sub"] = json!(account.id);
    (UNCACHED, Json(body)).into_response()
}

/// The claims that scopes open (`OpenID` Connect Core section 5.4).
pub(crate) fn profile(account: &Account, scopes: &Scopes) -> Profile {
    let mut profile = Profile::default();
    if scopes.has(IdentityScope::Profile) {
        profile.name = Some(account.name.clone()).filter(|name| !name.is_empty());
        profile.locale.clone_from(&account.locale);
    }
    if scopes.has(IdentityScope::Email) {
        profile.email = Some(account.email.clone());
        profile.email_verified = Some(account.email_verified_at.is_some());
    }
    profile
}

fn bearer(headers: &HeaderMap) -> Result<&str, Challenge> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Challenge::Missing)?;
    if values.next().is_some() {
        return Err(Challenge::InvalidRequest);
    }
    let text = value.to_str().map_err(|_| Challenge::InvalidRequest)?;
    let (scheme, token) = text.split_once(' ').ok_or(Challenge::InvalidRequest)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Challenge::InvalidRequest) }
}

impl IntoResponse for Challenge {
    fn into_response(self) -> Response {
        let (status, cause, challenge) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, "missing_token", "Bearer realm=\"promenade\""),
            Self::InvalidRequest => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Bearer realm=\"promenade\", error=\"invalid_request\"",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "Bearer realm=\"promenade\", error=\"invalid_token\"",
            ),
            Self::InsufficientScope => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "Bearer realm=\"promenade\", error=\"insufficient_scope\", scope=\"openid\"",
            ),
        };
        let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))];
        let mut response = (status, UNCACHED, challenge).into_response();
        response.extensions_mut().insert(Cause::new(cause));
        response
    }
}
