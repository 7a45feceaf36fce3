//! What an order to many devices looks like from outside.

use std::collections::BTreeMap;

use protocol::{BulkCommandId, CommandStatus, DeviceId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::instant::Instant;

/// An order to many devices, and how far it got.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkCommand {
    #[schema(value_type = String, format = "uuid")]
    id: BulkCommandId,
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    /// What to do.
    #[schema(example = "on_off.set")]
    name: String,
    /// With what.
    #[schema(value_type = Object, example = json!({"on": true}))]
    args: Value,
    /// Who ordered it: `key:`, `account:` or `client:` and an id.
    #[schema(example = "key:01890a5d-ac96-774b-bcce-b302099a8057")]
    author: String,
    /// How many devices it was for; those that could not take it have no command.
    total: u64,
    /// How many devices could not take it.
    refused_count: u64,
    /// Which and why: the first 100.
    refused: Vec<Refusal>,
    /// How many of its commands are how far, for every status of a command; together with `refused_count` they are `total`, once
    /// all are ordered and until the oldest are forgotten. `GET /commands?bulk=` lists them. Not in lists of orders.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Option<BTreeMap<String, u64>>, example = json!({"queued": 4, "done": 196}))]
    statuses: BTreeMap<&'static str, u64>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
}

/// A device that could not take an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    #[schema(value_type = String, format = "uuid")]
    device: DeviceId,
    /// Why, in words.
    detail: String,
}

/// A command to be given to many devices: `devices` or `filter` says to which.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkCommandToGive {
    /// What to do: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.` and `:`.
    #[schema(example = "on_off.set")]
    pub(super) name: String,
    /// With what: at most 16 KiB; `{}` unless given.
    #[schema(value_type = Option<Object>, example = json!({"on": true}))]
    pub(super) args: Option<Map<String, Value>>,
    /// For how many seconds each command may wait once it is due: 1 to 604,800; 300 unless given.
    pub(super) ttl_s: Option<u32>,
    /// 1 to 1,000 ids; who is named twice gets it once.
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) devices: Option<Vec<DeviceId>>,
    /// All devices that this means, as in `GET /devices?filter=`; at most 10,000 are looked at.
    #[schema(example = "kind = kiosk and connected = true")]
    pub(super) filter: Option<String>,
    /// How many commands become due in a second: 1 to 1,000; 50 unless given.
    pub(super) per_second: Option<u32>,
}

impl BulkCommand {
    /// Where it can be read.
    pub(super) fn location(&self) -> String {
        format!("/api/v1/bulk-commands/{}", self.id)
    }
}

impl BulkCommand {
    /// One of a list.
    pub(super) fn listed(bulk: store::BulkCommand) -> BulkCommand {
        let refusal = |store::BulkRefusal { device, detail }: store::BulkRefusal| Refusal { device, detail };
        BulkCommand {
            id: bulk.id,
            organization: bulk.organization,
            name: bulk.name,
            args: bulk.args,
            author: bulk.author.to_string(),
            total: bulk.total,
            refused_count: bulk.refused_count,
            refused: bulk.refused.into_iter().map(refusal).collect(),
            statuses: BTreeMap::new(),
            created_at: bulk.created_at.into(),
        }
    }
}

impl From<store::BulkCommand> for BulkCommand {
    fn from(bulk: store::BulkCommand) -> BulkCommand {
        let count = |status: &CommandStatus| {
            (status.as_str(), bulk.statuses.get(status).copied().unwrap_or_default())
        };
        let statuses = CommandStatus::ALL.iter().map(count).collect();
        BulkCommand { statuses, ..BulkCommand::listed(bulk) }
    }
}
