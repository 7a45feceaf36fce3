//! Orders to devices and what they answer.

mod reason;
mod service;
mod signed;
mod status;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CommandId, Timestamp};

pub use reason::{CommandReason, CommandReasonError};
pub use service::ServiceOrder;
pub use signed::SignedOrder;
pub use status::{CommandStatus, CommandStatusError};

/// Characters of a command's name.
pub const MAX_COMMAND_NAME: usize = 64;

/// How long an order may wait for its device when nobody says, in seconds.
pub const DEFAULT_TTL_S: u32 = 300;

/// How long an order may wait at most, in seconds: a week.
pub const MAX_TTL_S: u32 = 604_800;

/// Bytes of a command's arguments as JSON, and of the result in an ack.
pub const MAX_ARGS_BYTES: usize = 16 * 1024;

/// Characters of an ack's text that are kept.
pub const MAX_DETAIL: usize = 500;

/// Body of `v1/{device}/commands/{command}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// What to do, as `display.show`; every device knows `identify`.
    pub name: String,
    /// With what; `{}` when absent.
    #[serde(default = "no_args")]
    pub args: Value,
    /// Never to be run after this time on the server's clock; absent if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The server's clock at sending, for devices whose own clock is not set.
    pub now: Timestamp,
    /// The same order as its operator signed it: a JWS over a [`SignedOrder`]. Devices told to require it run nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}

/// Body of `v1/{device}/commands/{command}/ack`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// How far the device got.
    pub status: AckStatus,
    /// Why it failed or was refused: a word of [`CommandReason`]; any other text is taken for [`Ack::detail`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in the device's own words; [`MAX_DETAIL`] characters are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What it changed: a merge patch of the reported state, as on `v1/{device}/twin/reported`, taken together with the ack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Map<String, Value>>,
}

impl Ack {
    /// An ack that says nothing but how far the device got.
    pub fn new(status: AckStatus) -> Self {
        Self { status, reason: None, detail: None, result: None, reported: None }
    }

    /// A final ack with its reason, and the device's own words.
    pub fn because(status: AckStatus, reason: CommandReason, detail: Option<String>) -> Self {
        Self { reason: Some(reason.as_str().to_owned()), detail, ..Self::new(status) }
    }

    /// The reason as a word of the closed list, and the device's words: what is no such word, or one that is the platform's, is
    /// the device's words. What did not end badly has no reason.
    pub fn cause(&self) -> (Option<CommandReason>, Option<String>) {
        let kept = |text: &String| text.chars().take(MAX_DETAIL).collect::<String>();
        let is_bad = matches!(self.status, AckStatus::Failed | AckStatus::Refused);
        let Some(said) = self.reason.as_ref().filter(|said| is_bad && !said.is_empty()) else {
            return (None, self.detail.as_ref().map(kept));
        };
        match said.parse::<CommandReason>() {
            Ok(reason) if reason.is_of_devices() => (Some(reason), self.detail.as_ref().map(kept)),
            Ok(_) | Err(CommandReasonError) => {
                (Some(CommandReason::Other), self.detail.as_ref().or(Some(said)).map(kept))
            }
        }
    }
}

/// Body of `v1/organizations/{organization}/devices/{device}/acks`: an ack and the command it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForwardedAck {
    /// Which command.
    pub command: CommandId,
    /// What the device said.
    #[serde(flatten)]
    pub ack: Ack,
}

/// How far a device got with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckStatus {
    /// It is in the device's journal and will be run once.
    Accepted,
    /// It is being run.
    Running,
    /// It was run.
    Done,
    /// It was run and did not work.
    Failed,
    /// It will not be run.
    Refused,
}

impl AckStatus {
    /// Every status, in the order of declaration.
    pub const ALL: &[Self] = &[Self::Accepted, Self::Running, Self::Done, Self::Failed, Self::Refused];

    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing can follow it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Refused)
    }
}

/// Whether a command can be called that: 1 to [`MAX_COMMAND_NAME`] of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.` and `:`.
pub fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    (1..=MAX_COMMAND_NAME).contains(&name.len()) && name.bytes().all(is_part)
}

/// How long an order may wait, in milliseconds; none where `ttl_s` is a time that no order may wait.
pub fn ttl_ms(ttl_s: Option<u32>) -> Option<i64> {
    let ttl_s = ttl_s.unwrap_or(DEFAULT_TTL_S);
    (1..=MAX_TTL_S).contains(&ttl_s).then_some(i64::from(ttl_s) * 1_000)
}

fn no_args() -> Value {
    Value::Object(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_words() {
        for &status in AckStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn args_and_deadline_may_be_absent() {
        let command: Command = serde_json::from_str(r#"{"name":"identify","now":5}"#).unwrap();
        let expected = Command {
            name: "identify".into(),
            args: no_args(),
            deadline: None,
            now: Timestamp(5),
            signed: None,
        };
        assert_eq!(command, expected);
        assert_eq!(serde_json::to_string(&command).unwrap(), r#"{"name":"identify","args":{},"now":5}"#);
    }

    #[test]
    fn a_reason_of_its_own_is_the_words_of_the_device() {
        let ack = |reason: Option<&str>, detail: Option<&str>| Ack {
            reason: reason.map(Into::into),
            detail: detail.map(Into::into),
            ..Ack::new(AckStatus::Failed)
        };
        let (long, cut) = ("x".repeat(600), "x".repeat(MAX_DETAIL));
        for (ack, reason, detail) in [
            (ack(None, None), None, None),
            (ack(Some("busy"), Some("updating")), Some(CommandReason::Busy), Some("updating")),
            (ack(Some("on fire"), None), Some(CommandReason::Other), Some("on fire")),
            (ack(Some("on fire"), Some("hot")), Some(CommandReason::Other), Some("hot")),
            (ack(Some(""), Some(&long)), None, Some(cut.as_str())),
        ] {
            assert_eq!(ack.cause(), (reason, detail.map(Into::into)), "{ack:?}");
        }
    }
}
