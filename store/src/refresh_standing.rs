//! Whether a link has a refresh token to go on with.

use protocol::{GrantId, Timestamp};

use crate::engine::Store;
use crate::error::Result;

impl Store {
    /// Whether a grant has a refresh token that is not over and whose successor was not used. What else a token is worth
    /// says [`GrantStanding`](crate::GrantStanding).
    pub async fn has_living_refresh_token(&self, grant: GrantId, now: Timestamp) -> Result<bool> {
        const SQL: &str = "SELECT count(*) FROM refresh_tokens
            WHERE grant_id = $1 AND confirmed_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
        let living: i64 =
            on!(self, |db| sqlx::query_scalar(SQL).bind(grant.as_uuid()).bind(now.0).fetch_one(db).await?);
        Ok(living > 0)
    }
}
