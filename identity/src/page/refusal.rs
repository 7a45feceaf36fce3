//! Refusals of pages.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, html};
use store::StoreError;

use super::{LeadsTo, policy, whole};
use crate::browser::redirect;
use crate::error::IdentityError;
use crate::metrics::Cause;
use crate::next::Next;
use crate::words;

/// Why a page is not shown, or a form not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageRefusal {
    /// Somebody has to sign in first; then it goes on.
    SignIn(Next),
    /// The form is not one that we made for this browser and this sign-in.
    Forged,
    /// The form cannot be read.
    Unreadable,
    /// A client came with something that is answered to the person and never to the client.
    Client(&'static str),
    /// A link was used before, is over, or never was one.
    DeadLink,
    /// A passkey, or what came instead of one.
    Passkey(&'static str),
    /// A sign-in by another provider: its cause, and the words for the person.
    Provider(&'static str, String),
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The form says something that cannot be kept.
    Invalid(String),
    /// Too many tries.
    TooMany,
    /// Too many sign-ins were begun from there.
    ManySignIns,
    /// Try again in a moment.
    Busy,
    /// Ours.
    Internal,
}

impl PageRefusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::SignIn(_) => StatusCode::SEE_OTHER,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Unreadable | Self::Client(_) | Self::Provider(..) => StatusCode::BAD_REQUEST,
            Self::DeadLink => StatusCode::GONE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) | Self::Passkey(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany | Self::ManySignIns => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::SignIn(_) => "sign_in_first",
            Self::Forged => "forged_form",
            Self::Unreadable => "unreadable_form",
            Self::Client(_) => "bad_client_request",
            Self::DeadLink => "dead_link",
            Self::Passkey(_) => "bad_passkey",
            Self::Provider(cause, _) => cause,
            Self::NotFound => "not_found",
            Self::Invalid(_) => "invalid_form",
            Self::TooMany => "too_many_tries",
            Self::ManySignIns => "too_many_sign_ins",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::SignIn(_) => words::SIGN_IN_FIRST,
            Self::Forged => words::FORGED,
            Self::Unreadable => words::UNREADABLE,
            Self::Client(text) | Self::Passkey(text) => text,
            Self::DeadLink => words::DEAD_LINK,
            Self::NotFound => words::NOT_FOUND,
            Self::Invalid(text) | Self::Provider(_, text) => text,
            Self::TooMany => words::TOO_MANY,
            Self::ManySignIns => words::MANY_SIGN_INS,
            Self::Busy => words::BUSY,
            Self::Internal => words::INTERNAL,
        }
    }
}

impl From<StoreError> for PageRefusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Conflict(_) => Self::Invalid(words::CHANGED_MEANWHILE.to_owned()),
            StoreError::Invalid(why) => Self::Invalid(why),
            StoreError::Full(_) => Self::Busy,
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the database does not answer");
                Self::Busy
            }
            error @ (StoreError::Sql(_) | StoreError::Corrupt(_) | StoreError::Schema { .. }) => {
                tracing::error!(%error, "a page failed for a reason of ours");
                Self::Internal
            }
        }
    }
}

impl From<IdentityError> for PageRefusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::Busy => Self::Busy,
            error => {
                tracing::error!(%error, "a page failed for a reason of ours");
                Self::Internal
            }
        }
    }
}

impl IntoResponse for PageRefusal {
    fn into_response(self) -> Response {
        if let Self::SignIn(next) = &self {
            return redirect(&next.after("/sign-in"));
        }
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (words::REFUSED) " · " (words::PRODUCT) }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    link rel="stylesheet" href="/identity/style.css";
                }
                body {
                    header { a href="/account" { (words::PRODUCT) } }
                    main {
                        h1 { (words::REFUSED) }
                        p.wrong role="alert" { (self.text()) }
                        @if matches!(self, Self::Provider(..)) {
                            p { a href="/sign-in" { (words::SIGN_IN) } }
                        }
                    }
                }
            }
        };
        let mut response = whole(self.status(), &html, &policy(&LeadsTo::Ourselves, false));
        response.extensions_mut().insert(Cause::new(self.cause()));
        if self == Self::Busy {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
