//! What is over and no longer tells anything.

use protocol::Timestamp;

use crate::engine::Store;
use crate::error::Result;

/// Rows of a table that are deleted at a call.
const CHUNK: i64 = 500;

const DAY_MS: i64 = 24 * 3_600_000;

/// What to delete, and for how long it is kept once it is over.
///
/// Codes stay a day, so that one that comes again is known as replayed; tokens that were replaced stay a month for the same
/// reason, and so do sessions, for people to see. Commands stay three months. The grants that codes and device requests led to stay.
const OVER: [(&str, i64); 12] = [
    ("DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at <= $1 LIMIT $2)", DAY_MS),
    (
        "DELETE FROM device_codes WHERE hash IN (SELECT hash FROM device_codes WHERE expires_at <= $1 LIMIT $2)",
        DAY_MS,
    ),
    (
        "DELETE FROM enrolments WHERE id IN (SELECT id FROM enrolments WHERE expires_at <= $1 LIMIT $2)",
        DAY_MS,
    ),
    (
        "DELETE FROM upstream_flows WHERE hash IN
            (SELECT hash FROM upstream_flows WHERE expires_at <= $1 LIMIT $2)",
        0,
    ),
    (
        "DELETE FROM account_links WHERE hash IN
            (SELECT hash FROM account_links WHERE expires_at <= $1 LIMIT $2)",
        DAY_MS,
    ),
    (
        "DELETE FROM refresh_tokens WHERE hash IN
            (SELECT hash FROM refresh_tokens WHERE expires_at <= $1 LIMIT $2)",
        30 * DAY_MS,
    ),
    (
        "DELETE FROM refresh_tokens WHERE hash IN
            (SELECT hash FROM refresh_tokens WHERE confirmed_at <= $1 LIMIT $2)",
        30 * DAY_MS,
    ),
    (
        "DELETE FROM browser_sessions WHERE id IN
            (SELECT id FROM browser_sessions WHERE expires_at <= $1 LIMIT $2)",
        30 * DAY_MS,
    ),
    (
        "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at <= $1 LIMIT $2)",
        30 * DAY_MS,
    ),
    // A public half that nobody checks with any more; the private one went when it was retired.
    (
        "DELETE FROM signing_keys WHERE id IN (SELECT id FROM signing_keys WHERE retired_at <= $1 LIMIT $2)",
        30 * DAY_MS,
    ),
    ("DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE ended_at <= $1 LIMIT $2)", 90 * DAY_MS),
    (
        "DELETE FROM bulk_commands WHERE id IN
            (SELECT id FROM bulk_commands WHERE created_at <= $1 LIMIT $2)",
        100 * DAY_MS,
    ),
];

impl Store {
    /// Deletes what is over, of the whole installation: codes, requests of devices, links, sign-ins that were begun, sessions, invitations,
    /// tokens, keys and commands, at most 500 of each at a call. Gives how many were deleted: 0 when nothing is left to delete.
    pub async fn forget_expired(&self, now: Timestamp) -> Result<u64> {
        let mut deleted = 0;
        for (statement, kept_ms) in OVER {
            // A transaction each: the writer is never kept for long.
            let mut tx = self.begin().await?;
            deleted += within!(&mut tx, |db| sqlx::query(statement)
                .bind(now.minus(kept_ms).0)
                .bind(CHUNK)
                .execute(db)
                .await?
                .rows_affected());
            tx.commit().await?;
        }
        Ok(deleted)
    }
}
