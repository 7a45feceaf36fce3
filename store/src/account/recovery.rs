//! Codes on paper, for whoever lost the second factor.

use protocol::{AccountId, Timestamp};

use crate::engine::{Store, Tx};
use crate::error::Result;
use crate::typed::{TypedCode, TypedPurpose};

/// How many codes an account has.
const CODES: usize = 10;

impl Store {
    /// Makes new recovery codes; those before are void. They are returned here and never again.
    pub async fn renew_recovery_codes(&self, account: AccountId) -> Result<Vec<TypedCode>> {
        let (codes, hashes) = mint(self)?;
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        tx.replace_recovery_codes(account, &hashes).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Uses a recovery code, once. Gives whether it was one.
    pub async fn use_recovery_code(
        &self,
        account: AccountId,
        presented: &str,
        now: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE recovery_codes SET used_at = $3
            WHERE account = $1 AND hash = $2 AND used_at IS NULL";
        let Some(code) = TypedCode::parse(TypedPurpose::Recovery, presented) else { return Ok(false) };
        let hash = code.hash(self);
        let mut tx = self.begin().await?;
        let used = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(hash.as_slice())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(used > 0)
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes_left(&self, account: AccountId) -> Result<u64> {
        const SQL: &str = "SELECT count(*) FROM recovery_codes WHERE account = $1 AND used_at IS NULL";
        let left: i64 = on!(self, |db| sqlx::query_scalar(SQL).bind(account.as_uuid()).fetch_one(db).await?);
        Ok(left as u64)
    }
}

/// New codes and their hashes.
pub(super) fn mint(store: &Store) -> Result<(Vec<TypedCode>, Vec<[u8; 32]>)> {
    let code = |_| TypedCode::generate(TypedPurpose::Recovery);
    let codes: Vec<TypedCode> = (0..CODES).map(code).collect::<Result<_>>()?;
    let hashes = codes.iter().map(|code| code.hash(store)).collect();
    Ok((codes, hashes))
}

impl Tx {
    pub(super) async fn replace_recovery_codes(
        &mut self,
        account: AccountId,
        hashes: &[[u8; 32]],
    ) -> Result<()> {
        const FORGET: &str = "DELETE FROM recovery_codes WHERE account = $1";
        const KEEP: &str = "INSERT INTO recovery_codes (account, hash) VALUES ($1, $2)";
        within!(self, |db| sqlx::query(FORGET).bind(account.as_uuid()).execute(db).await.map(drop))?;
        for hash in hashes {
            within!(self, |db| sqlx::query(KEEP)
                .bind(account.as_uuid())
                .bind(hash.as_slice())
                .execute(db)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}
