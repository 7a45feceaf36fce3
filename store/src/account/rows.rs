//! The rows of accounts.

use protocol::{AccountId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Account, NewAccount, Totp, email_key};
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::random;

macro_rules! select_accounts {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, email_verified_at, name, locale, password, totp, totp_confirmed_at, totp_step, created_at,
                disabled_at FROM accounts ",
            $rest
        )
    };
}
pub(super) use select_accounts;

impl Tx {
    pub(crate) async fn insert_account(&mut self, new: &NewAccount, now: Timestamp) -> Result<Account> {
        const SQL: &str =
            "INSERT INTO accounts (id, email, email_key, email_verified_at, name, locale, password, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let id = AccountId::new(now, random::bytes()?);
        let email_verified_at = new.email_verified.then_some(now);
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(&new.email)
            .bind(email_key(&new.email))
            .bind(email_verified_at.map(|at| at.0))
            .bind(&new.name)
            .bind(&new.locale)
            .bind(&new.password)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("email"))?;
        let NewAccount { email, name, locale, password, .. } = new.clone();
        let (totp, created_at, disabled_at) = (None, now, None);
        Ok(Account { id, email, email_verified_at, name, locale, password, totp, created_at, disabled_at })
    }

    /// One account; waits for whoever changes it and keeps others from doing so.
    pub(crate) async fn lock_account(&mut self, id: AccountId) -> Result<Account> {
        const SQLITE: &str = select_accounts!("WHERE id = $1");
        const POSTGRES: &str = select_accounts!("WHERE id = $1 FOR NO KEY UPDATE");
        let row: Option<AccountRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(id.as_uuid()).fetch_optional(&mut **tx).await?,
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(id.as_uuid()).fetch_optional(&mut **tx).await?
            }
        };
        row.map(Account::from).ok_or(StoreError::NotFound)
    }

    pub(super) async fn update_password(&mut self, id: AccountId, password: Option<&str>) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET password = $2 WHERE id = $1";
        let changed = within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(password)
            .execute(db)
            .await?
            .rows_affected());
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// A conflict over `last` when an account has no password, no passkey and no other provider.
    pub(crate) async fn check_signs_in(&mut self, id: AccountId) -> Result<()> {
        const SQL: &str = "SELECT
            (SELECT count(*) FROM accounts WHERE id = $1 AND password IS NOT NULL)
            + (SELECT count(*) FROM passkeys WHERE account = $1)
            + (SELECT count(*) FROM identities WHERE account = $1)";
        let ways: i64 = within!(self, |db| sqlx::query_scalar(SQL).bind(id.as_uuid()).fetch_one(db).await?);
        if ways == 0 { Err(StoreError::Conflict("last")) } else { Ok(()) }
    }

    /// Takes every way to sign in away but the password.
    pub(super) async fn delete_other_ways(&mut self, id: AccountId) -> Result<()> {
        for sql in ["DELETE FROM passkeys WHERE account = $1", "DELETE FROM identities WHERE account = $1"] {
            within!(self, |db| sqlx::query(sql).bind(id.as_uuid()).execute(db).await.map(drop))?;
        }
        Ok(())
    }

    pub(super) async fn update_email(&mut self, id: AccountId, email: &str, now: Timestamp) -> Result<()> {
        const SQL: &str =
            "UPDATE accounts SET email = $2, email_key = $3, email_verified_at = $4 WHERE id = $1";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(email)
            .bind(email_key(email))
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("email"))
    }
}

#[derive(FromRow)]
pub(super) struct AccountRow {
    id: Uuid,
    email: String,
    email_verified_at: Option<i64>,
    name: String,
    locale: Option<String>,
    password: Option<String>,
    totp: Option<Vec<u8>>,
    totp_confirmed_at: Option<i64>,
    totp_step: i64,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let (confirmed_at, step) = (row.totp_confirmed_at.map(Timestamp), row.totp_step);
        Self {
            id: AccountId::from_uuid(row.id),
            email: row.email,
            email_verified_at: row.email_verified_at.map(Timestamp),
            name: row.name,
            locale: row.locale,
            password: row.password,
            totp: row.totp.map(|sealed| Totp { sealed, confirmed_at, step }),
            created_at: Timestamp(row.created_at),
            disabled_at: row.disabled_at.map(Timestamp),
        }
    }
}
