//! Refusals to people and programs: the problem documents that all of the interface has (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use identity::BearerError;
use serde_json::json;
use store::StoreError;

/// Why somebody is refused.
pub(super) enum Problem {
    Unauthenticated,
    MissingScope(&'static str),
    NoPerson,
    NotFound,
    InvalidBody(&'static str),
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            error => Self::Store(error),
        }
    }
}

impl From<BearerError> for Problem {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Invalid => Self::Unauthenticated,
            BearerError::Store(error) => Self::Store(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, slug, title, detail) = match &self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Not signed in",
                "an access token in an `Authorization: Bearer` header is needed",
            ),
            Self::MissingScope(_) => (
                StatusCode::FORBIDDEN,
                "missing-scope",
                "Scope missing",
                "the access token lacks the scope that is named",
            ),
            Self::NoPerson => (
                StatusCode::FORBIDDEN,
                "no-person",
                "No person",
                "a client of its own stands for no person; use an access token of one",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not-found",
                "Not found",
                "there is no such device in this organization",
            ),
            Self::InvalidBody(what) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "Body not accepted", *what)
            }
            Self::Store(error) => {
                tracing::error!(%error, "a request about assistants failed for a reason of ours");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", "the request failed; try again")
            }
        };
        let mut document = json!({
            "type": format!("/api/problems/{slug}"), "title": title, "status": status.as_u16(), "detail": detail,
        });
        if let Self::MissingScope(scope) = &self {
            document["scope"] = json!(scope);
        }
        let mut response = (status, Json(document)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge: (HeaderName, HeaderValue) =
                (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"promenade\""));
            response.headers_mut().insert(challenge.0, challenge.1);
        }
        response
    }
}
