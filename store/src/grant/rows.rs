//! The rows of grants.

use protocol::{AccountId, ClientId, GrantId, OrganizationId, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Grant, GrantStanding, NewGrant, RevokedWhy};
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::random;
use crate::role::Role;
use crate::scope::ScopeSet;

macro_rules! select_grants {
    ($rest:literal) => {
        concat!(
            "SELECT id, client, organization, account, scopes, resource, created_at, last_used_at, last_error, last_error_at,
                revoked_at, revoked_why FROM grants ",
            $rest
        )
    };
}
pub(super) use select_grants;

/// Grants (`g`) with all that decides what they are worth, and what else is asked with them: its columns, each with a comma
/// behind it, and how it is joined to the grant.
macro_rules! select_standings {
    ($columns:literal, $join:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            "g.id, g.client, g.organization, g.account, g.scopes, g.resource, g.created_at,
                g.last_used_at, g.last_error, g.last_error_at, g.revoked_at, g.revoked_why,
                a.disabled_at AS account_disabled_at, c.disabled_at AS client_disabled_at,
                c.scopes AS client_scopes, c.party AS client_party, m.built_in, m.custom, r.scopes AS role_scopes
            FROM grants g ",
            $join,
            " JOIN clients c ON c.id = g.client LEFT JOIN accounts a ON a.id = g.account
            LEFT JOIN memberships m ON m.organization = g.organization AND m.account = g.account
            LEFT JOIN roles r ON r.id = m.custom AND r.organization = g.organization ",
            $rest
        )
    };
}
pub(crate) use select_standings;

impl Tx {
    pub(crate) async fn insert_grant(
        &mut self,
        organization: OrganizationId,
        new: &NewGrant,
        now: Timestamp,
    ) -> Result<Grant> {
        const SQL: &str =
            "INSERT INTO grants (id, client, organization, account, scopes, resource, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        super::check(&new.scopes, new.resource.as_deref())?;
        if self.lock_client(organization, new.client).await?.disabled_at.is_some() {
            return Err(StoreError::NotFound);
        }
        if let Some(account) = new.account {
            self.lock_account(account).await?;
        }
        let id = GrantId::new(now, random::bytes()?);
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(new.client.as_uuid())
            .bind(organization.as_uuid())
            .bind(new.account.map(|account| account.as_uuid()))
            .bind(&new.scopes)
            .bind(&new.resource)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        let NewGrant { client, account, scopes, resource } = new.clone();
        Ok(Grant {
            id,
            client,
            organization,
            account,
            scopes,
            resource,
            created_at: now,
            last_used_at: None,
            last_error: None,
            revoked: None,
        })
    }

    /// One grant; waits for whoever changes it and keeps others from doing so.
    pub(crate) async fn lock_grant(&mut self, id: GrantId) -> Result<Grant> {
        const SQLITE: &str = select_grants!("WHERE id = $1");
        const POSTGRES: &str = select_grants!("WHERE id = $1 FOR NO KEY UPDATE");
        let row: Option<GrantRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(id.as_uuid()).fetch_optional(&mut **tx).await?,
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(id.as_uuid()).fetch_optional(&mut **tx).await?
            }
        };
        row.map(Grant::try_from).ok_or(StoreError::NotFound)?
    }

    /// Revokes a grant; its refresh tokens die. Codes stay, to be known as replayed when they come again.
    pub(crate) async fn revoke_grant(&mut self, id: GrantId, why: RevokedWhy, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE grants SET revoked_at = $2, revoked_why = $3
            WHERE id = $1 AND revoked_at IS NULL";
        const TOKENS: &str = "DELETE FROM refresh_tokens WHERE grant_id = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(now.0)
            .bind(why.as_str())
            .execute(db)
            .await
            .map(drop))?;
        within!(self, |db| sqlx::query(TOKENS).bind(id.as_uuid()).execute(db).await.map(drop))?;
        Ok(())
    }

    /// Revokes what an account allowed in an organization.
    pub(crate) async fn revoke_grants_of_member(
        &mut self,
        organization: OrganizationId,
        account: AccountId,
        why: RevokedWhy,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "SELECT id FROM grants
            WHERE account = $1 AND organization = $2 AND revoked_at IS NULL ORDER BY id";
        let grants: Vec<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(account.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        for grant in grants {
            self.revoke_grant(GrantId::from_uuid(grant), why, now).await?;
        }
        Ok(())
    }
}

#[derive(FromRow)]
pub(crate) struct GrantRow {
    id: Uuid,
    client: Uuid,
    organization: Uuid,
    account: Option<Uuid>,
    scopes: String,
    resource: Option<String>,
    created_at: i64,
    last_used_at: Option<i64>,
    last_error: Option<String>,
    last_error_at: Option<i64>,
    revoked_at: Option<i64>,
    revoked_why: Option<String>,
}

impl TryFrom<GrantRow> for Grant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self> {
        let why = row.revoked_why.as_deref().map(str::parse).transpose();
        let why = why.map_err(|_| StoreError::Corrupt("reason of a revocation"))?;
        Ok(Self {
            id: GrantId::from_uuid(row.id),
            client: ClientId::from_uuid(row.client),
            organization: OrganizationId::from_uuid(row.organization),
            account: row.account.map(AccountId::from_uuid),
            scopes: row.scopes,
            resource: row.resource,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
            last_error: row.last_error.zip(row.last_error_at.map(Timestamp)),
            revoked: row.revoked_at.map(Timestamp).zip(why),
        })
    }
}

#[derive(FromRow)]
pub(crate) struct StandingRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    account_disabled_at: Option<i64>,
    client_disabled_at: Option<i64>,
    client_scopes: Json<Vec<String>>,
    client_party: Option<String>,
    built_in: Option<String>,
    custom: Option<Uuid>,
    role_scopes: Option<Json<ScopeSet>>,
}

impl TryFrom<StandingRow> for GrantStanding {
    type Error = StoreError;

    fn try_from(row: StandingRow) -> Result<Self> {
        let role = match (&row.built_in, row.custom) {
            (None, None) => None,
            (built_in, custom) => Some(match Role::read(built_in.as_deref(), custom)? {
                Role::BuiltIn(role) => role.scopes(),
                Role::Custom(_) => row.role_scopes.ok_or(StoreError::Corrupt("role"))?.0,
            }),
        };
        let party = row.client_party.as_deref().map(str::parse).transpose();
        Ok(Self {
            grant: Grant::try_from(row.grant)?,
            account_disabled: row.account_disabled_at.is_some(),
            client_disabled: row.client_disabled_at.is_some(),
            client_scopes: row.client_scopes.0,
            client_party: party.map_err(|_| StoreError::Corrupt("party of a client"))?,
            role,
        })
    }
}
