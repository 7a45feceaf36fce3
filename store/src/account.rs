//! Accounts: people, how they prove who they are, and what they are called.

mod link;
mod passkey;
mod recovery;
mod rows;
mod totp;

use std::fmt;

use protocol::{AccountId, Timestamp};
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::text;

use rows::AccountRow;

pub use link::{Link, LinkPurpose};
pub use passkey::{NewPasskey, Passkey};
pub use totp::Totp;

/// A person.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The address as it was typed; no other account has it, in whatever case.
    pub email: String,
    /// When the person showed that mail to it reaches them.
    pub email_verified_at: Option<Timestamp>,
    /// What to call the person.
    pub name: String,
    /// A BCP 47 language tag, when one was chosen.
    pub locale: Option<String>,
    /// The password's hash in the PHC string format; none when there is no password.
    pub password: Option<String>,
    /// The second factor, when one was begun.
    pub totp: Option<Totp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was disabled; none while it may sign in.
    pub disabled_at: Option<Timestamp>,
}

/// An account to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// See [`Account::email`]: at most 254 characters with an `@` (RFC 5321 section 4.5.3.1).
    pub email: String,
    /// Whether it is known already that mail to it reaches the person.
    pub email_verified: bool,
    /// See [`Account::name`]: at most 200 characters.
    pub name: String,
    /// See [`Account::locale`].
    pub locale: Option<String>,
    /// See [`Account::password`].
    pub password: Option<String>,
}

impl Store {
    /// Makes an account; a conflict over `email` when the address is taken.
    pub async fn create_account(&self, new: &NewAccount, now: Timestamp) -> Result<Account> {
        new.check()?;
        let mut tx = self.begin().await?;
        let account = tx.insert_account(new, now).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// One account, also when it is disabled.
    pub async fn account(&self, id: AccountId) -> Result<Account> {
        const SQL: &str = rows::select_accounts!("WHERE id = $1");
        let row: Option<AccountRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        row.map(Account::from).ok_or(StoreError::NotFound)
    }

    /// The account with this address, in whatever case and also when it is disabled.
    pub async fn account_with_email(&self, email: &str) -> Result<Option<Account>> {
        const SQL: &str = rows::select_accounts!("WHERE email_key = $1");
        if check_email(email).is_err() {
            return Ok(None);
        }
        let row: Option<AccountRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(email_key(email)).fetch_optional(db).await?);
        Ok(row.map(Account::from))
    }

    /// Whether anybody has an account: when nobody has, the installation waits to be set up.
    pub async fn has_accounts(&self) -> Result<bool> {
        const SQL: &str = "SELECT id FROM accounts LIMIT 1";
        let row: Option<Uuid> = on!(self, |db| sqlx::query_scalar(SQL).fetch_optional(db).await?);
        Ok(row.is_some())
    }

    /// Changes what a person is called and in which language.
    pub async fn rename_account(&self, id: AccountId, name: &str, locale: Option<&str>) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET name = $2, locale = $3 WHERE id = $1";
        text::check_optional("a name", Some(name), 200)?;
        text::check_optional("a locale", locale, 35)?;
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(name)
            .bind(locale)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Sets the hash of a password, or takes the password away.
    pub async fn set_password(&self, id: AccountId, password: Option<&str>) -> Result<()> {
        check_password(password)?;
        let mut tx = self.begin().await?;
        tx.update_password(id, password).await?;
        tx.commit().await
    }

    /// Replaces the hash of a password by another of the same password. Gives whether it did: not when the password was
    /// changed meanwhile.
    pub async fn rehash_password(&self, id: AccountId, old: &str, new: &str) -> Result<bool> {
        const SQL: &str = "UPDATE accounts SET password = $3 WHERE id = $1 AND password = $2";
        check_password(Some(new))?;
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(old)
            .bind(new)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Disables an account and ends its browser sessions. One that is disabled already keeps the time when it was.
    pub async fn disable_account(&self, id: AccountId, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1";
        let mut tx = self.begin().await?;
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        tx.revoke_browser_sessions(id, None, now).await?;
        tx.commit().await
    }

    /// Lets a disabled account sign in again.
    pub async fn enable_account(&self, id: AccountId) -> Result<()> {
        const SQL: &str = "UPDATE accounts SET disabled_at = NULL WHERE id = $1";
        let mut tx = self.begin().await?;
        let changed =
            within!(&mut tx, |db| sqlx::query(SQL).bind(id.as_uuid()).execute(db).await?.rows_affected());
        tx.commit().await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

impl NewAccount {
    pub(crate) fn check(&self) -> Result<()> {
        check_email(&self.email)?;
        text::check_optional("a name", Some(&self.name), 200)?;
        text::check_optional("a locale", self.locale.as_deref(), 35)?;
        check_password(self.password.as_deref())
    }
}

/// Only what can never be an address is refused: whether mail arrives is seen by sending some.
pub(crate) fn check_email(email: &str) -> Result<()> {
    let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let is_foreign = |character: char| character.is_whitespace() || character.is_control();
    if !is_address || email.len() > 254 || email.contains(is_foreign) {
        return Err(StoreError::Invalid("that is no e-mail address".into()));
    }
    Ok(())
}

/// What two spellings of an address have in common.
pub(crate) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

fn check_password(password: Option<&str>) -> Result<()> {
    match password {
        Some(phc) if !phc.starts_with('$') => {
            Err(StoreError::Invalid("a password is stored as a PHC string".into()))
        }
        password => text::check_optional("a PHC string", password, 1_000),
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").finish_non_exhaustive()
    }
}
