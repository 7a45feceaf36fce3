//! The loss ledger: what was refused of which device, so that exactly that can be sent again.

mod rows;

use protocol::{Boot, DeviceId, OrganizationId, Reason, Timestamp};
use uuid::Uuid;

use crate::engine::Store;
use crate::error::Result;
use crate::page::{Listed, Page};

use rows::LossRow;

/// A run of batches of one boot that were refused for one cause. Written with [`crate::Append`].
///
/// Where no number could be read there is neither boot nor range: such a loss counts the batches of one hour of the
/// server's clock, the hour of `first_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The device's organization.
    pub organization: OrganizationId,
    /// The reporter.
    pub device: DeviceId,
    /// Its boot; none where no number could be read.
    pub boot: Option<Boot>,
    /// Why.
    pub cause: Reason,
    /// The first number; 0 without a boot.
    pub from: u64,
    /// The last number, which may grow; 0 without a boot.
    pub to: u64,
    /// How many batches were refused.
    pub batches: u64,
    /// How many of them were accepted later.
    pub recovered: u64,
    /// When the first of them was refused; what is stored first stays.
    pub first_at: Timestamp,
    /// When the last of them was.
    pub last_at: Timestamp,
}

const HOUR_MS: i64 = 3_600_000;

/// Losses of one boot that are looked through for open ones: more than a device has that is not broken.
const LOOKED_THROUGH: i64 = 1_000;

impl Loss {
    /// Whether some of its batches may still come again, unchanged and under the same numbers, and be counted as recovered.
    /// Those over the limit of batches are not remembered one by one, so nobody could tell that they came.
    pub fn is_open(&self) -> bool {
        let is_remembered = self.cause.is_remembered();
        self.boot.is_some() && self.cause.is_retryable() && is_remembered && self.recovered < self.batches
    }

    /// The boot and the number that tell it from the other losses of its device and cause.
    fn key(&self) -> (&str, i64) {
        match &self.boot {
            Some(boot) => (boot.as_str(), self.from as i64),
            None => ("", self.first_at.0.div_euclid(HOUR_MS)),
        }
    }
}

impl Store {
    /// The losses of a device, the one that began last first.
    pub async fn losses(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        page: Page,
    ) -> Result<Listed<Loss>> {
        const SQL: &str = rows::select_losses!(
            "WHERE device = $1 AND organization = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
        );
        let rows: Vec<LossRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let Listed { items, next } = Listed::cut(rows, page, LossRow::id);
        Ok(Listed { items: items.into_iter().map(Loss::try_from).collect::<Result<_>>()?, next })
    }

    /// The losses of a boot that may still change, by number from the last on: the last of each cause, which may grow, and
    /// those whose batches may still come again. Without a boot, the last hour of each cause.
    pub async fn open_losses(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        boot: Option<Boot>,
    ) -> Result<Vec<Loss>> {
        const SQL: &str = rows::select_losses!(
            "WHERE device = $1 AND boot = $2 AND organization = $3 ORDER BY from_seq DESC, cause LIMIT $4"
        );
        let rows: Vec<LossRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(boot.as_ref().map_or("", Boot::as_str))
            .bind(organization.as_uuid())
            .bind(LOOKED_THROUGH)
            .fetch_all(db)
            .await?);
        let mut seen = Vec::new();
        let mut open = Vec::new();
        for row in rows {
            let loss = Loss::try_from(row)?;
            let is_last = !seen.contains(&loss.cause);
            if is_last {
                seen.push(loss.cause);
            }
            if is_last || loss.is_open() {
                open.push(loss);
            }
        }
        Ok(open)
    }

    /// Deletes losses of the whole installation whose last batch was refused before `before`, at most `limit` at a call.
    /// Gives how many were deleted: 0 when nothing is left to delete.
    pub async fn forget_losses(&self, before: Timestamp, limit: u32) -> Result<u64> {
        const OLD: &str = "SELECT device, id FROM losses WHERE last_at < $1 LIMIT $2";
        // Finding them reads the whole table, and that must not keep the writer.
        let old: Vec<(Uuid, Uuid)> =
            on!(self, |db| sqlx::query_as(OLD).bind(before.0).bind(i64::from(limit)).fetch_all(db).await?);
        if old.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let deleted = tx.delete_losses(&old, before).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
