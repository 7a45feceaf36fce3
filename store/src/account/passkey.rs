//! Passkeys: credentials that a person's device keeps (`WebAuthn`).

use protocol::{AccountId, PasskeyId, Timestamp};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::random;
use crate::text;

/// Passkeys that an account may have: more devices than a person carries.
const MAX_PASSKEYS: i64 = 50;

/// A passkey.
#[derive(Debug, Clone, PartialEq)]
pub struct Passkey {
    /// Its id here.
    pub id: PasskeyId,
    /// Whose it is.
    pub account: AccountId,
    /// The id that its device gave it; no other passkey has it.
    pub credential: Vec<u8>,
    /// A name for its person.
    pub name: String,
    /// Its public key, counter and so on: a document that only sign-in looks into.
    pub data: Value,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last signed in.
    pub last_used_at: Option<Timestamp>,
}

/// A passkey to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPasskey {
    /// See [`Passkey::credential`]: 1 to 1,023 bytes.
    pub credential: Vec<u8>,
    /// See [`Passkey::name`]: 1 to 200 characters.
    pub name: String,
    /// See [`Passkey::data`].
    pub data: Value,
}

macro_rules! select_passkeys {
    ($rest:literal) => {
        concat!("SELECT id, account, credential, name, data, created_at, last_used_at FROM passkeys ", $rest)
    };
}

impl Store {
    /// Adds a passkey; a conflict over `credential` when it is known already, and over `passkeys` when there are 50.
    pub async fn add_passkey(&self, account: AccountId, new: &NewPasskey, now: Timestamp) -> Result<Passkey> {
        const COUNT: &str = "SELECT count(*) FROM passkeys WHERE account = $1";
        const SQL: &str = "INSERT INTO passkeys (id, account, credential, name, data, created_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        text::check("the name of a passkey", &new.name, 200)?;
        text::check_json(&new.data)?;
        if !(1..=1_023).contains(&new.credential.len()) {
            return Err(StoreError::Invalid("the id of a credential has 1 to 1023 bytes".into()));
        }
        let id = PasskeyId::new(now, random::bytes()?);
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        let count: i64 =
            within!(&mut tx, |db| sqlx::query_scalar(COUNT).bind(account.as_uuid()).fetch_one(db).await?);
        if count >= MAX_PASSKEYS {
            return Err(StoreError::Conflict("passkeys"));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
            .bind(&new.credential)
            .bind(&new.name)
            .bind(Json(&new.data))
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("credential"))?;
        tx.commit().await?;
        let NewPasskey { credential, name, data } = new.clone();
        Ok(Passkey { id, account, credential, name, data, created_at: now, last_used_at: None })
    }

    /// The passkeys of an account, oldest first.
    pub async fn passkeys(&self, account: AccountId) -> Result<Vec<Passkey>> {
        const SQL: &str = select_passkeys!("WHERE account = $1 ORDER BY id");
        let rows: Vec<PasskeyRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        Ok(rows.into_iter().map(Passkey::from).collect())
    }

    /// The passkey with the id that its device gave it.
    pub async fn passkey_with_credential(&self, credential: &[u8]) -> Result<Option<Passkey>> {
        const SQL: &str = select_passkeys!("WHERE credential = $1");
        let row: Option<PasskeyRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(credential).fetch_optional(db).await?);
        Ok(row.map(Passkey::from))
    }

    /// Notes that a passkey signed in, and what has changed in its data; a conflict over `data` when that is no longer what
    /// was looked at, so that of two sign-ins with the same count one is looked at again.
    pub async fn passkey_used(&self, looked_at: &Passkey, data: &Value, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE passkeys SET data = $3, last_used_at = $4
            WHERE id = $1 AND account = $2 AND data = $5";
        const IS_THERE: &str = "SELECT count(*) FROM passkeys WHERE id = $1 AND account = $2";
        text::check_json(data)?;
        let (id, account) = (looked_at.id.as_uuid(), looked_at.account.as_uuid());
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id)
            .bind(account)
            .bind(Json(data))
            .bind(now.0)
            .bind(Json(&looked_at.data))
            .execute(db)
            .await?
            .rows_affected());
        if changed > 0 {
            return tx.commit().await;
        }
        let there: i64 =
            within!(&mut tx, |db| sqlx::query_scalar(IS_THERE).bind(id).bind(account).fetch_one(db).await?);
        Err(if there == 0 { StoreError::NotFound } else { StoreError::Conflict("data") })
    }

    /// Changes what its person calls a passkey.
    pub async fn rename_passkey(&self, account: AccountId, id: PasskeyId, name: &str) -> Result<()> {
        const SQL: &str = "UPDATE passkeys SET name = $3 WHERE id = $1 AND account = $2";
        text::check("the name of a passkey", name, 200)?;
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
            .bind(name)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Takes a passkey away; a conflict over `last` when the account could not sign in any more.
    pub async fn delete_passkey(&self, account: AccountId, id: PasskeyId) -> Result<()> {
        const SQL: &str = "DELETE FROM passkeys WHERE id = $1 AND account = $2";
        let mut tx = self.begin().await?;
        tx.lock_account(account).await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
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

#[derive(FromRow)]
struct PasskeyRow {
    id: Uuid,
    account: Uuid,
    credential: Vec<u8>,
    name: String,
    data: Json<Value>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        Self {
            id: PasskeyId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account),
            credential: row.credential,
            name: row.name,
            data: row.data.0,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
        }
    }
}
