//! Twins: what a device should be, what it says it is, and who changed which when.

pub(crate) mod rows;

use protocol::{DeviceId, OrganizationId, Timestamp, twin};
use serde_json::{Map, Value};

use crate::command::Author;
use crate::engine::Store;
use crate::error::Result;

use rows::{ChangeRow, TwinRow, select_twins};

/// What a device should be and says it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// Whose twin.
    pub device: DeviceId,
    /// Its organization.
    pub organization: OrganizationId,
    /// What it should be.
    pub desired: TwinSide,
    /// What it says it is.
    pub reported: TwinSide,
    /// The device has still to be told what it should be.
    pub(crate) desired_due: Option<Timestamp>,
}

/// One side of a twin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwinSide {
    /// Grows with every change; 0 before the first.
    pub version: u64,
    /// The whole of it.
    pub state: Map<String, Value>,
    /// When it changed last.
    pub changed_at: Option<Timestamp>,
}

words! {
    /// Which side of a twin.
    pub enum Side {
        /// What the device should be.
        Desired = "desired",
        /// What the device says it is.
        Reported = "reported",
    }
}

/// A change of one side of a twin.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinChange {
    /// Which side.
    pub side: Side,
    /// The version that it made.
    pub version: u64,
    /// The merge patch (RFC 7396).
    pub patch: Map<String, Value>,
    /// Who made it.
    pub author: Author,
    /// When.
    pub at: Timestamp,
}

/// How many changes of each side are kept.
pub(crate) const CHANGES_KEPT: u64 = 100;

impl Twin {
    /// A twin that nobody has said anything to.
    pub fn new(organization: OrganizationId, device: DeviceId) -> Self {
        let (desired, reported) = (TwinSide::default(), TwinSide::default());
        Self { device, organization, desired, reported, desired_due: None }
    }

    /// What the device is told: what it should be, and what of that is still to be done.
    pub fn to_device(&self) -> protocol::Desired {
        let delta = twin::delta(&self.reported.state, &self.desired.state);
        protocol::Desired {
            version: self.desired.version,
            state: self.desired.state.clone(),
            delta: Some(delta).filter(|delta| !delta.is_empty()),
        }
    }
}

impl Store {
    /// The twin of a device; one that nobody has said anything to is empty.
    pub async fn twin(&self, organization: OrganizationId, device: DeviceId) -> Result<Twin> {
        const SQL: &str = select_twins!("WHERE device = $1 AND organization = $2");
        let mut tx = self.snapshot().await?;
        tx.device(organization, device).await?;
        let row: Option<TwinRow> = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        Ok(row.map_or_else(|| Twin::new(organization, device), TwinRow::read))
    }

    /// The twins of some devices of an organization, of those that have one.
    pub async fn twins(&self, organization: OrganizationId, devices: &[DeviceId]) -> Result<Vec<Twin>> {
        let ids: Vec<_> = devices.iter().map(DeviceId::as_uuid).collect();
        let mut twins = self.snapshot().await?.twins(&ids).await?;
        twins.retain(|twin| twin.organization == organization);
        Ok(twins)
    }

    /// The twins whose desired state the broker has still to tell.
    pub async fn twins_due(&self, limit: u32) -> Result<Vec<Twin>> {
        const SQL: &str = select_twins!("WHERE desired_due IS NOT NULL ORDER BY desired_due LIMIT $1");
        let rows: Vec<TwinRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(db).await?);
        Ok(rows.into_iter().map(TwinRow::read).collect())
    }

    /// The changes of one side of a twin, newest first. Only those of versions below `before`, where that is given.
    pub async fn twin_changes(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        side: Side,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<TwinChange>> {
        const SQL: &str = "SELECT side, version, patch, author, at FROM twin_changes
            WHERE device = $1 AND side = $2 AND organization = $3 AND version < $4 ORDER BY version DESC LIMIT $5";
        let mut tx = self.snapshot().await?;
        tx.device(organization, device).await?;
        let rows: Vec<ChangeRow> = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(side.as_str())
            .bind(organization.as_uuid())
            .bind(before.map_or(i64::MAX, |version| version as i64))
            .bind(i64::from(limit))
            .fetch_all(db)
            .await?);
        rows.into_iter().map(ChangeRow::read).collect()
    }
}
