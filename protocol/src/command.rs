//! Orders to devices and what they answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CommandId, Timestamp};

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
}

/// Body of `v1/{device}/commands/{command}/ack`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// How far the device got.
    pub status: AckStatus,
    /// Why it failed or was refused, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
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
        let expected =
            Command { name: "identify".into(), args: no_args(), deadline: None, now: Timestamp(5) };
        assert_eq!(command, expected);
        assert_eq!(serde_json::to_string(&command).unwrap(), r#"{"name":"identify","args":{},"now":5}"#);
    }
}
