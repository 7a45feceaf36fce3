//! Links that are sent by mail and work once, and what using one does.

use protocol::{AccountId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Account, NewAccount, check_email, check_password};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::role::{BuiltInRole, Role};
use crate::secret::{Purpose, Secret};

words! {
    /// What a link is for.
    pub enum LinkPurpose {
        /// Shows that mail reaches the person.
        VerifyEmail = "verify_email",
        /// Sets a new password without the old one.
        ResetPassword = "reset_password",
        /// Makes the first account of an installation.
        SetUp = "set_up",
        /// Gives an account the address that the link was sent to.
        ChangeEmail = "change_email",
    }
}

/// A link that can still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What for.
    pub purpose: LinkPurpose,
    /// By whom; none when there is no account yet.
    pub account: Option<AccountId>,
    /// The address that it is about; empty for [`LinkPurpose::SetUp`].
    pub email: String,
    /// From when on it no longer works.
    pub expires_at: Timestamp,
}

impl Store {
    /// Makes a link; its secret is returned here and never again. Others of the same account stay good.
    pub async fn create_link(&self, link: &Link, now: Timestamp) -> Result<Secret> {
        const SQL: &str = "INSERT INTO account_links (hash, account, purpose, email, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        if link.purpose != LinkPurpose::SetUp {
            check_email(&link.email)?;
            self.account(link.account.ok_or(StoreError::NotFound)?).await?;
        }
        let (secret, hash) = self.mint(Purpose::Link)?;
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(hash.as_slice())
            .bind(link.account.map(|account| account.as_uuid()))
            .bind(link.purpose.as_str())
            .bind(&link.email)
            .bind(now.0)
            .bind(link.expires_at.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok(secret)
    }

    /// The link that `presented` is the secret of, without using it; none when it was used, is over or never was.
    pub async fn link(&self, purpose: LinkPurpose, presented: &str, now: Timestamp) -> Result<Option<Link>> {
        const SQL: &str = "SELECT account, email, expires_at FROM account_links
            WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
        let Some(hash) = self.hashed(Purpose::Link, presented) else { return Ok(None) };
        let row: Option<LinkRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(purpose.as_str())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        Ok(row.map(|row| row.read(purpose)))
    }

    /// Uses a link of [`LinkPurpose::VerifyEmail`] or [`LinkPurpose::ChangeEmail`]: from now on the account has the
    /// address, and mail to it is known to arrive. None when the link cannot be used, or the account has another address
    /// by now; a conflict over `email`, and the link stays, when another account has the address.
    pub async fn verify_email(&self, presented: &str, now: Timestamp) -> Result<Option<Account>> {
        let Some(hash) = self.hashed(Purpose::Link, presented) else { return Ok(None) };
        let mut tx = self.begin().await?;
        let mut used = None;
        for purpose in [LinkPurpose::VerifyEmail, LinkPurpose::ChangeEmail] {
            if used.is_none() {
                used = tx.use_link(purpose, &hash, now).await?;
            }
        }
        let Some(Link { purpose, account: Some(account), email, .. }) = used else { return Ok(None) };
        let mut account = tx.lock_account(account).await?;
        if purpose == LinkPurpose::VerifyEmail && account.email != email {
            tx.commit().await?;
            return Ok(None);
        }
        tx.update_email(account.id, &email, now).await?;
        tx.commit().await?;
        account.email = email;
        account.email_verified_at = Some(now);
        Ok(Some(account))
    }

    /// Uses a link of [`LinkPurpose::ResetPassword`]: sets the password, ends the browser sessions and voids the other
    /// links of this purpose. While nobody had shown that mail reaches them, the account may be of somebody who typed the
    /// address of another person: their other ways to sign in end. None when the link cannot be used.
    pub async fn reset_password(
        &self,
        presented: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Option<Account>> {
        check_password(Some(password))?;
        let Some(hash) = self.hashed(Purpose::Link, presented) else { return Ok(None) };
        let mut tx = self.begin().await?;
        let used = tx.use_link(LinkPurpose::ResetPassword, &hash, now).await?;
        let Some(Link { account: Some(id), email, .. }) = used else { return Ok(None) };
        let mut account = tx.lock_account(id).await?;
        tx.update_password(id, Some(password)).await?;
        if account.email == email && account.email_verified_at.is_none() {
            // The link came by mail.
            tx.delete_other_ways(id).await?;
            tx.update_email(id, &email, now).await?;
            account.email_verified_at = Some(now);
        }
        tx.void_links(LinkPurpose::ResetPassword, Some(id), now).await?;
        tx.revoke_browser_sessions(id, None, now).await?;
        tx.commit().await?;
        account.password = Some(password.to_owned());
        Ok(Some(account))
    }

    /// Uses a link of [`LinkPurpose::SetUp`]: makes the account, makes it owner of the organization that the installation
    /// starts with, and voids the other links of this purpose. None when the link cannot be used.
    pub async fn set_up(&self, presented: &str, new: &NewAccount, now: Timestamp) -> Result<Option<Account>> {
        new.check()?;
        let Some(hash) = self.hashed(Purpose::Link, presented) else { return Ok(None) };
        let organization = self.default_organization(now).await?.id;
        let mut tx = self.change(organization).await?;
        if tx.use_link(LinkPurpose::SetUp, &hash, now).await?.is_none() {
            return Ok(None);
        }
        let account = tx.insert_account(new, now).await?;
        tx.insert_member(organization, account.id, Role::BuiltIn(BuiltInRole::Owner), now).await?;
        tx.void_links(LinkPurpose::SetUp, None, now).await?;
        tx.commit().await?;
        Ok(Some(account))
    }
}

impl Tx {
    async fn use_link(
        &mut self,
        purpose: LinkPurpose,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Link>> {
        const SQL: &str = "UPDATE account_links SET used_at = $3
            WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
            RETURNING account, email, expires_at";
        let row: Option<LinkRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(purpose.as_str())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        Ok(row.map(|row| row.read(purpose)))
    }

    /// Voids the links of a purpose that an account, or nobody, has.
    async fn void_links(
        &mut self,
        purpose: LinkPurpose,
        account: Option<AccountId>,
        now: Timestamp,
    ) -> Result<()> {
        const OF_ACCOUNT: &str = "UPDATE account_links SET used_at = $2
            WHERE purpose = $1 AND used_at IS NULL AND account = $3";
        const OF_NOBODY: &str = "UPDATE account_links SET used_at = $2
            WHERE purpose = $1 AND used_at IS NULL AND account IS NULL";
        match account {
            Some(account) => within!(self, |db| sqlx::query(OF_ACCOUNT)
                .bind(purpose.as_str())
                .bind(now.0)
                .bind(account.as_uuid())
                .execute(db)
                .await
                .map(drop))?,
            None => within!(self, |db| sqlx::query(OF_NOBODY)
                .bind(purpose.as_str())
                .bind(now.0)
                .execute(db)
                .await
                .map(drop))?,
        }
        Ok(())
    }
}

#[derive(FromRow)]
struct LinkRow {
    account: Option<Uuid>,
    email: String,
    expires_at: i64,
}

impl LinkRow {
    fn read(self, purpose: LinkPurpose) -> Link {
        Link {
            purpose,
            account: self.account.map(AccountId::from_uuid),
            email: self.email,
            expires_at: Timestamp(self.expires_at),
        }
    }
}
