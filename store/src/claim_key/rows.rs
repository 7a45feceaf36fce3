//! The statements behind the uses of claim keys.

use protocol::{ClaimKeyId, OrganizationId, Timestamp, VenueId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{ClaimKey, LastRefusal};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

macro_rules! select_claim_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization, name, kind, venue, approval, quota, used, refused, last_refusal, last_refused_at,
                last_refused_from, created_at, expires_at, revoked_at
            FROM claim_keys ",
            $rest
        )
    };
}
pub(super) use select_claim_keys;

impl Tx {
    pub(crate) async fn claim_key(
        &mut self,
        organization: OrganizationId,
        id: ClaimKeyId,
    ) -> Result<ClaimKey> {
        const SQL: &str = select_claim_keys!("WHERE id = $1 AND organization = $2");
        let row: Option<ClaimKeyRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(ClaimKey::try_from).ok_or(StoreError::NotFound)?
    }

    /// Counts a device that comes in with the key; gives whether there was room for it.
    pub(crate) async fn use_claim_key(
        &mut self,
        organization: OrganizationId,
        id: ClaimKeyId,
    ) -> Result<bool> {
        const SQL: &str =
            "UPDATE claim_keys SET used = used + 1 WHERE id = $1 AND organization = $2 AND used < quota";
        let used = within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        Ok(used > 0)
    }

    /// Counts a refusal, for whoever looks after the key.
    pub(crate) async fn refuse_claim_key(
        &mut self,
        organization: OrganizationId,
        id: ClaimKeyId,
        refusal: &LastRefusal,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE claim_keys SET refused = refused + 1, last_refusal = $3, last_refused_at = $4, last_refused_from = $5
            WHERE id = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(refusal.why.as_str())
            .bind(refusal.at.0)
            .bind(&refusal.address)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
pub(super) struct ClaimKeyRow {
    id: Uuid,
    organization: Uuid,
    name: String,
    kind: String,
    venue: Option<Uuid>,
    approval: String,
    quota: i64,
    used: i64,
    refused: i64,
    last_refusal: Option<String>,
    last_refused_at: Option<i64>,
    last_refused_from: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<ClaimKeyRow> for ClaimKey {
    type Error = StoreError;

    fn try_from(row: ClaimKeyRow) -> Result<Self> {
        const CORRUPT: StoreError = StoreError::Corrupt("claim key");
        let why = row.last_refusal.as_deref().map(str::parse).transpose().map_err(|_| CORRUPT)?;
        let last_refusal = why.zip(row.last_refused_at).map(|(why, at)| LastRefusal {
            why,
            at: Timestamp(at),
            address: row.last_refused_from,
        });
        Ok(Self {
            id: ClaimKeyId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            name: row.name,
            kind: row.kind.parse().map_err(|_| CORRUPT)?,
            venue: row.venue.map(VenueId::from_uuid),
            approval: row.approval.parse().map_err(|_| CORRUPT)?,
            quota: row.quota.try_into().map_err(|_| CORRUPT)?,
            used: row.used.try_into().map_err(|_| CORRUPT)?,
            refused: row.refused.try_into().map_err(|_| CORRUPT)?,
            last_refusal,
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
            revoked_at: row.revoked_at.map(Timestamp),
        })
    }
}
