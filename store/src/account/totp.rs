//! The second factor: codes that change with the time (TOTP, RFC 6238).

use std::fmt;

use protocol::{AccountId, Timestamp};

use super::recovery;
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::typed::TypedCode;

/// The second factor of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// Its secret, sealed by whoever stored it.
    pub sealed: Vec<u8>,
    /// When the person showed that they have it; until then it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The last time step that was accepted.
    pub step: i64,
}

impl Store {
    /// Begins a second factor, in place of one that was begun and not confirmed; a conflict over `totp` when one is
    /// confirmed.
    pub async fn begin_totp(&self, account: AccountId, sealed: &[u8]) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET totp = $2, totp_step = 0 WHERE id = $1";
        let mut tx = self.begin().await?;
        if tx.lock_account(account).await?.totp.is_some_and(|totp| totp.confirmed_at.is_some()) {
            return Err(StoreError::Conflict("totp"));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(sealed)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Confirms the second factor that was begun, with the step of the code that showed it, and gives the recovery codes,
    /// here and never again. A conflict over `totp` when none was begun, another was begun meanwhile or it is confirmed.
    pub async fn confirm_totp(
        &self,
        account: AccountId,
        sealed: &[u8],
        step: i64,
        now: Timestamp,
    ) -> Result<Vec<TypedCode>> {
        const SQL: &str = "UPDATE accounts SET totp_confirmed_at = $3, totp_step = $4
            WHERE id = $1 AND totp = $2 AND totp_confirmed_at IS NULL";
        let mut tx = self.begin().await?;
        let confirmed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(sealed)
            .bind(now.0)
            .bind(step)
            .execute(db)
            .await?
            .rows_affected());
        if confirmed == 0 {
            return Err(StoreError::Conflict("totp"));
        }
        let (codes, hashes) = recovery::mint(self)?;
        tx.replace_recovery_codes(account, &hashes).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Accepts a time step, once and never an earlier one. Gives whether it was accepted; none is without a confirmed
    /// second factor.
    pub async fn accept_totp_step(&self, account: AccountId, step: i64) -> Result<bool> {
        const SQL: &str = "UPDATE accounts SET totp_step = $2
            WHERE id = $1 AND totp_step < $2 AND totp IS NOT NULL AND totp_confirmed_at IS NOT NULL";
        let mut tx = self.begin().await?;
        let accepted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(step)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(accepted > 0)
    }

    /// Takes the second factor away, and its recovery codes with it.
    pub async fn remove_totp(&self, account: AccountId) -> Result<()> {
        const SQL: &str =
            "UPDATE accounts SET totp = NULL, totp_confirmed_at = NULL, totp_step = 0 WHERE id = $1";
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        tx.replace_recovery_codes(account, &[]).await?;
        tx.commit().await
    }
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp").field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}
