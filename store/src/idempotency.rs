//! Requests that are made twice and must happen once.

use protocol::{OrganizationId, Timestamp};
use sqlx::FromRow;

use crate::engine::Store;
use crate::error::{Result, StoreError};

/// What to do with a request that carries an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// It is new: do it, then [`Store::idempotency_finish`] or [`Store::idempotency_abandon`].
    Fresh,
    /// It was done: give this answer again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body, secrets taken out.
        body: Vec<u8>,
    },
    /// The key was used for another request.
    Mismatch,
    /// The first one has not been answered yet.
    InProgress,
}

/// For how long an answer is given again, in milliseconds.
pub const IDEMPOTENCY_KEPT_MS: i64 = 24 * 3_600_000;

/// A request that is not answered after this long never will be. (Those of a program that died are given back by
/// [`Store::idempotency_release`].) Longer than any request may take.
const ABANDONED_MS: i64 = 15 * 60_000;

impl Store {
    /// Looks a key up and, when it is new, takes it.
    pub async fn idempotency_begin(
        &self,
        organization: OrganizationId,
        key: &str,
        request_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Begin> {
        const FORGET: &str = "DELETE FROM idempotency WHERE organization = $1 AND key = $2
            AND (begun_at <= $3 OR (status IS NULL AND begun_at <= $4))";
        const TAKE: &str = "INSERT INTO idempotency (organization, key, request_hash, begun_at)
            VALUES ($1, $2, $3, $4) ON CONFLICT (organization, key) DO NOTHING";
        const READ: &str =
            "SELECT request_hash, status, body FROM idempotency WHERE organization = $1 AND key = $2";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(FORGET)
            .bind(organization.as_uuid())
            .bind(key)
            .bind(now.minus(IDEMPOTENCY_KEPT_MS).0)
            .bind(now.minus(ABANDONED_MS).0)
            .execute(db)
            .await
            .map(drop))?;
        let taken = within!(&mut tx, |db| sqlx::query(TAKE)
            .bind(organization.as_uuid())
            .bind(key)
            .bind(request_hash.as_slice())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        let first: Option<FirstRequest> = match taken {
            0 => within!(&mut tx, |db| sqlx::query_as(READ)
                .bind(organization.as_uuid())
                .bind(key)
                .fetch_optional(db)
                .await?),
            _ => None,
        };
        tx.commit().await?;
        match first {
            // Taken by somebody who has given it up in between: as good as still in progress.
            None if taken == 0 => Ok(Begin::InProgress),
            None => Ok(Begin::Fresh),
            Some(first) => first.answer_to(request_hash),
        }
    }

    /// Keeps the answer of a request that [`Begin::Fresh`] let through. The body must hold no secret.
    pub async fn idempotency_finish(
        &self,
        organization: OrganizationId,
        key: &str,
        status: u16,
        body: &[u8],
    ) -> Result<()> {
        const SQL: &str = "UPDATE idempotency SET status = $3, body = $4
            WHERE organization = $1 AND key = $2 AND status IS NULL";
        let mut tx = self.begin().await?;
        let kept = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(key)
            .bind(i64::from(status))
            .bind(body)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if kept == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Gives the key of a request back that failed without a trace, so that it can be tried again.
    pub async fn idempotency_abandon(&self, organization: OrganizationId, key: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM idempotency WHERE organization = $1 AND key = $2 AND status IS NULL";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(key)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Gives back the keys of all requests that were not answered; gives how many. Nobody works on them when a program has just
    /// claimed the database: the one before it died.
    pub async fn idempotency_release(&self) -> Result<u64> {
        const SQL: &str = "DELETE FROM idempotency WHERE status IS NULL";
        let mut tx = self.begin().await?;
        let released = within!(&mut tx, |db| sqlx::query(SQL).execute(db).await?.rows_affected());
        tx.commit().await?;
        Ok(released)
    }

    /// Deletes the answers of the whole installation that are no longer given; gives how many.
    pub async fn idempotency_expire(&self, now: Timestamp) -> Result<u64> {
        const SQL: &str = "DELETE FROM idempotency WHERE begun_at <= $1";
        let mut tx = self.begin().await?;
        let expired = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(now.minus(IDEMPOTENCY_KEPT_MS).0)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(expired)
    }
}

#[derive(FromRow)]
struct FirstRequest {
    request_hash: Vec<u8>,
    status: Option<i64>,
    body: Option<Vec<u8>>,
}

impl FirstRequest {
    fn answer_to(self, request_hash: &[u8; 32]) -> Result<Begin> {
        if self.request_hash != request_hash {
            return Ok(Begin::Mismatch);
        }
        let Some(status) = self.status else { return Ok(Begin::InProgress) };
        let status = u16::try_from(status).map_err(|_| StoreError::Corrupt("status of an answer"))?;
        Ok(Begin::Replay { status, body: self.body.unwrap_or_default() })
    }
}
