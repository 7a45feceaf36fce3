//! The closed list of what can go wrong, each with a stable name, a status and a title.

use axum::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $slug:literal, $status:ident, $title:literal;)*) => {
        /// A kind of problem. `docs/problems.md` explains each, and `GET /api/problems/{slug}` shows that text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The last part of the `type`; never changes.
            pub const fn slug(self) -> &'static str {
                match self { $(Kind::$kind => $slug,)* }
            }

            /// The status code of the answer.
            pub const fn status(self) -> StatusCode {
                match self { $(Kind::$kind => StatusCode::$status,)* }
            }

            /// The kind in words.
            pub const fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    /// No API key and no access token, or one that is unknown or expired.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Not signed in";
    /// The API key or access token may not do this.
    MissingScope = "missing-scope", FORBIDDEN, "Missing scope";
    /// The thing does not exist in the caller's organization.
    NotFound = "not-found", NOT_FOUND, "Not found";
    /// Nothing answers at this path.
    NoSuchRoute = "no-such-route", NOT_FOUND, "No such route";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// A query parameter is missing, unknown or wrong.
    InvalidQuery = "invalid-query", BAD_REQUEST, "Invalid query";
    /// The body is not JSON.
    MalformedJson = "malformed-json", BAD_REQUEST, "Malformed JSON";
    /// The body ended before it was complete.
    UnreadableBody = "unreadable-body", BAD_REQUEST, "Unreadable body";
    /// The body is JSON, but not what is asked for.
    InvalidBody = "invalid-body", UNPROCESSABLE_ENTITY, "Invalid body";
    /// The body is no ping batch.
    UnreadableBatch = "unreadable-batch", BAD_REQUEST, "Unreadable batch";
    /// More came than may come in a while.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, "Rate limited";
    /// The body is too large.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "Body too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The body did not arrive in time.
    RequestTimeout = "request-timeout", REQUEST_TIMEOUT, "Request timed out";
    /// Something else already has what must be unique.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// What was shown stands for no person, who alone could ask for this.
    NoPerson = "no-person", CONFLICT, "No person";
    /// There is no certificate authority that could sign.
    NoAuthority = "no-authority", CONFLICT, "No certificate authority";
    /// Nobody has let the device in yet.
    EnrolmentPending = "enrolment-pending", BAD_REQUEST, "Waiting for approval";
    /// The device asks too often whether it may come in.
    EnrolmentSlowDown = "enrolment-slow-down", BAD_REQUEST, "Asked too soon";
    /// Somebody refused the device.
    EnrolmentDenied = "enrolment-denied", BAD_REQUEST, "Refused by somebody";
    /// The device's request is over.
    EnrolmentExpired = "enrolment-expired", BAD_REQUEST, "Request is over";
    /// The claim key does not let the device in.
    ClaimKeyRefused = "claim-key-refused", FORBIDDEN, "Claim key refused";
    /// The `If-Match` header cannot be read.
    InvalidIfMatch = "invalid-if-match", BAD_REQUEST, "Invalid If-Match";
    /// What is to be changed has another version than the request says.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "Precondition failed";
    /// The `Idempotency-Key` header cannot be read.
    InvalidIdempotencyKey = "invalid-idempotency-key", BAD_REQUEST, "Invalid idempotency key";
    /// The same `Idempotency-Key` is being worked on.
    IdempotencyInProgress = "idempotency-in-progress", CONFLICT, "Still in progress";
    /// The `Idempotency-Key` was used with another request.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "Idempotency key reused";
    /// The server cannot answer now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Unavailable";
    /// The server failed.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

impl Kind {
    /// The `type` of a problem document of this kind: a relative reference, so that it holds behind any host name.
    pub fn uri(self) -> String {
        format!("{}{}", super::BASE, self.slug())
    }

    /// The kind with a slug.
    pub fn with_slug(slug: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }
}
