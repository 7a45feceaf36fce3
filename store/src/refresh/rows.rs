//! The rows of refresh tokens.

use protocol::{ClientId, GrantId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::client::ClientKind;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::{Grant, GrantStanding, StandingRow, select_standings};

/// How many answers to one token are kept until one of them is used.
const MOST_SUCCESSORS: i64 = 8;

#[derive(FromRow)]
pub(super) struct TokenRow {
    hash: Vec<u8>,
    grant_id: Uuid,
    parent: Option<Vec<u8>>,
    generation: i64,
    expires_at: Option<i64>,
    replaced_at: Option<i64>,
    confirmed_at: Option<i64>,
}

impl TokenRow {
    pub(super) fn grant(&self) -> GrantId {
        GrantId::from_uuid(self.grant_id)
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.0)
    }

    /// Whether it has a successor, used or not.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced_at.is_some()
    }

    /// Whether its successor was used, or another answer than it.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some()
    }
}

/// A token of a client, the client's kind, and what its grant is worth.
pub(super) struct KnownToken {
    pub(super) token: TokenRow,
    pub(super) kind: ClientKind,
    pub(super) standing: GrantStanding,
}

#[derive(FromRow)]
struct KnownTokenRow {
    #[sqlx(flatten)]
    token: TokenRow,
    kind: String,
    #[sqlx(flatten)]
    standing: StandingRow,
}

#[derive(FromRow)]
struct TokenOfGrant {
    #[sqlx(flatten)]
    token: TokenRow,
    revoked_at: Option<i64>,
}

impl Store {
    /// Everything that decides what a token of a client is worth, in one question: servers ask for a token an hour each.
    pub(super) async fn refresh_token(
        &self,
        client: ClientId,
        hash: &[u8; 32],
    ) -> Result<Option<KnownToken>> {
        const SQL: &str = select_standings!(
            "t.hash, t.grant_id, t.parent, t.generation, t.expires_at, t.replaced_at, t.confirmed_at, c.kind, ",
            "JOIN refresh_tokens t ON t.grant_id = g.id",
            "WHERE t.hash = $1 AND g.client = $2"
        );
        let row: Option<KnownTokenRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(client.as_uuid())
            .fetch_optional(db)
            .await?);
        let Some(KnownTokenRow { token, kind, standing }) = row else { return Ok(None) };
        let kind = kind.parse().map_err(|_| StoreError::Corrupt("kind of a client"))?;
        Ok(Some(KnownToken { token, kind, standing: standing.try_into()? }))
    }
}

impl Tx {
    /// A token as it is while nobody else changes what its grant has; none when it or the grant has died.
    pub(super) async fn lock_refresh_token(
        &mut self,
        grant: GrantId,
        hash: &[u8; 32],
    ) -> Result<Option<TokenRow>> {
        const SQL: &str =
            "SELECT t.hash, t.grant_id, t.parent, t.generation, t.expires_at, t.replaced_at, t.confirmed_at,
                g.revoked_at
            FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id WHERE t.hash = $1";
        if matches!(self, Self::Postgres(_)) {
            // The row that was waited for is read as it is afterwards; what is joined to it would be read as it was before.
            self.lock_grant(grant).await?;
        }
        let row: Option<TokenOfGrant> =
            within!(self, |db| sqlx::query_as(SQL).bind(hash.as_slice()).fetch_optional(db).await?);
        Ok(row.filter(|row| row.revoked_at.is_none()).map(|row| row.token))
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

    /// Keeps the newest answers of those that were given for a token; whoever asks on and on fills nothing.
    pub(super) async fn forget_old_successors(&mut self, token: &TokenRow) -> Result<()> {
        const SQL: &str = "DELETE FROM refresh_tokens WHERE parent = $1 AND hash NOT IN
            (SELECT hash FROM refresh_tokens WHERE parent = $1 ORDER BY created_at DESC, hash LIMIT $2)";
        within!(self, |db| sqlx::query(SQL)
            .bind(token.hash.as_slice())
            .bind(MOST_SUCCESSORS - 1)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Notes that a token is replaced, and that it was used itself: its parent and what else was answered for that are worth
    /// nothing from now on, and show that somebody has a copy when they come.
    pub(super) async fn mark_replaced(&mut self, token: &TokenRow, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE refresh_tokens
            SET replaced_at = CASE WHEN hash = $1 THEN coalesce(replaced_at, $3) ELSE replaced_at END,
                confirmed_at = CASE WHEN hash = $1 THEN confirmed_at ELSE coalesce(confirmed_at, $3) END
            WHERE hash = $1 OR hash = $2 OR parent = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(token.hash.as_slice())
            .bind(token.parent.as_deref())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}
