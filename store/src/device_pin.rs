//! PINs of devices that assistants have to ask for. What is stored is made of a PIN by whoever checks it, and is none.

use protocol::{DeviceId, OrganizationId, Timestamp};
use sqlx::FromRow;

use crate::engine::{Store, Tx};
use crate::error::Result;

/// Wrong tries before a device takes no PIN for a while.
pub const PIN_TRIES: i64 = 5;

/// For how long it takes none then.
pub const PIN_LOCKED_MS: i64 = 15 * 60_000;

/// What may be done with a PIN that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinTry {
    /// The device has none.
    NoPin,
    /// Wrong ones were said too often; none counts until then.
    Locked(Timestamp),
    /// It may be compared. The try is counted as a wrong one until [`Store::pin_was_right`].
    Counted {
        /// With this.
        pin: Vec<u8>,
        /// Whether it is the last: if it is wrong, the device takes none for a while.
        is_last: bool,
    },
}

impl Store {
    /// Gives a device a PIN, or takes it away; what was counted is forgotten. Whether it had one before.
    pub async fn set_device_pin(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        pin: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM device_pins WHERE device = $1 AND organization = $2";
        const INSERT: &str = "INSERT INTO device_pins (device, organization, pin, failures, changed_at)
            VALUES ($1, $2, $3, 0, $4)";
        let mut tx = self.change(organization).await?;
        tx.device(organization, device).await?;
        let before = within!(&mut tx, |db| sqlx::query(DELETE)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        if let Some(pin) = pin {
            within!(&mut tx, |db| sqlx::query(INSERT)
                .bind(device.as_uuid())
                .bind(organization.as_uuid())
                .bind(pin)
                .bind(now.0)
                .execute(db)
                .await
                .map(drop))?;
        }
        tx.commit().await?;
        Ok(before > 0)
    }

    /// Whether a device has a PIN.
    pub async fn has_device_pin(&self, organization: OrganizationId, device: DeviceId) -> Result<bool> {
        const SQL: &str = "SELECT count(*) FROM device_pins WHERE device = $1 AND organization = $2";
        let pins: i64 = on!(self, |db| sqlx::query_scalar(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        Ok(pins > 0)
    }

    /// Counts a try of a PIN before it is compared, so that many at once are no more than as many in a row.
    pub async fn try_device_pin(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<PinTry> {
        const COUNT: &str = "UPDATE device_pins SET failures = $3, locked_until = $4
            WHERE device = $1 AND organization = $2";
        let mut tx = self.begin().await?;
        let Some(row) = tx.lock_pin(organization, device).await? else { return Ok(PinTry::NoPin) };
        if let Some(until) = row.locked_until.map(Timestamp).filter(|until| *until > now) {
            return Ok(PinTry::Locked(until));
        }
        let failures = row.failures + 1;
        let is_last = failures >= PIN_TRIES;
        within!(&mut tx, |db| sqlx::query(COUNT)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(if is_last { 0 } else { failures })
            .bind(is_last.then(|| now.plus(PIN_LOCKED_MS).0))
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(PinTry::Counted { pin: row.pin, is_last })
    }

    /// Forgets what was counted.
    pub async fn pin_was_right(&self, organization: OrganizationId, device: DeviceId) -> Result<()> {
        const SQL: &str = "UPDATE device_pins SET failures = 0, locked_until = NULL
            WHERE device = $1 AND organization = $2";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }
}

impl Tx {
    async fn lock_pin(&mut self, organization: OrganizationId, device: DeviceId) -> Result<Option<PinRow>> {
        const SQLITE: &str = "SELECT pin, failures, locked_until FROM device_pins
            WHERE device = $1 AND organization = $2";
        const POSTGRES: &str = "SELECT pin, failures, locked_until FROM device_pins
            WHERE device = $1 AND organization = $2 FOR UPDATE";
        let (device, organization) = (device.as_uuid(), organization.as_uuid());
        Ok(match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE).bind(device).bind(organization).fetch_optional(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(device).bind(organization).fetch_optional(&mut **tx).await?
            }
        })
    }
}

#[derive(FromRow)]
struct PinRow {
    pin: Vec<u8>,
    failures: i64,
    locked_until: Option<i64>,
}
