//! Commands: orders to devices, how far they got, and the outbox that the broker empties.

mod author;
mod bulk;
pub(crate) mod rows;

use protocol::{
    BulkCommandId, CommandId, CommandReason, CommandStatus, DeviceId, MAX_ARGS_BYTES, MAX_COMMAND_NAME,
    OrganizationId, Timestamp,
};
use serde_json::Value;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::text;

pub use author::Author;
pub use bulk::{BULK_REFUSALS, BulkCommand, BulkRefusal, NewBulkCommand};

use rows::{CommandRow, select_commands};

/// An order to one device, and how far it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Whose device it is for.
    pub organization: OrganizationId,
    /// Which.
    pub device: DeviceId,
    /// What to do, as `on_off.set`.
    pub name: String,
    /// With what.
    pub args: Value,
    /// The same as its operator signed it: a JWS over a [`protocol::SignedOrder`].
    pub signed: Option<String>,
    /// Who ordered it.
    pub author: Author,
    /// The order to many devices that it is part of.
    pub bulk: Option<BulkCommandId>,
    /// A word for the request that it came from, by which a repeat of that request finds it.
    pub request: Option<String>,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// Never begun after this.
    pub deadline: Timestamp,
    /// How far it got.
    pub status: CommandStatus,
    /// Why it did not end well.
    pub reason: Option<CommandReason>,
    /// The same in the device's words.
    pub detail: Option<String>,
    /// What came out of it.
    pub result: Option<Value>,
    /// What the device said after the command had ended here: the first such ack.
    pub late_ack: Option<Value>,
    /// From when on the broker looks at it; none when it has.
    pub outbox_due: Option<Timestamp>,
    /// When it was handed to the device's connection.
    pub sent_at: Option<Timestamp>,
    /// When the device had it.
    pub accepted_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// A command to be given; see [`Orders::give`](crate::Orders::give).
#[derive(Debug, Clone, PartialEq)]
pub struct NewCommand {
    /// Minted by whoever orders, who may wait for it: [`Orders::new_id`](crate::Orders::new_id).
    pub id: CommandId,
    /// See [`Command::organization`].
    pub organization: OrganizationId,
    /// See [`Command::device`].
    pub device: DeviceId,
    /// See [`Command::name`]: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.` and `:`.
    pub name: String,
    /// See [`Command::args`]: an object of at most 16 KiB.
    pub args: Value,
    /// See [`Command::signed`].
    pub signed: Option<String>,
    /// See [`Command::author`].
    pub author: Author,
    /// See [`Command::bulk`].
    pub bulk: Option<BulkCommandId>,
    /// See [`Command::request`]: 1 to 64 of `a-z` and `0-9`.
    pub request: Option<String>,
    /// Not sent before this.
    pub due_at: Timestamp,
    /// See [`Command::deadline`].
    pub deadline: Timestamp,
}

/// Which commands to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandFilter {
    /// Only those for this device.
    pub device: Option<DeviceId>,
    /// Only those of this order to many.
    pub bulk: Option<BulkCommandId>,
    /// Only those that are so far.
    pub status: Option<CommandStatus>,
}

impl Command {
    pub(crate) fn send(&mut self, now: Timestamp) {
        self.status = CommandStatus::Sent;
        self.sent_at = Some(now);
    }

    pub(crate) fn end(&mut self, status: CommandStatus, reason: Option<CommandReason>, now: Timestamp) {
        self.status = status;
        self.reason = reason;
        self.outbox_due = None;
        self.ended_at = Some(now);
    }
}

impl NewCommand {
    /// Whether it can be stored at all.
    pub(crate) fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        check_args(&self.args)?;
        text::check_optional("a signed order", self.signed.as_deref(), 2 * MAX_ARGS_BYTES)?;
        check_request(self.request.as_deref())?;
        if self.deadline <= self.due_at {
            return Err(StoreError::Invalid("the deadline is before the command would be sent".into()));
        }
        Ok(())
    }
}

/// Whether a command can be called that.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !protocol::command::is_name(name) {
        let rule = format!("a command is called by 1 to {MAX_COMMAND_NAME} of a-z, A-Z, 0-9, _, -, . and :");
        return Err(StoreError::Invalid(rule));
    }
    Ok(())
}

/// Whether a request can be told by that word.
pub(crate) fn check_request(request: Option<&str>) -> Result<()> {
    let is_word = |word: &str| {
        (1..=64).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if request.is_none_or(is_word) {
        return Ok(());
    }
    Err(StoreError::Invalid("a request is told by 1 to 64 of a-z and 0-9".into()))
}

/// Whether a command can have these arguments.
pub(crate) fn check_args(args: &Value) -> Result<()> {
    if !args.is_object() {
        return Err(StoreError::Invalid("args is an object".into()));
    }
    text::check_json(args)?;
    if args.to_string().len() > MAX_ARGS_BYTES {
        return Err(StoreError::Invalid(format!("args has at most {MAX_ARGS_BYTES} bytes as JSON")));
    }
    Ok(())
}

impl Store {
    /// One command.
    pub async fn command(&self, organization: OrganizationId, id: CommandId) -> Result<Command> {
        const SQL: &str = select_commands!("WHERE id = $1 AND organization = $2");
        let row: Option<CommandRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.ok_or(StoreError::NotFound)?.read()
    }

    /// The command that came from that request since then, if one did.
    pub async fn command_of_request(
        &self,
        organization: OrganizationId,
        request: &str,
        since: Timestamp,
    ) -> Result<Option<Command>> {
        const SQL: &str = select_commands!("WHERE request = $1 AND organization = $2 AND created_at >= $3");
        let row: Option<CommandRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(request)
            .bind(organization.as_uuid())
            .bind(since.0)
            .fetch_optional(db)
            .await?);
        row.map(CommandRow::read).transpose()
    }

    /// The commands of an organization, newest first.
    pub async fn commands(
        &self,
        organization: OrganizationId,
        filter: CommandFilter,
        page: Page,
    ) -> Result<Listed<Command>> {
        const ALL: &str =
            select_commands!("WHERE organization = $1 AND id < $2 AND $3 IS NULL ORDER BY id DESC LIMIT $4");
        // What is rare among many is found by an index of its own.
        const SO_FAR: &str =
            select_commands!("WHERE organization = $1 AND id < $2 AND status = $3 ORDER BY id DESC LIMIT $4");
        const OF_DEVICE: &str = select_commands!(
            "WHERE organization = $1 AND id < $2 AND ($3 IS NULL OR status = $3) AND device = $5
                ORDER BY id DESC LIMIT $4"
        );
        const OF_BULK: &str = select_commands!(
            "WHERE organization = $1 AND id < $2 AND ($3 IS NULL OR status = $3) AND bulk = $5
                ORDER BY id DESC LIMIT $4"
        );
        const OF_BOTH: &str = select_commands!(
            "WHERE organization = $1 AND id < $2 AND ($3 IS NULL OR status = $3) AND device = $5 AND bulk = $6
                ORDER BY id DESC LIMIT $4"
        );
        let device = filter.device.map(|device| device.as_uuid());
        let bulk = filter.bulk.map(|bulk| bulk.as_uuid());
        let (sql, more) = match (device, bulk) {
            (None, None) if filter.status.is_some() => (SO_FAR, vec![]),
            (None, None) => (ALL, vec![]),
            (Some(device), None) => (OF_DEVICE, vec![device]),
            (None, Some(bulk)) => (OF_BULK, vec![bulk]),
            (Some(device), Some(bulk)) => (OF_BOTH, vec![device, bulk]),
        };
        let rows: Vec<CommandRow> = on!(self, |db| {
            let query = sqlx::query_as(sql)
                .bind(organization.as_uuid())
                .bind(page.before())
                .bind(filter.status.map(CommandStatus::as_str))
                .bind(page.rows());
            more.into_iter().fold(query, sqlx::query::QueryAs::bind).fetch_all(db).await?
        });
        let commands = rows.into_iter().map(CommandRow::read).collect::<Result<Vec<_>>>()?;
        Ok(Listed::cut(commands, page, |command| command.id.as_uuid()))
    }

    /// Whether there is something that [`Orders::expire`](crate::Orders::expire) would look at.
    pub async fn has_overdue_commands(&self, now: Timestamp) -> Result<bool> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM commands WHERE ended_at IS NULL AND deadline <= $1)";
        Ok(on!(self, |db| sqlx::query_scalar(SQL).bind(now.0).fetch_one(db).await?))
    }

    /// What the broker has to look at by `now`, what is due longest first.
    pub async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<Command>> {
        const SQL: &str = select_commands!("WHERE outbox_due <= $1 ORDER BY outbox_due, id LIMIT $2");
        let rows: Vec<CommandRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(now.0).bind(i64::from(limit)).fetch_all(db).await?);
        rows.into_iter().map(CommandRow::read).collect()
    }
}
