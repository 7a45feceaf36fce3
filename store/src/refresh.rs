//! Refresh tokens: those of servers stay as long as the link does, those in people's hands rotate.
//!
//! A token that rotates stays good until its successor was used for the first time: an answer that is lost on the way may
//! be asked for again. One that comes after that was copied by somebody, and the whole grant ends.

mod rows;

use protocol::{ClientId, GrantId, Timestamp};

use crate::client::ClientKind;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::{Grant, GrantStanding, RevokedWhy};
use crate::secret::{Purpose, Secret};

use rows::TokenRow;

/// What became of a refresh token that was presented.
#[derive(Debug, Clone)]
pub enum Refresh {
    /// It is good, and this is the next one; it stays good until the next one is used.
    Rotated {
        /// What it stands for.
        grant: Grant,
        /// The next one.
        token: Secret,
    },
    /// It is good and stays so.
    Stable {
        /// What it stands for.
        grant: Grant,
    },
    /// Its successor was used already; the grant is revoked now.
    Reused(GrantId),
    /// The client has no such token, or it no longer counts.
    Unknown,
}

impl Store {
    /// Makes the first refresh token of a grant; it is returned here and never again. A conflict over `grant` when the
    /// grant is revoked: its code may have been replayed in the meantime.
    pub async fn issue_refresh_token(
        &self,
        grant: GrantId,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Secret> {
        let (secret, hash) = self.mint(Purpose::RefreshToken)?;
        let mut tx = self.begin().await?;
        let grant = tx.lock_grant(grant).await?;
        if grant.revoked.is_some() {
            return Err(StoreError::Conflict("grant"));
        }
        tx.insert_refresh_token(&grant, &hash, None, expires_at, now).await?;
        tx.touch_grant(grant.id, now).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Takes a refresh token in. That of a public client rotates, and its successor ends at `expires_at`; others stay, and
    /// nothing is written for them but the time of use, once a minute.
    pub async fn refresh(
        &self,
        client: ClientId,
        presented: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Refresh> {
        let Some(hash) = self.hashed(Purpose::RefreshToken, presented) else { return Ok(Refresh::Unknown) };
        let Some((token, kind)) = self.refresh_token(client, &hash).await? else {
            return Ok(Refresh::Unknown);
        };
        let Some(standing) = self.grant_standing(token.grant()).await? else { return Ok(Refresh::Unknown) };
        if !standing.is_good() {
            return Ok(Refresh::Unknown);
        }
        match kind {
            ClientKind::Public => self.rotate(&hash, standing, expires_at, now).await,
            ClientKind::Confidential | ClientKind::Assistant if token.is_over(now) => Ok(Refresh::Unknown),
            ClientKind::Confidential | ClientKind::Assistant => {
                self.grant_used(standing.grant.id, now).await?;
                Ok(Refresh::Stable { grant: standing.grant })
            }
        }
    }

    /// The standing of the grant that `presented` is a refresh token of, without using the token; none when the client has
    /// no such token, it is over or its successor was used.
    pub async fn find_refresh_token(
        &self,
        client: ClientId,
        presented: &str,
        now: Timestamp,
    ) -> Result<Option<GrantStanding>> {
        let Some(hash) = self.hashed(Purpose::RefreshToken, presented) else { return Ok(None) };
        match self.refresh_token(client, &hash).await? {
            Some((token, _)) if !token.is_over(now) && !token.is_confirmed() => {
                self.grant_standing(token.grant()).await
            }
            _ => Ok(None),
        }
    }

    /// Revokes the grant that `presented` is a refresh token of, also when the token was replaced (RFC 7009 section 2.1).
    /// Gives the grant; none when the client has no such token.
    pub async fn revoke_refresh_token(
        &self,
        client: ClientId,
        presented: &str,
        now: Timestamp,
    ) -> Result<Option<GrantId>> {
        let Some(hash) = self.hashed(Purpose::RefreshToken, presented) else { return Ok(None) };
        let Some((token, _)) = self.refresh_token(client, &hash).await? else { return Ok(None) };
        let mut tx = self.begin().await?;
        tx.revoke_grant(token.grant(), RevokedWhy::TokenRevoked, now).await?;
        tx.commit().await?;
        Ok(Some(token.grant()))
    }

    /// Everything about one grant's tokens happens behind the lock of its row, so a token cannot be taken for the current
    /// one while its successor is being used.
    async fn rotate(
        &self,
        hash: &[u8; 32],
        standing: GrantStanding,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Refresh> {
        let mut tx = self.begin().await?;
        let grant = tx.lock_grant(standing.grant.id).await?;
        // It may have died while the lock was waited for.
        let Some(token) = tx.refresh_token(hash).await? else { return Ok(Refresh::Unknown) };
        if grant.revoked.is_some() {
            return Ok(Refresh::Unknown);
        }
        if token.is_confirmed() {
            tx.revoke_grant(grant.id, RevokedWhy::RefreshReused, now).await?;
            tx.commit().await?;
            return Ok(Refresh::Reused(grant.id));
        }
        if token.is_over(now) {
            return Ok(Refresh::Unknown);
        }
        let (secret, next) = self.mint(Purpose::RefreshToken)?;
        tx.replace_refresh_token(&grant, &token, &next, expires_at, now).await?;
        tx.touch_grant(grant.id, now).await?;
        tx.commit().await?;
        Ok(Refresh::Rotated { grant, token: secret })
    }
}

impl Tx {
    async fn replace_refresh_token(
        &mut self,
        grant: &Grant,
        token: &TokenRow,
        next: &[u8; 32],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        // That this one came shows that the answer it was in arrived.
        self.confirm_parent(token, now).await?;
        // What was answered before and never used is lost: it must not be a second way in.
        self.forget_successors(token).await?;
        self.mark_replaced(token, now).await?;
        self.insert_refresh_token(grant, next, Some(token), expires_at, now).await
    }
}
