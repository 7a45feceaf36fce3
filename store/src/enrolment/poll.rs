//! A device that asks whether it may come in, and fetches its credentials.

use protocol::{DeviceId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::EnrolmentStatus;
use crate::certificate::NewCertificate;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::polling::pace;
use crate::secret::{Purpose, Secret};

/// What a device hears when it polls (RFC 8628 section 3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolmentPoll {
    /// Nobody has said anything.
    Pending,
    /// As `Pending`, but it polled too soon and has to wait five seconds longer from now on.
    SlowDown,
    /// Somebody refused.
    Denied,
    /// Nobody said anything in time, or it did not fetch its credentials in time.
    Expired,
    /// It may fetch its credentials.
    Approved(Collectable),
    /// There is no such code, or its credentials were fetched before.
    Unknown,
}

/// A device that may fetch its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collectable {
    /// What it became.
    pub device: DeviceId,
    /// Where.
    pub organization: OrganizationId,
    /// The request to sign, as PEM; with none it gets a secret.
    pub csr: Option<String>,
}

impl Store {
    /// Answers a device that polls. Its credentials are made when they are fetched, so that none are left behind by a device that
    /// was switched off.
    pub async fn poll_enrolment(&self, presented: &str, now: Timestamp) -> Result<EnrolmentPoll> {
        let Some(hash) = self.hashed(Purpose::Enrolment, presented) else {
            return Ok(EnrolmentPoll::Unknown);
        };
        let mut tx = self.begin().await?;
        let Some(row) = tx.lock_enrolment(&hash).await? else { return Ok(EnrolmentPoll::Unknown) };
        let poll = match row.status.parse().map_err(|_| StoreError::Corrupt("enrolment"))? {
            EnrolmentStatus::Used => EnrolmentPoll::Unknown,
            EnrolmentStatus::Denied => EnrolmentPoll::Denied,
            _ if row.expires_at <= now.0 => EnrolmentPoll::Expired,
            EnrolmentStatus::Pending => {
                let (is_hasty, interval_s) = pace(row.polled_at, row.interval_s, now);
                tx.note_enrolment_poll(&hash, interval_s, now).await?;
                if is_hasty { EnrolmentPoll::SlowDown } else { EnrolmentPoll::Pending }
            }
            EnrolmentStatus::Approved => EnrolmentPoll::Approved(row.collectable()?),
        };
        tx.commit().await?;
        Ok(poll)
    }

    /// Makes the secret of a device that was let in, once: none when it was fetched before, is over, or the device is gone.
    pub async fn collect_secret(
        &self,
        presented: &str,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Option<(DeviceId, Secret)>> {
        let (secret, hash) = self.mint(Purpose::Device)?;
        let mut tx = self.change(organization).await?;
        let Some(device) = tx.collect(self, presented, organization, now).await? else { return Ok(None) };
        tx.set_secret(organization, device, &hash).await?;
        tx.commit().await?;
        Ok(Some((device, secret)))
    }

    /// Keeps the certificate of a device that was let in, once: none when one was fetched before, it is over, or the device is
    /// gone.
    pub async fn collect_certificate(
        &self,
        presented: &str,
        organization: OrganizationId,
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<Option<DeviceId>> {
        let mut tx = self.change(organization).await?;
        let Some(device) = tx.collect(self, presented, organization, now).await? else { return Ok(None) };
        tx.insert_certificate(organization, device, new, now).await?;
        tx.commit().await?;
        Ok(Some(device))
    }
}

impl Tx {
    async fn lock_enrolment(&mut self, hash: &[u8; 32]) -> Result<Option<PolledRow>> {
        const SQLITE: &str = "SELECT organization, csr, expires_at, interval_s, polled_at, status, device
            FROM enrolments WHERE hash = $1";
        const POSTGRES: &str = "SELECT organization, csr, expires_at, interval_s, polled_at, status, device
            FROM enrolments WHERE hash = $1 FOR UPDATE";
        let hash = hash.as_slice();
        Ok(match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(hash).fetch_optional(&mut **tx).await?,
            Self::Postgres(tx) => sqlx::query_as(POSTGRES).bind(hash).fetch_optional(&mut **tx).await?,
        })
    }

    async fn note_enrolment_poll(&mut self, hash: &[u8; 32], interval_s: i64, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE enrolments SET polled_at = $2, interval_s = $3 WHERE hash = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(now.0)
            .bind(interval_s)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Ends a request whose device fetches its credentials; gives the device, unless somebody was faster or it is gone.
    async fn collect(
        &mut self,
        store: &Store,
        presented: &str,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Option<DeviceId>> {
        // What was to be signed is not needed any more.
        const SQL: &str = "UPDATE enrolments SET status = 'used', csr = NULL
            WHERE hash = $1 AND organization = $2 AND status = 'approved' AND expires_at > $3
            RETURNING device";
        let Some(hash) = store.hashed(Purpose::Enrolment, presented) else { return Ok(None) };
        let device: Option<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(hash.as_slice())
            .bind(organization.as_uuid())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        let Some(device) = device.map(DeviceId::from_uuid) else { return Ok(None) };
        match self.touch_device(organization, device, now).await {
            Ok(()) => Ok(Some(device)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[derive(FromRow)]
struct PolledRow {
    organization: Option<Uuid>,
    csr: Option<String>,
    expires_at: i64,
    interval_s: i64,
    polled_at: Option<i64>,
    status: String,
    device: Option<Uuid>,
}

impl PolledRow {
    fn collectable(self) -> Result<Collectable> {
        let (organization, device) =
            self.organization.zip(self.device).ok_or(StoreError::Corrupt("enrolment"))?;
        Ok(Collectable {
            device: DeviceId::from_uuid(device),
            organization: OrganizationId::from_uuid(organization),
            csr: self.csr,
        })
    }
}
