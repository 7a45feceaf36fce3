//! Errors as HTTP: every refusal of this crate becomes an RFC 9457 problem document here and nowhere else.

mod kind;
mod mistake;
pub(crate) mod page;

use axum::extract::rejection::BytesRejection;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use identity::IdentityError;
use serde::Serialize;
use store::{ClaimRefusal, MAX_CERTIFICATES, MAX_PHONES, StoreError};
use utoipa::ToSchema;

pub use kind::Kind;
pub use mistake::{Mistake, Position};

/// Where the pages that explain the problem types live; a problem's `type` is this and its slug.
pub const BASE: &str = "/api/problems/";

/// A refusal on its way to the client (RFC 9457, section 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    /// Boxed, since refusals are rare and results are everywhere.
    more: Box<More>,
}

/// What only some kinds of problem have.
#[derive(Debug, Clone, PartialEq, Default)]
struct More {
    errors: Vec<Mistake>,
    scope: Option<String>,
    reason: Option<&'static str>,
    position: Option<Position>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem document as it is on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Names the kind of problem; never changes for a kind, and explains it when fetched.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/api/problems/not-found")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status code of the answer.
    #[schema(example = 404)]
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// Each mistake found in the request, when there are such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Mistake>,
    /// The scope that is missing (`missing-scope` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Why a claim key lets a device not in (`claim-key-refused` only): `unknown`, `expired`, `revoked`, `used_up` or `wrong_kind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "used_up")]
    reason: Option<&'static str>,
    /// Where the body stops being JSON (`malformed-json` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

impl Problem {
    /// A problem of a kind, with what is wrong this time.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), more: Box::default() }
    }

    /// 401: nobody is signed in; `error` is the code of RFC 6750, section 3.1, when a token was presented.
    pub fn unauthenticated(detail: &str, error: Option<&'static str>) -> Problem {
        let challenge = match error {
            Some("invalid_token") => "Bearer realm=\"promenade\", error=\"invalid_token\"",
            Some(_) => "Bearer realm=\"promenade\", error=\"invalid_request\"",
            None => "Bearer realm=\"promenade\"",
        };
        Problem::new(Kind::Unauthenticated, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// 403: what the caller showed lacks `scope`.
    pub fn missing_scope(scope: &str) -> Problem {
        let challenge =
            format!("Bearer realm=\"promenade\", error=\"insufficient_scope\", scope=\"{scope}\"");
        let detail = format!("the API key or access token lacks the scope `{scope}`");
        let mut problem = Problem::new(Kind::MissingScope, detail);
        problem.more.scope = Some(scope.to_owned());
        match HeaderValue::try_from(challenge) {
            Ok(value) => problem.with_header(WWW_AUTHENTICATE, value),
            // A filter of a scope may hold characters that no header can carry; the body names it.
            Err(_) => problem,
        }
    }

    /// 404: `what` does not exist, or belongs to another organization, which is the same to the caller.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(Kind::NotFound, format!("there is no such {what} in this organization"))
    }

    /// 429: more came than may come in a while; the same may be asked again after so many seconds.
    pub fn rate_limited(detail: &str, after_s: u64) -> Problem {
        Problem::new(Kind::RateLimited, format!("{detail}; try again in {after_s} seconds"))
            .with_header(RETRY_AFTER, HeaderValue::from(after_s))
    }

    /// 403: a claim key lets a device not come in.
    pub fn claim_refused(why: ClaimRefusal) -> Problem {
        let detail = match why {
            ClaimRefusal::Unknown => "there is no such claim key",
            ClaimRefusal::Expired => "the claim key is over",
            ClaimRefusal::Revoked => "the claim key was taken back",
            ClaimRefusal::UsedUp => "as many devices came in with the claim key as may",
            ClaimRefusal::WrongKind => "the claim key is for devices of another kind",
            ClaimRefusal::WrongOrganization => "the claim key is another organization's",
        };
        let mut problem = Problem::new(Kind::ClaimKeyRefused, detail);
        problem.more.reason = Some(why.as_str());
        problem
    }

    /// 400: the body is not JSON from `position` on.
    pub fn malformed_json(position: Position, detail: &str) -> Problem {
        let Position { line, column } = position;
        let mut problem =
            Problem::new(Kind::MalformedJson, format!("line {line}, column {column}: {detail}"));
        problem.more.position = Some(position);
        problem
    }

    /// 422: the body is JSON, but not what is asked for.
    pub fn invalid_body(errors: Vec<Mistake>) -> Problem {
        Problem::new(Kind::InvalidBody, "the body cannot be accepted as it is").with_errors(errors)
    }

    /// 400: the query is not what is asked for.
    pub fn invalid_query(errors: Vec<Mistake>) -> Problem {
        Problem::new(Kind::InvalidQuery, "the query cannot be answered as it is").with_errors(errors)
    }

    /// 500: ours. The cause is logged here, beside the request's id, and kept from the client.
    pub fn internal(cause: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%cause, "a request failed for a reason of ours");
        Problem::new(Kind::Internal, "the request failed; the log has the cause beside this request's id")
    }

    /// The kind of the problem.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.more.headers.push((name, value));
        self
    }

    fn with_errors(mut self, errors: Vec<Mistake>) -> Problem {
        self.more.errors = errors;
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::NotFound => Problem::not_found("thing"),
            StoreError::Conflict("identifier") => {
                Problem::new(Kind::Conflict, "the identifier is another device's already")
            }
            StoreError::Conflict("ephemeral") => {
                Problem::new(Kind::Conflict, "the identity key is another device's already")
            }
            StoreError::Conflict("certificates") => {
                let detail = format!(
                    "the device has {MAX_CERTIFICATES} certificates that are neither revoked nor over; revoke one first"
                );
                Problem::new(Kind::Conflict, detail)
            }
            StoreError::Conflict("key") => {
                let detail =
                    "a device signs in with this key already; make another key and sign the request with it";
                Problem::new(Kind::Conflict, detail)
            }
            StoreError::Conflict("owner") => {
                let detail =
                    "the organization would have no owner left who can sign in; make another one first";
                Problem::new(Kind::Conflict, detail)
            }
            StoreError::Conflict("members") => {
                Problem::new(Kind::Conflict, "members have this role still; give them another one first")
            }
            StoreError::Conflict("role") => {
                Problem::new(Kind::Conflict, "the member was given another role meanwhile; look again")
            }
            StoreError::Conflict("name") => {
                Problem::new(Kind::Conflict, "another role of the organization is called so already")
            }
            StoreError::Conflict("roles") => {
                Problem::new(Kind::Conflict, "the organization has as many roles as it can; delete one first")
            }
            StoreError::Conflict("phones") => {
                let detail = format!("the person has {MAX_PHONES} phones; remove one first");
                Problem::new(Kind::Conflict, detail)
            }
            StoreError::Conflict("quota") => {
                Problem::new(Kind::Conflict, "as many devices came in with the claim key as may")
            }
            StoreError::Conflict("hardware") => {
                let detail = "what is to be replaced is a device of another kind, or a person's phone";
                Problem::new(Kind::Conflict, detail)
            }
            StoreError::Conflict("kind") => Problem::new(Kind::Conflict, "a public client has no secret"),
            StoreError::Conflict(what) => {
                Problem::new(Kind::Conflict, format!("the change conflicts with the stored {what}"))
            }
            StoreError::Full(what) => {
                Problem::new(Kind::RateLimited, format!("no more {what} fit; try later"))
            }
            StoreError::Invalid(detail) => Problem::invalid_body(vec![Mistake::at("", detail)]),
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the database does not answer");
                Problem::new(Kind::Unavailable, "the database does not answer; try again")
                    .with_header(RETRY_AFTER, HeaderValue::from_static("2"))
            }
            other => Problem::internal(&other),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Problem {
        match error {
            IdentityError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Problem {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Kind::BodyTooLarge, "the body is larger than this server takes")
        } else {
            Problem::new(Kind::UnreadableBody, "the body ended before it was complete")
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let more = *self.more;
        let document = Document {
            kind: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail,
            errors: more.errors,
            scope: more.scope,
            reason: more.reason,
            position: more.position,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let content_type = (CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.kind.status(), [content_type], body).into_response();
        response.headers_mut().extend(more.headers);
        response.extensions_mut().insert(self.kind); // for whoever counts refusals
        response
    }
}

/// Answers what no route answers.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(Kind::NoSuchRoute, "nothing answers at this path; /api/docs lists what does")
}

/// Answers a route asked with a method it does not have; axum adds the `Allow` header.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("the `{ALLOW}` header lists the methods of this path"))
}

/// Answers for a handler that panicked, so that one bad request does not take a connection's other requests with it.
#[expect(clippy::needless_pass_by_value, reason = "it is called with what the panic left")]
pub(crate) fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let cause = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&'static str>().copied())
        .unwrap_or("a panic without a message");
    Problem::internal(&cause).into_response()
}
