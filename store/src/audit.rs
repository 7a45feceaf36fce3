//! What happened to accounts and in organizations, for those whom it concerns to read.

use std::net::IpAddr;

use protocol::{AccountId, AuditId, OrganizationId, Timestamp};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::Result;
use crate::page::{Listed, Page};
use crate::random;
use crate::text;

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// In which organization it happened; none when it concerns a person alone.
    pub organization: Option<OrganizationId>,
    /// Who did it, or to whom it happened; none when nobody signed in.
    pub account: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// What happened: a word.
    pub what: String,
    /// More about it; holds no secret.
    pub detail: Value,
    /// Where the request came from.
    pub address: Option<String>,
}

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuditEntry<'a> {
    /// See [`AuditEntry::organization`].
    pub organization: Option<OrganizationId>,
    /// See [`AuditEntry::account`].
    pub account: Option<AccountId>,
    /// See [`AuditEntry::what`].
    pub what: &'a str,
    /// See [`AuditEntry::detail`].
    pub detail: Value,
    /// See [`AuditEntry::address`].
    pub address: Option<IpAddr>,
}

macro_rules! select_audit {
    ($rest:literal) => {
        concat!("SELECT id, organization, account, at, what, detail, address FROM audit ", $rest)
    };
}

impl Store {
    /// Writes an entry.
    pub async fn record_audit(&self, new: &NewAuditEntry<'_>, now: Timestamp) -> Result<()> {
        const SQL: &str = "INSERT INTO audit (id, organization, account, at, what, detail, address)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        text::check("what happened", new.what, 100)?;
        text::check_json(&new.detail)?;
        let id = AuditId::new(now, random::bytes()?);
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(new.organization.map(|organization| organization.as_uuid()))
            .bind(new.account.map(|account| account.as_uuid()))
            .bind(now.0)
            .bind(new.what)
            .bind(Json(&new.detail))
            .bind(new.address.map(|address| address.to_string()))
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// What concerns an account, newest first.
    pub async fn audit_of_account(&self, account: AccountId, page: Page) -> Result<Listed<AuditEntry>> {
        const SQL: &str = select_audit!("WHERE account = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows: Vec<AuditRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(account.as_uuid())
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        Ok(Listed::cut(rows.into_iter().map(AuditEntry::from).collect(), page, |entry| entry.id.as_uuid()))
    }

    /// What happened in an organization, newest first.
    pub async fn audit_of_organization(
        &self,
        organization: OrganizationId,
        page: Page,
    ) -> Result<Listed<AuditEntry>> {
        const SQL: &str = select_audit!("WHERE organization = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows: Vec<AuditRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        Ok(Listed::cut(rows.into_iter().map(AuditEntry::from).collect(), page, |entry| entry.id.as_uuid()))
    }
}

#[derive(FromRow)]
struct AuditRow {
    id: Uuid,
    organization: Option<Uuid>,
    account: Option<Uuid>,
    at: i64,
    what: String,
    detail: Json<Value>,
    address: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            id: AuditId::from_uuid(row.id),
            organization: row.organization.map(OrganizationId::from_uuid),
            account: row.account.map(AccountId::from_uuid),
            at: Timestamp(row.at),
            what: row.what,
            detail: row.detail.0,
            address: row.address,
        }
    }
}
