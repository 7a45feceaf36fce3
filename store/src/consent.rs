//! What people agreed to with an organization: a purpose, and the version of the text that they read.

use protocol::{AccountId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::text;

/// The purpose without which no phone is counted.
pub const PRESENCE: &str = "presence";

/// What a person agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// To which organization.
    pub organization: OrganizationId,
    /// Who.
    pub account: AccountId,
    /// To what: a word.
    pub purpose: String,
    /// Which version of its text.
    pub version: String,
    /// When.
    pub given_at: Timestamp,
    /// When it was taken back; none while it holds.
    pub withdrawn_at: Option<Timestamp>,
}

impl Store {
    /// Notes that a person agreed. The newest consent that holds keeps its time; one that was taken back, or given before another
    /// one, is given anew. Whoever keeps the phones of the person in mind is to be told ([`Change::Device`](crate::Change::Device)).
    pub async fn give_consent(
        &self,
        organization: OrganizationId,
        account: AccountId,
        purpose: &str,
        version: &str,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO consents (organization, account, purpose, version, given_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (account, organization, purpose, version)
            DO UPDATE SET given_at = excluded.given_at, withdrawn_at = NULL
            WHERE consents.withdrawn_at IS NOT NULL OR EXISTS (SELECT 1 FROM consents newer
                WHERE newer.account = consents.account AND newer.organization = consents.organization
                    AND newer.purpose = consents.purpose AND newer.version <> consents.version
                    AND newer.withdrawn_at IS NULL AND newer.given_at >= consents.given_at)";
        text::check("a purpose", purpose, 100)?;
        text::check("a version", version, 100)?;
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(purpose)
            .bind(version)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.touch_phones(account, now).await?;
        tx.commit().await
    }

    /// Takes consent for a purpose back, whatever the version. Not found when none holds.
    pub async fn withdraw_consent(
        &self,
        organization: OrganizationId,
        account: AccountId,
        purpose: &str,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE consents SET withdrawn_at = $4
            WHERE organization = $1 AND account = $2 AND purpose = $3 AND withdrawn_at IS NULL";
        text::check("a purpose", purpose, 100)?;
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        let withdrawn = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(purpose)
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if withdrawn == 0 {
            return Err(StoreError::NotFound);
        }
        tx.touch_phones(account, now).await?;
        tx.commit().await
    }

    /// Everything that a person agreed to, by organization, purpose and time, what was taken back included.
    pub async fn consents(&self, account: AccountId) -> Result<Vec<Consent>> {
        const SQL: &str =
            "SELECT organization, account, purpose, version, given_at, withdrawn_at FROM consents
            WHERE account = $1 ORDER BY organization, purpose, given_at, version";
        let rows: Vec<ConsentRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        Ok(rows.into_iter().map(Consent::from).collect())
    }
}

#[derive(FromRow)]
struct ConsentRow {
    organization: Uuid,
    account: Uuid,
    purpose: String,
    version: String,
    given_at: i64,
    withdrawn_at: Option<i64>,
}

impl From<ConsentRow> for Consent {
    fn from(row: ConsentRow) -> Self {
        Self {
            organization: OrganizationId::from_uuid(row.organization),
            account: AccountId::from_uuid(row.account),
            purpose: row.purpose,
            version: row.version,
            given_at: Timestamp(row.given_at),
            withdrawn_at: row.withdrawn_at.map(Timestamp),
        }
    }
}
