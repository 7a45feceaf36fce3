//! Refresh tokens: those of servers stay as long as the link does, those in people's hands rotate.
//!
//! A token that rotates stays good until its successor was used for the first time: an answer that is lost on the way may
//! be asked for again, and of several successors the first that is used is the one. What comes after that, the old token or
//! another successor, was copied by somebody, and the whole grant ends.

mod rows;

use protocol::{ClientId, GrantId, Timestamp};

use crate::client::ClientKind;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::grant::{Grant, GrantStanding, RevokedWhy};
use crate::secret::{Purpose, Secret};

use rows::{KnownToken, TokenRow};

/// What became of a refresh token that was presented.
#[derive(Debug, Clone)]
pub enum Refresh {
    /// It is good, and this is the next one; it stays good until the next one is used.
    Rotated {
        /// What it stands for.
        standing: Box<GrantStanding>,
        /// The next one.
        token: Secret,
    },
    /// It is good and stays so.
    Stable {
        /// What it stands for.
        standing: Box<GrantStanding>,
    },
    /// Its successor was used already, or another one in its place; the grant is revoked now.
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
    /// nothing is written for them.
    pub async fn refresh(
        &self,
        client: ClientId,
        presented: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Refresh> {
        let Some(hash) = self.hashed(Purpose::RefreshToken, presented) else { return Ok(Refresh::Unknown) };
        let Some(KnownToken { token, kind, standing }) = self.refresh_token(client, &hash).await? else {
            return Ok(Refresh::Unknown);
        };
        if !standing.is_good() {
            return Ok(Refresh::Unknown);
        }
        let standing = Box::new(standing);
        match kind {
            ClientKind::Public => self.rotate(&hash, standing, expires_at, now).await,
            ClientKind::Confidential | ClientKind::Assistant if token.is_over(now) => Ok(Refresh::Unknown),
            ClientKind::Confidential | ClientKind::Assistant => Ok(Refresh::Stable { standing }),
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
        let known = self.refresh_token(client, &hash).await?;
        let known = known.filter(|known| !known.token.is_over(now) && !known.token.is_confirmed());
        Ok(known.map(|known| known.standing))
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
        let Some(KnownToken { token, .. }) = self.refresh_token(client, &hash).await? else {
            return Ok(None);
        };
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
        standing: Box<GrantStanding>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Refresh> {
        let mut tx = self.begin().await?;
        let grant = &standing.grant;
        // It may have died while the lock was waited for.
        let Some(token) = tx.lock_refresh_token(grant.id, hash).await? else { return Ok(Refresh::Unknown) };
        if token.is_confirmed() {
            tx.revoke_grant(grant.id, RevokedWhy::RefreshReused, now).await?;
            tx.commit().await?;
            return Ok(Refresh::Reused(grant.id));
        }
        if token.is_over(now) {
            return Ok(Refresh::Unknown);
        }
        let (secret, next) = self.mint(Purpose::RefreshToken)?;
        tx.replace_refresh_token(grant, &token, &next, expires_at, now).await?;
        if grant.is_use_new(now) {
            tx.touch_grant(grant.id, now).await?;
        }
        tx.commit().await?;
        Ok(Refresh::Rotated { standing, token: secret })
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
        if token.is_replaced() {
            self.forget_old_successors(token).await?;
        }
        // That this one came shows that the answer it was in arrived: its parent is over, and so is what else was answered.
        self.mark_replaced(token, now).await?;
        self.insert_refresh_token(grant, next, Some(token), expires_at, now).await
    }
}
