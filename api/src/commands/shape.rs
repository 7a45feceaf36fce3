//! What a command looks like from outside.

use protocol::{BulkCommandId, CommandId, CommandReason, CommandStatus, DeviceId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::instant::Instant;

/// An order to one device, and how far it got.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Command {
    #[schema(value_type = String, format = "uuid")]
    id: CommandId,
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    #[schema(value_type = String, format = "uuid")]
    device: DeviceId,
    /// What to do.
    #[schema(example = "on_off.set")]
    name: String,
    /// With what.
    #[schema(value_type = Object, example = json!({"on": true}))]
    args: Value,
    /// `queued`, `sent`, `accepted`, `running`, then one of `done`, `failed`, `refused`, `expired` and `cancelled`.
    #[schema(value_type = String, example = "queued")]
    status: CommandStatus,
    /// Why it did not end well, a word of the list in `docs/commands.md`.
    #[schema(value_type = Option<String>, example = "out_of_range")]
    reason: Option<CommandReason>,
    /// The same in the device's own words.
    detail: Option<String>,
    /// What came out of it, as the device said it; null when nothing did.
    #[schema(value_type = Value)]
    result: Option<Value>,
    /// What the device said after the command had ended here; null when nothing.
    #[schema(value_type = Option<Object>)]
    late_ack: Option<Value>,
    /// Who ordered it: `key:`, `account:` or `client:` and an id.
    #[schema(example = "key:01890a5d-ac96-774b-bcce-b302099a8057")]
    author: String,
    /// The order to many devices that it is part of.
    #[schema(value_type = Option<String>, format = "uuid")]
    bulk: Option<BulkCommandId>,
    /// Whether its operator signed it. The server cannot check signatures; devices do.
    signed: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// Never begun after this.
    #[schema(value_type = String, format = DateTime)]
    deadline: Instant,
    /// When it was handed to the device's connection.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Instant>,
    /// When the device had it.
    #[schema(value_type = Option<String>, format = DateTime)]
    accepted_at: Option<Instant>,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Instant>,
}

/// A command to be given: `name` with `args` and `ttl_s`, or `signed` alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandToGive {
    /// What to do: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.` and `:`. Every device knows `identify`.
    #[schema(example = "on_off.set")]
    pub(super) name: Option<String>,
    /// With what: at most 16 KiB; `{}` unless given.
    #[schema(value_type = Option<Object>, example = json!({"on": true}))]
    pub(super) args: Option<Map<String, Value>>,
    /// For how many seconds it may wait before it is begun: 1 to 604,800; 300 unless given.
    pub(super) ttl_s: Option<u32>,
    /// The whole order as its operator signed it: a JWS in compact serialization, as `promenade sign` prints it.
    pub(super) signed: Option<String>,
}

impl Command {
    /// Whether nothing can follow.
    pub(super) fn has_ended(&self) -> bool {
        self.status.is_final()
    }

    /// Where it can be read.
    pub(super) fn location(&self) -> String {
        format!("/api/v1/commands/{}", self.id)
    }
}

impl From<store::Command> for Command {
    fn from(command: store::Command) -> Command {
        Command {
            id: command.id,
            organization: command.organization,
            device: command.device,
            name: command.name,
            args: command.args,
            status: command.status,
            reason: command.reason,
            detail: command.detail,
            result: command.result,
            late_ack: command.late_ack,
            author: command.author.to_string(),
            bulk: command.bulk,
            signed: command.signed.is_some(),
            created_at: command.created_at.into(),
            deadline: command.deadline.into(),
            sent_at: command.sent_at.map(Instant),
            accepted_at: command.accepted_at.map(Instant),
            ended_at: command.ended_at.map(Instant),
        }
    }
}
