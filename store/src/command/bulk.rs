//! One order to many devices.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{BulkCommandId, CommandStatus, DeviceId, OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Author, check_args, check_name, check_request};
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
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
    /// How many devices could not take it.
    pub refused_count: u64,
    /// Which and why: the first [`BULK_REFUSALS`].
    pub refused: Vec<BulkRefusal>,
    /// How many of its commands are how far. Fewer than `total` less those that refused where ordering was cut short, or older
    /// ones were forgotten. Empty in lists.
    pub statuses: BTreeMap<CommandStatus, u64>,
}

/// A device that could not take an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRefusal {
    /// Which.
    pub device: DeviceId,
    /// Why, in words.
    pub detail: String,
}

/// Refusals of one order to many that are kept; the rest is counted.
pub const BULK_REFUSALS: usize = 100;

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

macro_rules! select_bulks {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, args, author, total, refused_count, refused, created_at FROM bulk_commands ",
            $rest
        )
    };
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
        const SQL: &str = select_bulks!("WHERE id = $1 AND organization = $2");
        const STATUSES: &str = "SELECT status, count(*) FROM commands WHERE bulk = $1 GROUP BY status";
        let mut tx = self.snapshot().await?;
        let row: Option<BulkRow> = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let bulk = row.ok_or(StoreError::NotFound)?.read(organization)?;
        let statuses: Vec<(String, i64)> =
            within!(&mut tx, |db| sqlx::query_as(STATUSES).bind(id.as_uuid()).fetch_all(db).await?);
        let read = |(status, count): (String, i64)| match status.parse() {
            Ok(status) => Ok((status, count as u64)),
            Err(_) => Err(StoreError::Corrupt("status of a command")),
        };
        Ok(BulkCommand { statuses: statuses.into_iter().map(read).collect::<Result<_>>()?, ..bulk })
    }

    /// The orders to many devices, newest first; how far each got is not counted.
    pub async fn bulk_commands(
        &self,
        organization: OrganizationId,
        page: Page,
    ) -> Result<Listed<BulkCommand>> {
        const SQL: &str = select_bulks!("WHERE organization = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows: Vec<BulkRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let bulks = rows.into_iter().map(|row| row.read(organization)).collect::<Result<_>>()?;
        Ok(Listed::cut(bulks, page, |bulk| bulk.id.as_uuid()))
    }

    /// Notes who could not take an order to many devices: so many, of which the first are named.
    pub async fn note_bulk_refusals(
        &self,
        organization: OrganizationId,
        id: BulkCommandId,
        count: u64,
        first: &[BulkRefusal],
    ) -> Result<()> {
        const SQL: &str = "UPDATE bulk_commands SET refused_count = $3, refused = $4
            WHERE id = $1 AND organization = $2";
        let first: Vec<_> = first.iter().take(BULK_REFUSALS).collect();
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(count as i64)
            .bind(Json(&first))
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }
}

#[derive(FromRow)]
struct BulkRow {
    id: Uuid,
    name: String,
    args: Json<Value>,
    author: String,
    total: i64,
    refused_count: i64,
    refused: Option<Json<Vec<BulkRefusal>>>,
    created_at: i64,
}

impl BulkRow {
    fn read(self, organization: OrganizationId) -> Result<BulkCommand> {
        Ok(BulkCommand {
            id: BulkCommandId::from_uuid(self.id),
            organization,
            name: self.name,
            args: self.args.0,
            author: self.author.parse()?,
            total: self.total as u64,
            refused_count: self.refused_count as u64,
            refused: self.refused.map(|Json(refused)| refused).unwrap_or_default(),
            created_at: Timestamp(self.created_at),
            statuses: BTreeMap::new(),
        })
    }
}
