//! Why an assistant could not be told something.

use std::time::Duration;

use axum::http::StatusCode;

/// Why an assistant could not be told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Untold {
    /// It does not know the person any more.
    Gone,
    /// It may work later; not before this, if it said so.
    Later(Option<Duration>),
    /// It will not take this, however often.
    Refused(String),
}

/// What a status that is no success means when nothing else says more.
pub(crate) fn by_status(status: StatusCode, retry_after: Option<&str>) -> Untold {
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let seconds = retry_after.and_then(|after| after.trim().parse().ok());
        Untold::Later(seconds.map(|seconds: u64| Duration::from_secs(seconds.min(600))))
    } else {
        Untold::Refused(format!("it answers {status}"))
    }
}
