//! The rows of refresh tokens.

use protocol::{ClientId, GrantId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::client::ClientKind;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::Grant;

#[derive(FromRow)]
pub(super) struct TokenRow {
    hash: Vec<u8>,
    grant_id: Uuid,
    parent: Option<Vec<u8>>,
    generation: i64,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
}

impl TokenRow {
    pub(super) fn grant(&self) -> GrantId {
        GrantId::from_uuid(self.grant_id)
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.0)
    }

    /// Whether its successor was used.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some()
    }
}

#[derive(FromRow)]
struct KnownToken {
    #[sqlx(flatten)]
    token: TokenRow,
    kind: String,
}

impl Store {
    /// A token of a client, and the client's kind.
    pub(super) async fn refresh_token(
        &self,
        client: ClientId,
        hash: &[u8; 32],
    ) -> Result<Option<(TokenRow, ClientKind)>> {
        const SQL: &str =
            "SELECT t.hash, t.grant_id, t.parent, t.generation, t.expires_at, t.confirmed_at, c.kind
            FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id JOIN clients c ON c.id = g.client
            WHERE t.hash = $1 AND g.client = $2";
        let row: Option<KnownToken> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(client.as_uuid())
            .fetch_optional(db)
            .await?);
        let Some(KnownToken { token, kind }) = row else { return Ok(None) };
        let kind = kind.parse().map_err(|_| StoreError::Corrupt("kind of a client"))?;
        Ok(Some((token, kind)))
    }
}

impl Tx {
    pub(super) async fn refresh_token(&mut self, hash: &[u8; 32]) -> Result<Option<TokenRow>> {
        const SQL: &str = "SELECT hash, grant_id, parent, generation, expires_at, confirmed_at
            FROM refresh_tokens WHERE hash = $1";
        Ok(within!(self, |db| sqlx::query_as(SQL).bind(hash.as_slice()).fetch_optional(db).await?))
    }

    pub(super) async fn insert_refresh_token(
        &mut self,
        grant: &Grant,
        hash: &[u8; 32],
        parent: Option<&TokenRow>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO refresh_tokens
                (hash, organization, grant_id, parent, generation, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        within!(self, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(grant.organization.as_uuid())
            .bind(grant.id.as_uuid())
            .bind(parent.map(|parent| parent.hash.as_slice()))
            .bind(parent.map_or(0, |parent| parent.generation + 1))
            .bind(now.0)
            .bind(expires_at.map(|at| at.0))
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Notes that the successor of a token's parent, the token itself, was used.
    pub(super) async fn confirm_parent(&mut self, token: &TokenRow, now: Timestamp) -> Result<()> {
        const SQL: &str =
            "UPDATE refresh_tokens SET confirmed_at = $2 WHERE hash = $1 AND confirmed_at IS NULL";
        let Some(parent) = &token.parent else { return Ok(()) };
        within!(self, |db| sqlx::query(SQL).bind(parent.as_slice()).bind(now.0).execute(db).await.map(drop))?;
        Ok(())
    }

    pub(super) async fn forget_successors(&mut self, token: &TokenRow) -> Result<()> {
        const SQL: &str = "DELETE FROM refresh_tokens WHERE parent = $1";
        within!(self, |db| sqlx::query(SQL).bind(token.hash.as_slice()).execute(db).await.map(drop))?;
        Ok(())
    }

    pub(super) async fn mark_replaced(&mut self, token: &TokenRow, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE refresh_tokens SET replaced_at = coalesce(replaced_at, $2) WHERE hash = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(token.hash.as_slice())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}
