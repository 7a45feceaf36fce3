//! A device that asks whether it was allowed in.

use protocol::{AccountId, ClientId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::DeviceStatus;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::{Grant, NewGrant};
use crate::polling::pace;
use crate::secret::Purpose;

/// What a device hears when it polls (RFC 8628 section 3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DevicePoll {
    /// Nobody has said anything.
    Pending,
    /// As `Pending`, but it polled too soon and has to wait five seconds longer from now on.
    SlowDown,
    /// A person refused.
    Denied,
    /// Nobody said anything in time, or nobody polled in time.
    Expired,
    /// A person agreed, and this is the grant; it is given once.
    Redeemed(Grant),
    /// The client has no such code, or its grant was given before.
    Unknown,
}

impl Store {
    /// Answers a device that polls. The grant is made when it is redeemed, so that none is left behind by a device that was
    /// switched off.
    pub async fn poll_device_request(
        &self,
        client: ClientId,
        presented: &str,
        now: Timestamp,
    ) -> Result<DevicePoll> {
        let Some(hash) = self.hashed(Purpose::DeviceCode, presented) else { return Ok(DevicePoll::Unknown) };
        let mut tx = self.begin().await?;
        let Some(row) = tx.lock_device_request(client, &hash).await? else { return Ok(DevicePoll::Unknown) };
        let poll = match row.status()? {
            DeviceStatus::Used => DevicePoll::Unknown,
            DeviceStatus::Denied => DevicePoll::Denied,
            _ if row.expires_at <= now.0 => DevicePoll::Expired,
            DeviceStatus::Pending => {
                let (is_hasty, interval_s) = pace(row.polled_at, row.interval_s, now);
                tx.note_poll(&hash, interval_s, now).await?;
                if is_hasty { DevicePoll::SlowDown } else { DevicePoll::Pending }
            }
            DeviceStatus::Approved => match tx.insert_grant(row.organization(), &row.grant(), now).await {
                Ok(grant) => {
                    tx.redeem(&hash, &grant).await?;
                    DevicePoll::Redeemed(grant)
                }
                // The client was disabled meanwhile.
                Err(StoreError::NotFound) => DevicePoll::Denied,
                Err(error) => return Err(error),
            },
        };
        tx.commit().await?;
        Ok(poll)
    }
}

impl Tx {
    async fn lock_device_request(
        &mut self,
        client: ClientId,
        hash: &[u8; 32],
    ) -> Result<Option<DeviceCodeRow>> {
        const SQLITE: &str = "SELECT organization, client, scopes, resource, expires_at, interval_s, polled_at, account, status
            FROM device_codes WHERE hash = $1 AND client = $2";
        const POSTGRES: &str = "SELECT organization, client, scopes, resource, expires_at, interval_s, polled_at, account, status
            FROM device_codes WHERE hash = $1 AND client = $2 FOR UPDATE";
        let (hash, client) = (hash.as_slice(), client.as_uuid());
        Ok(match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE).bind(hash).bind(client).fetch_optional(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(hash).bind(client).fetch_optional(&mut **tx).await?
            }
        })
    }

    async fn note_poll(&mut self, hash: &[u8; 32], interval_s: i64, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE device_codes SET polled_at = $2, interval_s = $3 WHERE hash = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(now.0)
            .bind(interval_s)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    async fn redeem(&mut self, hash: &[u8; 32], grant: &Grant) -> Result<()> {
        const SQL: &str = "UPDATE device_codes SET status = $2, grant_id = $3 WHERE hash = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(DeviceStatus::Used.as_str())
            .bind(grant.id.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct DeviceCodeRow {
    organization: Uuid,
    client: Uuid,
    scopes: String,
    resource: Option<String>,
    expires_at: i64,
    interval_s: i64,
    polled_at: Option<i64>,
    account: Option<Uuid>,
    status: String,
}

impl DeviceCodeRow {
    fn organization(&self) -> OrganizationId {
        OrganizationId::from_uuid(self.organization)
    }

    fn status(&self) -> Result<DeviceStatus> {
        self.status.parse().map_err(|_| StoreError::Corrupt("status of a device code"))
    }

    fn grant(&self) -> NewGrant {
        NewGrant {
            client: ClientId::from_uuid(self.client),
            account: self.account.map(AccountId::from_uuid),
            scopes: self.scopes.clone(),
            resource: self.resource.clone(),
        }
    }
}
