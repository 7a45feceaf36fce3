//! One order to many devices.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{BulkCommandId, CommandStatus, DeviceId, OrganizationId, Timestamp};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Author, check_args, check_name, check_request};
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::random;

/// One order to many devices, and how far it got with them.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkCommand {
    /// Its id.
    pub id: BulkCommandId,
    /// Whose devices it is for.
    pub organization: OrganizationId,
    /// See [`Command::name`](crate::Command::name).
    pub name: String,
    /// See [`Command::args`](crate::Command::args).
    pub args: Value,
    /// Who ordered it.
    pub author: Author,
    /// How many devices it was for.
    pub total: u64,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// How many of its commands are how far. Fewer than `total` in all where ordering was cut short, or older ones were
    /// forgotten.
    pub statuses: BTreeMap<CommandStatus, u64>,
}

/// An order to many devices, before the commands of each.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBulkCommand {
    /// See [`BulkCommand::name`].
    pub name: String,
    /// See [`BulkCommand::args`].
    pub args: Value,
    /// See [`BulkCommand::author`].
    pub author: Author,
    /// See [`BulkCommand::total`].
    pub total: u64,
    /// See [`NewCommand::request`](crate::NewCommand::request).
    pub request: Option<String>,
}

impl Store {
    /// Begins an order to many devices; the commands are given one by one, with its id.
    pub async fn create_bulk_command(
        &self,
        organization: OrganizationId,
        new: &NewBulkCommand,
        now: Timestamp,
    ) -> Result<BulkCommandId> {
        const SQL: &str =
            "INSERT INTO bulk_commands (id, organization, name, args, author, total, created_at, request)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        check_name(&new.name)?;
        check_args(&new.args)?;
        check_request(new.request.as_deref())?;
        let id = BulkCommandId::new(now, random::bytes()?);
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(&new.name)
            .bind(Json(&new.args))
            .bind(new.author.to_string())
            .bind(new.total as i64)
            .bind(now.0)
            .bind(new.request.as_deref())
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(id)
    }

    /// The order to many devices that came from that request since then, if one did, and the devices that have its command.
    pub async fn bulk_command_of_request(
        &self,
        organization: OrganizationId,
        request: &str,
        since: Timestamp,
    ) -> Result<Option<(BulkCommandId, BTreeSet<DeviceId>)>> {
        const SQL: &str =
            "SELECT id FROM bulk_commands WHERE request = $1 AND organization = $2 AND created_at >= $3";
        const DEVICES: &str = "SELECT device FROM commands WHERE bulk = $1";
        let mut tx = self.snapshot().await?;
        let id: Option<Uuid> = within!(&mut tx, |db| sqlx::query_scalar(SQL)
            .bind(request)
            .bind(organization.as_uuid())
            .bind(since.0)
            .fetch_optional(db)
            .await?);
        let Some(id) = id else { return Ok(None) };
        let devices: Vec<Uuid> =
            within!(&mut tx, |db| sqlx::query_scalar(DEVICES).bind(id).fetch_all(db).await?);
        let devices = devices.into_iter().map(DeviceId::from_uuid).collect();
        Ok(Some((BulkCommandId::from_uuid(id), devices)))
    }

    /// One order to many devices, with how far it got.
    pub async fn bulk_command(&self, organization: OrganizationId, id: BulkCommandId) -> Result<BulkCommand> {
        const SQL: &str = "SELECT name, args, author, total, created_at FROM bulk_commands
            WHERE id = $1 AND organization = $2";
        const STATUSES: &str = "SELECT status, count(*) FROM commands WHERE bulk = $1 GROUP BY status";
        let mut tx = self.snapshot().await?;
        let row: Option<BulkRow> = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let row = row.ok_or(StoreError::NotFound)?;
        let statuses: Vec<(String, i64)> =
            within!(&mut tx, |db| sqlx::query_as(STATUSES).bind(id.as_uuid()).fetch_all(db).await?);
        let read = |(status, count): (String, i64)| match status.parse() {
            Ok(status) => Ok((status, count as u64)),
            Err(_) => Err(StoreError::Corrupt("status of a command")),
        };
        Ok(BulkCommand {
            id,
            organization,
            name: row.name,
            args: row.args.0,
            author: row.author.parse()?,
            total: row.total as u64,
            created_at: Timestamp(row.created_at),
            statuses: statuses.into_iter().map(read).collect::<Result<_>>()?,
        })
    }
}

#[derive(FromRow)]
struct BulkRow {
    name: String,
    args: Json<Value>,
    author: String,
    total: i64,
    created_at: i64,
}
