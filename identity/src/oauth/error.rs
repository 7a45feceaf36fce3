//! Refusals of the endpoints that clients come to, as JSON (RFC 6749 section 5.2).

use axum::Json;
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

use crate::error::IdentityError;
use crate::metrics::Cause;

/// Answers with tokens in them, and answers about them, are kept by nobody (RFC 6749 section 5.1).
pub(crate) const UNCACHED: [(HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];

/// A refusal on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    /// For the developer of the client: characters of RFC 6749 section 5.2, and nothing that the client did not know.
    pub(crate) description: &'static str,
    /// Whether the client tried to authenticate with HTTP Basic, and hears so in kind.
    is_basic: bool,
}

/// An error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ErrorCode {
    // RFC 6749 sections 4.1.2.1 and 5.2
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    // RFC 8707 section 2
    InvalidTarget,
    // RFC 8628 section 3.5
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    // OpenID Connect Core section 3.1.2.6
    LoginRequired,
    ConsentRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
}

impl Refusal {
    pub(crate) const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description, is_basic: false }
    }

    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// Our own failure: the cause is logged and kept from the client.
    fn ours(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a client could not be answered for a reason of ours");
        Self::new(ErrorCode::ServerError, "the server failed; its log has the cause")
    }

    /// A client that did not show who it is; which part of it is wrong is not said.
    pub(crate) const fn invalid_client(is_basic: bool) -> Self {
        let description = "the client is unknown or did not authenticate as it was registered";
        Self { code: ErrorCode::InvalidClient, description, is_basic }
    }
}

impl ErrorCode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidTarget => "invalid_target",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            // What was asked about ended while it was being answered.
            StoreError::NotFound | StoreError::Conflict(_) => {
                Self::invalid_grant("what this stands for has ended")
            }
            StoreError::Invalid(_) => {
                Self::invalid_request("a parameter is too long or holds what it must not")
            }
            error @ StoreError::Full(_) => {
                tracing::warn!(%error, "a request found no room");
                Self::new(ErrorCode::TemporarilyUnavailable, "try again later")
            }
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the database does not answer");
                Self::new(ErrorCode::TemporarilyUnavailable, "try again in a moment")
            }
            error @ (StoreError::Sql(_) | StoreError::Corrupt(_) | StoreError::Schema { .. }) => {
                Self::ours(&error)
            }
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::Busy => Self::new(ErrorCode::TemporarilyUnavailable, "try again in a moment"),
            error => Self::ours(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.code.as_str(), "error_description": self.description});
        let mut response = (self.code.status(), UNCACHED, Json(body)).into_response();
        if self.is_basic {
            let challenge = HeaderValue::from_static("Basic realm=\"promenade\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if self.code == ErrorCode::TemporarilyUnavailable {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(Cause::new(self.code.as_str()));
        response
    }
}
