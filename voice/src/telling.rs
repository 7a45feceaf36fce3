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
    /// It will not take this message, however often; another it may.
    Refused(String),
    /// It takes no message at all, until something is mended that is not in the message: a setting, a permission.
    Barred(String),
}

/// What a status that is no success means when nothing else says more.
pub(crate) fn by_status(status: StatusCode, retry_after: Option<&str>) -> Untold {
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let seconds = retry_after.and_then(|after| after.trim().parse().ok());
        Untold::Later(seconds.map(|seconds: u64| Duration::from_secs(seconds.min(600))))
    } else if matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    ) {
        Untold::Refused(format!("it answers {status}"))
    } else {
        Untold::Barred(format!("it answers {status}"))
    }
}

impl Untold {
    /// The same of a request that is none of the message itself, such as one for a token: whatever is refused then, no message is
    /// taken.
    pub(crate) fn of_all(self) -> Self {
        match self {
            Self::Refused(why) => Self::Barred(why),
            other => other,
        }
    }
}
