//! Authorization codes: what a browser carries to a client, exchanged once.

use protocol::{BrowserSessionId, ClientId, GrantId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::{Grant, RevokedWhy};
use crate::secret::{Purpose, Secret};
use crate::text;

/// An authorization code and what it was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The grant that it leads to.
    pub grant: GrantId,
    /// Who may exchange it.
    pub client: ClientId,
    /// Where it was sent; the exchange must name the same.
    pub redirect_uri: String,
    /// What it is for: OAuth scopes with spaces between them.
    pub scopes: String,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// The PKCE challenge of method S256 (RFC 7636 section 4.2).
    pub challenge: Option<String>,
    /// For which API (RFC 8707).
    pub resource: Option<String>,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// In which browser.
    pub browser_session: Option<BrowserSessionId>,
    /// From when on it can no longer be exchanged.
    pub expires_at: Timestamp,
}

/// What became of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeExchange {
    /// It is the first one: this is what was agreed to.
    Fresh {
        /// The code.
        code: Box<Code>,
        /// The grant that it leads to.
        grant: Box<Grant>,
    },
    /// The code was exchanged before; its grant is revoked now.
    Replayed(GrantId),
    /// The client has no such code, it is over, or its grant is revoked.
    Unknown,
}

impl Store {
    /// Makes a code; it is returned here and never again. Not found when the organization has no such grant, or it is
    /// revoked or another client's.
    pub async fn issue_code(
        &self,
        organization: OrganizationId,
        code: &Code,
        now: Timestamp,
    ) -> Result<Secret> {
        const SQL: &str =
            "INSERT INTO codes (hash, organization, grant_id, client, redirect_uri, scopes, nonce, challenge,
                resource, authenticated_at, browser_session, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        text::check("a redirect URI", &code.redirect_uri, 2_000)?;
        for text in [Some(&code.scopes), code.nonce.as_ref(), code.challenge.as_ref(), code.resource.as_ref()]
        {
            text::check_optional("what belongs to a code", text.map(String::as_str), 4_000)?;
        }
        let (secret, hash) = self.mint(Purpose::Code)?;
        let mut tx = self.begin().await?;
        let grant = tx.lock_grant(code.grant).await?;
        let is_ours = grant.organization == organization && grant.client == code.client;
        if !is_ours || grant.revoked.is_some() {
            return Err(StoreError::NotFound);
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(organization.as_uuid())
            .bind(code.grant.as_uuid())
            .bind(code.client.as_uuid())
            .bind(&code.redirect_uri)
            .bind(&code.scopes)
            .bind(&code.nonce)
            .bind(&code.challenge)
            .bind(&code.resource)
            .bind(code.authenticated_at.0)
            .bind(code.browser_session.map(|session| session.as_uuid()))
            .bind(now.0)
            .bind(code.expires_at.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Exchanges a code, once. A second exchange by the same client, however late, revokes its grant.
    pub async fn exchange_code(
        &self,
        client: ClientId,
        presented: &str,
        now: Timestamp,
    ) -> Result<CodeExchange> {
        let Some(hash) = self.hashed(Purpose::Code, presented) else { return Ok(CodeExchange::Unknown) };
        let mut tx = self.begin().await?;
        let exchange = match tx.use_code(client, &hash, now).await? {
            Some(code) => {
                let grant = tx.lock_grant(code.grant).await?;
                if grant.revoked.is_some() {
                    CodeExchange::Unknown
                } else {
                    CodeExchange::Fresh { code: Box::new(code), grant: Box::new(grant) }
                }
            }
            None => match tx.used_code(client, &hash).await? {
                Some(grant) => {
                    tx.revoke_grant(grant, RevokedWhy::CodeReplayed, now).await?;
                    CodeExchange::Replayed(grant)
                }
                None => CodeExchange::Unknown,
            },
        };
        tx.commit().await?;
        Ok(exchange)
    }
}

impl Tx {
    async fn use_code(&mut self, client: ClientId, hash: &[u8; 32], now: Timestamp) -> Result<Option<Code>> {
        const SQL: &str = "UPDATE codes SET used_at = $3
            WHERE hash = $1 AND client = $2 AND used_at IS NULL AND expires_at > $3
            RETURNING grant_id, client, redirect_uri, scopes, nonce, challenge, resource, authenticated_at,
                browser_session, expires_at";
        let row: Option<CodeRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(client.as_uuid())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        Ok(row.map(Code::from))
    }

    async fn used_code(&mut self, client: ClientId, hash: &[u8; 32]) -> Result<Option<GrantId>> {
        const SQL: &str =
            "SELECT grant_id FROM codes WHERE hash = $1 AND client = $2 AND used_at IS NOT NULL";
        let grant: Option<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(hash.as_slice())
            .bind(client.as_uuid())
            .fetch_optional(db)
            .await?);
        Ok(grant.map(GrantId::from_uuid))
    }
}

#[derive(FromRow)]
struct CodeRow {
    grant_id: Uuid,
    client: Uuid,
    redirect_uri: String,
    scopes: String,
    nonce: Option<String>,
    challenge: Option<String>,
    resource: Option<String>,
    authenticated_at: i64,
    browser_session: Option<Uuid>,
    expires_at: i64,
}

impl From<CodeRow> for Code {
    fn from(row: CodeRow) -> Self {
        Self {
            grant: GrantId::from_uuid(row.grant_id),
            client: ClientId::from_uuid(row.client),
            redirect_uri: row.redirect_uri,
            scopes: row.scopes,
            nonce: row.nonce,
            challenge: row.challenge,
            resource: row.resource,
            authenticated_at: Timestamp(row.authenticated_at),
            browser_session: row.browser_session.map(BrowserSessionId::from_uuid),
            expires_at: Timestamp(row.expires_at),
        }
    }
}
