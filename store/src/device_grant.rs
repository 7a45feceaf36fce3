//! Devices without a keyboard that wait for a person to allow them in (RFC 8628).

mod poll;

use protocol::{AccountId, ClientId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::secret::{Purpose, Secret};
use crate::text;
use crate::typed::{TypedCode, TypedPurpose};

pub use poll::DevicePoll;

words! {
    /// How far a request is.
    pub(crate) enum DeviceStatus {
        /// Nobody has said anything.
        Pending = "pending",
        /// A person agreed.
        Approved = "approved",
        /// A person refused.
        Denied = "denied",
        /// The device has its grant.
        Used = "used",
    }
}

/// A request that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Who asks.
    pub client: ClientId,
    /// In which organization: the client's.
    pub organization: OrganizationId,
    /// What for: OAuth scopes with spaces between them.
    pub scopes: String,
    /// For which API (RFC 8707).
    pub resource: Option<String>,
    /// From when on it is over.
    pub expires_at: Timestamp,
}

/// The codes of a request: what the device polls with and what a person types.
#[derive(Debug, Clone)]
pub struct DeviceCodes {
    /// What the device polls with.
    pub device_code: Secret,
    /// What a person types.
    pub user_code: TypedCode,
}

impl Store {
    /// Makes a request; its codes are returned here and never again. The device may poll every `interval_s` seconds. Not
    /// found when the organization has no such client, or it is disabled.
    pub async fn begin_device_request(
        &self,
        request: &DeviceRequest,
        interval_s: u32,
        now: Timestamp,
    ) -> Result<DeviceCodes> {
        const SQL: &str = "INSERT INTO device_codes (hash, user_code_hash, organization, client, scopes, resource, created_at,
                expires_at, interval_s, status)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        text::check_optional("the scopes of a request", Some(&request.scopes), 4_000)?;
        text::check_optional("a resource", request.resource.as_deref(), 2_000)?;
        let (device_code, hash) = self.mint(Purpose::DeviceCode)?;
        // Of 25 thousand million codes one that is taken is hardly ever met, and is a conflict then.
        let user_code = TypedCode::generate(TypedPurpose::Device)?;
        let user_hash = user_code.hash(self);
        let mut tx = self.begin().await?;
        if tx.lock_client(request.organization, request.client).await?.disabled_at.is_some() {
            return Err(StoreError::NotFound);
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(user_hash.as_slice())
            .bind(request.organization.as_uuid())
            .bind(request.client.as_uuid())
            .bind(&request.scopes)
            .bind(&request.resource)
            .bind(now.0)
            .bind(request.expires_at.0)
            .bind(i64::from(interval_s))
            .bind(DeviceStatus::Pending.as_str())
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("user code"))?;
        tx.commit().await?;
        Ok(DeviceCodes { device_code, user_code })
    }

    /// The request with this user code, as a person typed it; none when it was decided, is over or never was.
    pub async fn device_request(&self, typed: &str, now: Timestamp) -> Result<Option<DeviceRequest>> {
        const SQL: &str = "SELECT client, organization, scopes, resource, expires_at FROM device_codes
            WHERE user_code_hash = $1 AND status = $2 AND expires_at > $3";
        let Some(code) = TypedCode::parse(TypedPurpose::Device, typed) else { return Ok(None) };
        let hash = code.hash(self);
        let row: Option<DeviceRequestRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(DeviceStatus::Pending.as_str())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        Ok(row.map(DeviceRequest::from))
    }

    /// Allows a request these scopes in the name of an account. Gives whether it did: not when the request was decided, is
    /// over or never was.
    pub async fn approve_device_request(
        &self,
        typed: &str,
        account: AccountId,
        scopes: &str,
        now: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE device_codes SET status = $4, account = $5, scopes = $6
            WHERE user_code_hash = $1 AND status = $2 AND expires_at > $3";
        text::check_optional("the scopes of a request", Some(scopes), 4_000)?;
        let Some(code) = TypedCode::parse(TypedPurpose::Device, typed) else { return Ok(false) };
        let hash = code.hash(self);
        self.account(account).await?;
        let mut tx = self.begin().await?;
        let approved = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(DeviceStatus::Pending.as_str())
            .bind(now.0)
            .bind(DeviceStatus::Approved.as_str())
            .bind(account.as_uuid())
            .bind(scopes)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(approved > 0)
    }

    /// Refuses a request. Gives whether it did: not when the request was decided, is over or never was.
    pub async fn deny_device_request(&self, typed: &str, account: AccountId, now: Timestamp) -> Result<bool> {
        const SQL: &str = "UPDATE device_codes SET status = $4, account = $5
            WHERE user_code_hash = $1 AND status = $2 AND expires_at > $3";
        let Some(code) = TypedCode::parse(TypedPurpose::Device, typed) else { return Ok(false) };
        let hash = code.hash(self);
        self.account(account).await?;
        let mut tx = self.begin().await?;
        let denied = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(DeviceStatus::Pending.as_str())
            .bind(now.0)
            .bind(DeviceStatus::Denied.as_str())
            .bind(account.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(denied > 0)
    }
}

#[derive(FromRow)]
struct DeviceRequestRow {
    client: Uuid,
    organization: Uuid,
    scopes: String,
    resource: Option<String>,
    expires_at: i64,
}

impl From<DeviceRequestRow> for DeviceRequest {
    fn from(row: DeviceRequestRow) -> Self {
        Self {
            client: ClientId::from_uuid(row.client),
            organization: OrganizationId::from_uuid(row.organization),
            scopes: row.scopes,
            resource: row.resource,
            expires_at: Timestamp(row.expires_at),
        }
    }
}
