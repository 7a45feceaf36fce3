//! Sign-in by other people's identity providers.

use std::fmt;

use protocol::{AccountId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::account::{Account, NewAccount};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::secret::{Purpose, Secret};
use crate::text;

/// A sign-in that has begun in a browser and waits for the provider, or for the authenticator with a person's passkey.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamFlow {
    /// Which provider, as the configuration calls it; `passkey` for an authenticator.
    pub provider: String,
    /// The hash of a cookie of the browser that it began in.
    pub browser: [u8; 32],
    /// What the ID token must repeat.
    pub nonce: String,
    /// The PKCE verifier, or what the authenticator has to sign, and the whole way on, sealed.
    pub verifier: Vec<u8>,
    /// Where the browser goes afterwards; never with the secret of a link in it.
    pub return_to: String,
    /// Whose account gets another way to sign in; none for a sign-in.
    pub account: Option<AccountId>,
    /// From when on it is over.
    pub expires_at: Timestamp,
}

/// Who an account is to another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's issuer.
    pub issuer: String,
    /// Who it is there, for ever.
    pub subject: String,
    /// The account here.
    pub account: AccountId,
    /// The address that the provider told, for people to recognize; it proves nothing.
    pub email: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it last signed in.
    pub last_used_at: Option<Timestamp>,
}

/// Who somebody is to another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentity {
    /// See [`Identity::issuer`].
    pub issuer: String,
    /// See [`Identity::subject`].
    pub subject: String,
    /// See [`Identity::email`].
    pub email: Option<String>,
}

impl Store {
    /// Begins a sign-in; its `state` is returned here and never again.
    pub async fn begin_upstream(&self, flow: &UpstreamFlow, now: Timestamp) -> Result<Secret> {
        const SQL: &str = "INSERT INTO upstream_flows
                (hash, provider, browser, nonce, verifier, return_to, account, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        text::check("a provider", &flow.provider, 200)?;
        text::check("a nonce", &flow.nonce, 200)?;
        text::check_optional("an address", Some(&flow.return_to), 4_000)?;
        if let Some(account) = flow.account {
            self.account(account).await?;
        }
        let (secret, hash) = self.mint(Purpose::UpstreamState)?;
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(&flow.provider)
            .bind(flow.browser.as_slice())
            .bind(&flow.nonce)
            .bind(&flow.verifier)
            .bind(&flow.return_to)
            .bind(flow.account.map(|account| account.as_uuid()))
            .bind(now.0)
            .bind(flow.expires_at.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Ends a sign-in and gives what it began with, once; none when it began in another browser or with another provider,
    /// is over or never began. Another browser does not use it up.
    pub async fn take_upstream(
        &self,
        provider: &str,
        presented: &str,
        browser: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<UpstreamFlow>> {
        const SQL: &str = "DELETE FROM upstream_flows
            WHERE hash = $1 AND provider = $2 AND browser = $3 AND expires_at > $4
            RETURNING provider, browser, nonce, verifier, return_to, account, expires_at";
        let Some(hash) = self.hashed(Purpose::UpstreamState, presented) else { return Ok(None) };
        let mut tx = self.begin().await?;
        let row: Option<UpstreamFlowRow> = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(provider)
            .bind(browser.as_slice())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        tx.commit().await?;
        row.map(UpstreamFlow::try_from).transpose()
    }

    /// Gives an account another way to sign in; a conflict over `identity` when an account has it already, this one or
    /// another.
    pub async fn link_identity(&self, account: AccountId, new: &NewIdentity, now: Timestamp) -> Result<()> {
        new.check()?;
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        tx.insert_identity(account, new, now).await?;
        tx.commit().await
    }

    /// Makes an account that signs in by another provider. A conflict over `email` when the address is taken: whoever has
    /// it has to sign in and link. A conflict over `identity` when an account has that already.
    pub async fn create_account_with_identity(
        &self,
        account: &NewAccount,
        identity: &NewIdentity,
        now: Timestamp,
    ) -> Result<Account> {
        account.check()?;
        identity.check()?;
        let mut tx = self.begin().await?;
        let account = tx.insert_account(account, now).await?;
        tx.insert_identity(account.id, identity, now).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// The account that somebody is here, and notes the sign-in; none when nobody linked it. Whether the account is
    /// disabled is for the caller to see.
    pub async fn sign_in_identity(
        &self,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<AccountId>> {
        const SQL: &str = "UPDATE identities SET last_used_at = $3 WHERE issuer = $1 AND subject = $2
            RETURNING account";
        check_identity(issuer, subject)?;
        let mut tx = self.begin().await?;
        let account: Option<Uuid> = within!(&mut tx, |db| sqlx::query_scalar(SQL)
            .bind(issuer)
            .bind(subject)
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        tx.commit().await?;
        Ok(account.map(AccountId::from_uuid))
    }

    /// The other ways in which an account signs in, oldest first.
    pub async fn identities(&self, account: AccountId) -> Result<Vec<Identity>> {
        const SQL: &str = "SELECT issuer, subject, account, email, created_at, last_used_at FROM identities
            WHERE account = $1 ORDER BY created_at, issuer, subject";
        let rows: Vec<IdentityRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        Ok(rows.into_iter().map(Identity::from).collect())
    }

    /// Takes another way to sign in away from an account; a conflict over `last` when it could not sign in any more.
    pub async fn unlink_identity(&self, account: AccountId, issuer: &str, subject: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM identities WHERE account = $1 AND issuer = $2 AND subject = $3";
        check_identity(issuer, subject)?;
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(issuer)
            .bind(subject)
            .execute(db)
            .await?
            .rows_affected());
        if deleted == 0 {
            return Err(StoreError::NotFound);
        }
        tx.check_signs_in(account).await?;
        tx.commit().await
    }
}

impl Tx {
    async fn insert_identity(&mut self, account: AccountId, new: &NewIdentity, now: Timestamp) -> Result<()> {
        const SQL: &str = "INSERT INTO identities (issuer, subject, account, email, created_at)
            VALUES ($1, $2, $3, $4, $5)";
        within!(self, |db| sqlx::query(SQL)
            .bind(&new.issuer)
            .bind(&new.subject)
            .bind(account.as_uuid())
            .bind(&new.email)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("identity"))
    }
}

impl NewIdentity {
    fn check(&self) -> Result<()> {
        check_identity(&self.issuer, &self.subject)?;
        text::check_optional("an address", self.email.as_deref(), 500)
    }
}

fn check_identity(issuer: &str, subject: &str) -> Result<()> {
    text::check("an issuer", issuer, 500)?;
    text::check("a subject", subject, 500)
}

impl fmt::Debug for UpstreamFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamFlow").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct UpstreamFlowRow {
    provider: String,
    browser: Vec<u8>,
    nonce: String,
    verifier: Vec<u8>,
    return_to: String,
    account: Option<Uuid>,
    expires_at: i64,
}

impl TryFrom<UpstreamFlowRow> for UpstreamFlow {
    type Error = StoreError;

    fn try_from(row: UpstreamFlowRow) -> Result<Self> {
        Ok(Self {
            provider: row.provider,
            browser: row.browser.try_into().map_err(|_| StoreError::Corrupt("browser of a sign-in"))?,
            nonce: row.nonce,
            verifier: row.verifier,
            return_to: row.return_to,
            account: row.account.map(AccountId::from_uuid),
            expires_at: Timestamp(row.expires_at),
        })
    }
}

#[derive(FromRow)]
struct IdentityRow {
    issuer: String,
    subject: String,
    account: Uuid,
    email: Option<String>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            issuer: row.issuer,
            subject: row.subject,
            account: AccountId::from_uuid(row.account),
            email: row.email,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
        }
    }
}
