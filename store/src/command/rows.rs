//! The statements behind commands. What comes in groups goes in one statement, however many there are.

use protocol::{BulkCommandId, CommandId, CommandReason, CommandStatus, DeviceId, OrganizationId, Timestamp};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::Command;
use crate::columns::{Rows, portions};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

macro_rules! select_commands {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization, device, name, args, signed, author, bulk, request, created_at, deadline, status,
                outbox_due, reason, detail, result, late_ack, sent_at, accepted_at, ended_at FROM commands ",
            $rest
        )
    };
}
pub(crate) use select_commands;

impl Tx {
    /// Those of some commands that there are, whatever their organization; kept from others until the end.
    pub(crate) async fn lock_commands(&mut self, ids: &[Uuid]) -> Result<Vec<Command>> {
        const SQLITE: &str = select_commands!("WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))");
        const POSTGRES: &str = select_commands!("WHERE id = ANY($1) ORDER BY id FOR UPDATE");
        let rows: Vec<CommandRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(hex_list(ids)).fetch_all(&mut **tx).await?,
            Self::Postgres(tx) => sqlx::query_as(POSTGRES).bind(ids).fetch_all(&mut **tx).await?,
        };
        rows.into_iter().map(CommandRow::read).collect()
    }

    /// What is due and waits for a device, or was sent to it and not answered, with how far it is; the oldest first.
    pub(crate) async fn waiting_commands(
        &mut self,
        device: DeviceId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(CommandId, CommandStatus)>> {
        const SQL: &str = "SELECT id, status FROM commands
            WHERE device = $1 AND ended_at IS NULL AND (outbox_due IS NULL OR outbox_due <= $2)
                AND status IN ('queued', 'sent') AND deadline > $2 ORDER BY id LIMIT $3";
        let rows: Vec<(Uuid, String)> = within!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(now.0)
            .bind(limit as i64)
            .fetch_all(db)
            .await?);
        let read = |(id, status): (Uuid, String)| match status.parse() {
            Ok(status) => Ok((CommandId::from_uuid(id), status)),
            Err(_) => Err(StoreError::Corrupt("status of a command")),
        };
        rows.into_iter().map(read).collect()
    }

    /// What is not at its end and whose deadline was before `now`, the earliest first.
    pub(crate) async fn lock_overdue_commands(&mut self, now: Timestamp, limit: i64) -> Result<Vec<Command>> {
        const SQLITE: &str =
            select_commands!("WHERE ended_at IS NULL AND deadline <= $1 ORDER BY deadline LIMIT $2");
        const POSTGRES: &str = select_commands!(
            "WHERE ended_at IS NULL AND deadline <= $1 ORDER BY deadline LIMIT $2 FOR UPDATE"
        );
        let rows: Vec<CommandRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(now.0).bind(limit).fetch_all(&mut **tx).await?,
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(now.0).bind(limit).fetch_all(&mut **tx).await?
            }
        };
        rows.into_iter().map(CommandRow::read).collect()
    }

    pub(crate) async fn insert_commands(&mut self, commands: &[&Command]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO commands
                (id, organization, device, name, args, signed, author, bulk, created_at, deadline, status, outbox_due,
                request)
            SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3,
                CAST(unhex(value ->> 4) AS TEXT), CAST(unhex(value ->> 5) AS TEXT), value ->> 6, unhex(value ->> 7),
                value ->> 8, value ->> 9, 'queued', value ->> 10, value ->> 11
            FROM json_each($1)";
        const POSTGRES: &str = "INSERT INTO commands
                (id, organization, device, name, args, signed, author, bulk, created_at, deadline, status, outbox_due,
                request)
            SELECT row.id, row.organization, row.device, row.name, row.args::JSONB, row.signed, row.author, row.bulk,
                row.created_at, row.deadline, 'queued', row.outbox_due, row.request
            FROM UNNEST($1::UUID[], $2::UUID[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[],
                $8::UUID[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::TEXT[])
                AS row (id, organization, device, name, args, signed, author, bulk, created_at, deadline, outbox_due,
                    request)";
        for commands in portions(commands, |command| command.args.to_string().len()) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for command in commands {
                        rows.push(|row| {
                            row.uuid(command.id.as_uuid()).uuid(command.organization.as_uuid());
                            row.uuid(command.device.as_uuid()).word(&command.name);
                            row.bytes(command.args.to_string().as_bytes());
                            row.optional_bytes(command.signed.as_deref().map(str::as_bytes));
                            row.word(&command.author.to_string());
                            row.optional_bytes(command.bulk.map(|bulk| bulk.as_uuid()).as_ref().map(bytes));
                            row.number(command.created_at.0).number(command.deadline.0);
                            row.optional(command.outbox_due.map(|at| at.0));
                            row.optional_word(command.request.as_deref());
                        });
                    }
                    let query = sqlx::query(SQLITE).bind(rows.finish());
                    query.execute(&mut **tx).await.map_err(StoreError::unique("bulk"))?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(column(commands, |command| command.id.as_uuid()));
                    let query = query.bind(column(commands, |command| command.organization.as_uuid()));
                    let query = query.bind(column(commands, |command| command.device.as_uuid()));
                    let query = query.bind(column(commands, |command| command.name.clone()));
                    let query = query.bind(column(commands, |command| command.args.to_string()));
                    let query = query.bind(column(commands, |command| command.signed.clone()));
                    let query = query.bind(column(commands, |command| command.author.to_string()));
                    let query =
                        query.bind(column(commands, |command| command.bulk.map(|bulk| bulk.as_uuid())));
                    let query = query.bind(column(commands, |command| command.created_at.0));
                    let query = query.bind(column(commands, |command| command.deadline.0));
                    let query = query.bind(column(commands, |command| command.outbox_due.map(|at| at.0)));
                    let query = query.bind(column(commands, |command| command.request.clone()));
                    query.execute(&mut **tx).await.map_err(StoreError::unique("bulk"))?;
                }
            }
        }
        Ok(())
    }

    /// Writes what changes of commands that are locked.
    pub(crate) async fn update_commands(&mut self, commands: &[&Command]) -> Result<()> {
        const SQLITE: &str = "UPDATE commands SET status = row.value ->> 1, outbox_due = row.value ->> 2,
                reason = row.value ->> 3, detail = CAST(unhex(row.value ->> 4) AS TEXT),
                result = CAST(unhex(row.value ->> 5) AS TEXT), late_ack = CAST(unhex(row.value ->> 6) AS TEXT),
                sent_at = row.value ->> 7, accepted_at = row.value ->> 8, ended_at = row.value ->> 9
            FROM json_each($1) AS row WHERE commands.id = unhex(row.value ->> 0)";
        const POSTGRES: &str = "UPDATE commands SET status = row.status, outbox_due = row.outbox_due,
                reason = row.reason, detail = row.detail, result = row.result::JSONB, late_ack = row.late_ack::JSONB,
                sent_at = row.sent_at, accepted_at = row.accepted_at, ended_at = row.ended_at
            FROM UNNEST($1::UUID[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[],
                $8::BIGINT[], $9::BIGINT[], $10::BIGINT[])
                AS row (id, status, outbox_due, reason, detail, result, late_ack, sent_at, accepted_at, ended_at)
            WHERE commands.id = row.id";
        let size = |json: &Option<Value>| json.as_ref().map_or(0, |json| json.to_string().len());
        for commands in portions(commands, |command| size(&command.result) + size(&command.late_ack)) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for command in commands {
                        rows.push(|row| {
                            row.uuid(command.id.as_uuid()).word(command.status.as_str());
                            row.optional(command.outbox_due.map(|at| at.0));
                            row.optional_word(command.reason.map(CommandReason::as_str));
                            row.optional_bytes(command.detail.as_deref().map(str::as_bytes));
                            row.optional_bytes(json(command.result.as_ref()).as_deref().map(str::as_bytes));
                            row.optional_bytes(json(command.late_ack.as_ref()).as_deref().map(str::as_bytes));
                            row.optional(command.sent_at.map(|at| at.0));
                            row.optional(command.accepted_at.map(|at| at.0));
                            row.optional(command.ended_at.map(|at| at.0));
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(column(commands, |command| command.id.as_uuid()));
                    let query = query.bind(column(commands, |command| command.status.as_str()));
                    let query = query.bind(column(commands, |command| command.outbox_due.map(|at| at.0)));
                    let query =
                        query.bind(column(commands, |command| command.reason.map(CommandReason::as_str)));
                    let query = query.bind(column(commands, |command| command.detail.clone()));
                    let query = query.bind(column(commands, |command| json(command.result.as_ref())));
                    let query = query.bind(column(commands, |command| json(command.late_ack.as_ref())));
                    let query = query.bind(column(commands, |command| command.sent_at.map(|at| at.0)));
                    let query = query.bind(column(commands, |command| command.accepted_at.map(|at| at.0)));
                    let query = query.bind(column(commands, |command| command.ended_at.map(|at| at.0)));
                    query.execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    /// What waits for a device that is being deleted comes to its end; answers with it.
    pub(crate) async fn end_commands_of(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Vec<Command>> {
        const SQL: &str =
            "UPDATE commands SET status = 'cancelled', reason = 'device_deleted', outbox_due = NULL,
            ended_at = $3 WHERE device = $1 AND organization = $2 AND ended_at IS NULL";
        const OPEN: &str =
            select_commands!("WHERE device = $1 AND organization = $2 AND ended_at IS NULL ORDER BY id");
        let open: Vec<CommandRow> = within!(self, |db| sqlx::query_as(OPEN)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        within!(self, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        let ended = |row: CommandRow| {
            let mut command = row.read()?;
            command.end(CommandStatus::Cancelled, Some(CommandReason::DeviceDeleted), now);
            Ok(command)
        };
        open.into_iter().map(ended).collect()
    }
}

pub(crate) fn json(value: Option<&Value>) -> Option<String> {
    value.map(ToString::to_string)
}

pub(crate) fn column<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// Ids as a list that `SQLite` unfolds.
pub(crate) fn hex_list(ids: &[Uuid]) -> String {
    let mut rows = Rows::new();
    for id in ids {
        rows.push(|row| {
            row.uuid(*id);
        });
    }
    rows.finish()
}

fn bytes(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

#[derive(FromRow)]
pub(crate) struct CommandRow {
    id: Uuid,
    organization: Uuid,
    device: Uuid,
    name: String,
    args: Json<Value>,
    signed: Option<String>,
    author: String,
    bulk: Option<Uuid>,
    request: Option<String>,
    created_at: i64,
    deadline: i64,
    status: String,
    outbox_due: Option<i64>,
    reason: Option<String>,
    detail: Option<String>,
    result: Option<Json<Value>>,
    late_ack: Option<Json<Value>>,
    sent_at: Option<i64>,
    accepted_at: Option<i64>,
    ended_at: Option<i64>,
}

impl CommandRow {
    pub(crate) fn read(self) -> Result<Command> {
        let reason = self.reason.as_deref().map(str::parse).transpose();
        Ok(Command {
            id: CommandId::from_uuid(self.id),
            organization: OrganizationId::from_uuid(self.organization),
            device: DeviceId::from_uuid(self.device),
            name: self.name,
            args: self.args.0,
            signed: self.signed,
            author: self.author.parse()?,
            bulk: self.bulk.map(BulkCommandId::from_uuid),
            request: self.request,
            created_at: Timestamp(self.created_at),
            deadline: Timestamp(self.deadline),
            status: self.status.parse().map_err(|_| StoreError::Corrupt("status of a command"))?,
            reason: reason.map_err(|_| StoreError::Corrupt("reason of a command"))?,
            detail: self.detail,
            result: self.result.map(|Json(result)| result),
            late_ack: self.late_ack.map(|Json(ack)| ack),
            outbox_due: self.outbox_due.map(Timestamp),
            sent_at: self.sent_at.map(Timestamp),
            accepted_at: self.accepted_at.map(Timestamp),
            ended_at: self.ended_at.map(Timestamp),
        })
    }
}
