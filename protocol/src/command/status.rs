//! How far a command got, as the platform keeps it.

use crate::command::AckStatus;
use crate::text::serde_as_text;

/// How far a command got. It only moves forward: see [`CommandStatus::may_become`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandStatus {
    /// It waits for its device.
    Queued,
    /// It was handed to the connection of its device.
    Sent,
    /// It is in the device's journal.
    Accepted,
    /// The device runs it.
    Running,
    /// It was run.
    Done,
    /// It was run, or begun, and did not work.
    Failed,
    /// The device will not run it.
    Refused,
    /// Its time was over before the device gave a final answer. If the device did not have it by then it never runs it.
    Expired,
    /// It was called back before it was sent.
    Cancelled,
}

/// A word that is no status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown status; one of {STATUSES}")]
pub struct CommandStatusError;

const STATUSES: &str = "queued, sent, accepted, running, done, failed, refused, expired, cancelled";

impl CommandStatus {
    /// Every status, in the order of declaration.
    pub const ALL: &[Self] = &[
        Self::Queued,
        Self::Sent,
        Self::Accepted,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Refused,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word for it in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Sent | Self::Accepted | Self::Running)
    }

    /// Whether `next` may follow it. Steps may be left out, since a device's later word says that the earlier ones were
    /// taken; only what was not sent can be cancelled.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            _ if self.is_final() => false,
            Self::Cancelled => self == Self::Queued,
            next if next.is_final() => true,
            next => next > self,
        }
    }
}

impl From<AckStatus> for CommandStatus {
    fn from(status: AckStatus) -> Self {
        match status {
            AckStatus::Accepted => Self::Accepted,
            AckStatus::Running => Self::Running,
            AckStatus::Done => Self::Done,
            AckStatus::Failed => Self::Failed,
            AckStatus::Refused => Self::Refused,
        }
    }
}

impl std::fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for CommandStatus {
    type Err = CommandStatusError;

    fn from_str(text: &str) -> Result<Self, CommandStatusError> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text).ok_or(CommandStatusError)
    }
}

serde_as_text!(CommandStatus, "a status of a command");

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of statuses, one row for each status before.
    #[test]
    fn it_only_moves_forward() {
        use CommandStatus as S;
        let after =
            |before: S| S::ALL.iter().copied().filter(|next| before.may_become(*next)).collect::<Vec<_>>();
        let ends = [S::Done, S::Failed, S::Refused, S::Expired];
        assert_eq!(
            after(S::Queued),
            [&[S::Sent, S::Accepted, S::Running], &ends[..], &[S::Cancelled]].concat()
        );
        assert_eq!(after(S::Sent), [&[S::Accepted, S::Running], &ends[..]].concat());
        assert_eq!(after(S::Accepted), [&[S::Running], &ends[..]].concat());
        assert_eq!(after(S::Running), ends);
        for end in S::ALL.iter().filter(|status| status.is_final()) {
            assert_eq!(after(*end), [], "{end}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in CommandStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert!(STATUSES.contains(status.as_str()));
        }
        assert_eq!("".parse::<CommandStatus>(), Err(CommandStatusError));
        assert_eq!(serde_json::to_string(&CommandStatus::Done).unwrap(), "\"done\"");
    }
}
