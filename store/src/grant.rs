//! Grants: what an account, or a client itself, allowed a client. To people they are linked services.

mod rows;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use protocol::{AccountId, ClientId, GrantId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::client::Party;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::scope::ScopeSet;
use crate::text;

use rows::GrantRow;
pub(crate) use rows::{StandingRow, select_standings};

words! {
    /// Why a grant no longer counts.
    pub enum RevokedWhy {
        /// A person or an administrator ended it.
        Unlinked = "unlinked",
        /// The client gave its token back (RFC 7009).
        TokenRevoked = "token_revoked",
        /// A code was exchanged twice.
        CodeReplayed = "code_replayed",
        /// A refresh token came again after its successor was used.
        RefreshReused = "refresh_reused",
        /// The account left the organization.
        MemberRemoved = "member_removed",
        /// The client was disabled for good.
        ClientDisabled = "client_disabled",
    }
}

/// What a client was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// To whom.
    pub client: ClientId,
    /// In which organization: the client's.
    pub organization: OrganizationId,
    /// By whom; none when the client asked for itself.
    pub account: Option<AccountId>,
    /// What: OAuth scopes with spaces between them.
    pub scopes: String,
    /// For which API (RFC 8707).
    pub resource: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used, to a minute.
    pub last_used_at: Option<Timestamp>,
    /// What last went wrong with it, and when.
    pub last_error: Option<(String, Timestamp)>,
    /// When and why it ended; none while it counts.
    pub revoked: Option<(Timestamp, RevokedWhy)>,
}

/// A grant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// See [`Grant::client`]: one that is not disabled.
    pub client: ClientId,
    /// See [`Grant::account`].
    pub account: Option<AccountId>,
    /// See [`Grant::scopes`].
    pub scopes: String,
    /// See [`Grant::resource`].
    pub resource: Option<String>,
}

/// A grant and everything that decides what a token of it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantStanding {
    /// The grant.
    pub grant: Grant,
    /// Whether its account is disabled.
    pub account_disabled: bool,
    /// Whether its client is disabled.
    pub client_disabled: bool,
    /// The OAuth scopes that its client may ask for today.
    pub client_scopes: Vec<String>,
    /// Whose assistant its client is; none when it is no assistant.
    pub client_party: Option<Party>,
    /// What the account may do in the organization; none when it is no member, or there is no account.
    pub role: Option<ScopeSet>,
}

/// How exactly `last_used_at` is kept: not every use writes.
const USED_MS: i64 = 60_000;

impl Grant {
    /// Whether that it is used at this time would be new: the time is kept to a minute.
    pub fn is_use_new(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| now.since(at) >= USED_MS)
    }
}

impl GrantStanding {
    /// A number that is another one when what its tokens are worth may be another: for whoever asked before, in the same
    /// process.
    pub fn terms(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.grant.scopes, &self.client_scopes, self.role.as_ref().map(ToString::to_string))
            .hash(&mut hasher);
        hasher.finish()
    }

    /// Whether its tokens count.
    pub fn is_good(&self) -> bool {
        self.grant.revoked.is_none() && !self.account_disabled && !self.client_disabled
    }
}

impl Store {
    /// Makes a grant. Not found when the organization has no such client, or it is disabled.
    pub async fn create_grant(
        &self,
        organization: OrganizationId,
        new: &NewGrant,
        now: Timestamp,
    ) -> Result<Grant> {
        let mut tx = self.begin().await?;
        let grant = tx.insert_grant(organization, new, now).await?;
        tx.commit().await?;
        Ok(grant)
    }

    /// One grant, also when it is revoked.
    pub async fn grant(&self, organization: OrganizationId, id: GrantId) -> Result<Grant> {
        const SQL: &str = rows::select_grants!("WHERE id = $1 AND organization = $2");
        let row: Option<GrantRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(Grant::try_from).ok_or(StoreError::NotFound)?
    }

    /// The newest grant of an account to a client that is not revoked.
    pub async fn find_grant(&self, client: ClientId, account: AccountId) -> Result<Option<Grant>> {
        const SQL: &str = rows::select_grants!(
            "WHERE client = $1 AND account = $2 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1"
        );
        let row: Option<GrantRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(client.as_uuid())
            .bind(account.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(Grant::try_from).transpose()
    }

    /// The newest grant that a client has of itself for an API and that is not revoked.
    pub async fn find_own_grant(&self, client: ClientId, resource: &str) -> Result<Option<Grant>> {
        const SQL: &str = rows::select_grants!(
            "WHERE client = $1 AND account IS NULL AND resource = $2 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1"
        );
        let row: Option<GrantRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(client.as_uuid())
            .bind(resource)
            .fetch_optional(db)
            .await?);
        row.map(Grant::try_from).transpose()
    }

    /// The grants of an account that are not revoked, oldest first.
    pub async fn grants_of(&self, account: AccountId) -> Result<Vec<Grant>> {
        const SQL: &str = rows::select_grants!("WHERE account = $1 AND revoked_at IS NULL ORDER BY id");
        let rows: Vec<GrantRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// The grants of an organization, revoked ones included.
    pub async fn grants(&self, organization: OrganizationId, page: Page) -> Result<Listed<Grant>> {
        const SQL: &str = rows::select_grants!("WHERE organization = $1 AND id > $2 ORDER BY id LIMIT $3");
        let rows: Vec<GrantRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let grants = rows.into_iter().map(Grant::try_from).collect::<Result<_>>()?;
        Ok(Listed::cut(grants, page, |grant: &Grant| grant.id.as_uuid()))
    }

    /// What a token of a grant is worth right now; none when there is no such grant. For whoever holds a token, which names
    /// its grant and is signed.
    pub async fn grant_standing(&self, id: GrantId) -> Result<Option<GrantStanding>> {
        const SQL: &str = select_standings!("", "", "WHERE g.id = $1");
        let row: Option<StandingRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        row.map(GrantStanding::try_from).transpose()
    }

    /// Sets what a grant that is not revoked allows, after its person agreed to more.
    pub async fn widen_grant(
        &self,
        organization: OrganizationId,
        id: GrantId,
        scopes: &str,
        resource: Option<&str>,
    ) -> Result<()> {
        const SQL: &str = "UPDATE grants SET scopes = $3, resource = $4
            WHERE id = $1 AND organization = $2 AND revoked_at IS NULL";
        check(scopes, resource)?;
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(scopes)
            .bind(resource)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Notes when grants were used, to a minute, many at once.
    pub async fn grants_used(&self, uses: &[(GrantId, Timestamp)]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for (id, at) in uses {
            tx.touch_grant(*id, *at).await?;
        }
        tx.commit().await
    }

    /// Notes what went wrong with a grant; what is past 300 characters is cut off.
    pub async fn grant_failed(&self, id: GrantId, error: &str, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE grants SET last_error = $2, last_error_at = $3 WHERE id = $1";
        let error: String = error.chars().filter(|character| *character != '\0').take(300).collect();
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(&error)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Revokes a grant of an organization, for good; its refresh tokens and codes die. One that is revoked already keeps the
    /// time and the reason.
    pub async fn revoke_grant(
        &self,
        organization: OrganizationId,
        id: GrantId,
        why: RevokedWhy,
        now: Timestamp,
    ) -> Result<()> {
        self.grant(organization, id).await?;
        let mut tx = self.begin().await?;
        tx.revoke_grant(id, why, now).await?;
        tx.commit().await
    }

    /// Revokes, for good, all that a client was allowed; answers what was still alive.
    pub async fn revoke_grants_of_client(
        &self,
        organization: OrganizationId,
        client: ClientId,
        now: Timestamp,
    ) -> Result<Vec<GrantId>> {
        const SQL: &str = "UPDATE grants SET revoked_at = $3, revoked_why = $4
            WHERE client = $1 AND organization = $2 AND revoked_at IS NULL RETURNING id";
        const TOKENS: &str = "DELETE FROM refresh_tokens WHERE grant_id IN
            (SELECT id FROM grants WHERE client = $1 AND organization = $2)";
        let mut tx = self.begin().await?;
        tx.lock_client(organization, client).await?;
        let revoked: Vec<Uuid> = within!(&mut tx, |db| sqlx::query_scalar(SQL)
            .bind(client.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .bind(RevokedWhy::ClientDisabled.as_str())
            .fetch_all(db)
            .await?);
        within!(&mut tx, |db| sqlx::query(TOKENS)
            .bind(client.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(revoked.into_iter().map(GrantId::from_uuid).collect())
    }

    /// Revokes a grant of an account: what unlinking a service does.
    pub async fn unlink(&self, account: AccountId, id: GrantId, now: Timestamp) -> Result<()> {
        const SQL: &str = "SELECT id FROM grants WHERE id = $1 AND account = $2";
        let found: Option<Uuid> = on!(self, |db| sqlx::query_scalar(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
            .fetch_optional(db)
            .await?);
        if found.is_none() {
            return Err(StoreError::NotFound);
        }
        let mut tx = self.begin().await?;
        tx.revoke_grant(id, RevokedWhy::Unlinked, now).await?;
        tx.commit().await
    }
}

impl Tx {
    pub(crate) async fn touch_grant(&mut self, id: GrantId, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE grants SET last_used_at = $2
            WHERE id = $1 AND coalesce(last_used_at, $3) <= $3 AND revoked_at IS NULL";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(now.0)
            .bind(now.minus(USED_MS).0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

fn check(scopes: &str, resource: Option<&str>) -> Result<()> {
    text::check_optional("the scopes of a grant", Some(scopes), 4_000)?;
    text::check_optional("a resource", resource, 2_000)
}
