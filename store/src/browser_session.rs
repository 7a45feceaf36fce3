//! Browsers that people signed in with.

use std::net::IpAddr;

use protocol::{AccountId, BrowserSessionId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::text;

/// A browser that a person signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its id, which is no secret.
    pub id: BrowserSessionId,
    /// Who signed in.
    pub account: AccountId,
    /// When the person first signed in.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was last used, to a minute.
    pub seen_at: Timestamp,
    /// From when on it is no longer valid.
    pub expires_at: Timestamp,
    /// How the person proved who they are: words of RFC 8176 with spaces between them, `pwd otp`.
    pub methods: String,
    /// Where it came from at its sign-in.
    pub address: String,
    /// What it calls itself.
    pub agent: String,
}

/// A browser session to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBrowserSession {
    /// See [`BrowserSession::account`].
    pub account: AccountId,
    /// See [`BrowserSession::methods`].
    pub methods: String,
    /// See [`BrowserSession::address`].
    pub address: IpAddr,
    /// See [`BrowserSession::agent`]: what is past 300 characters is cut off.
    pub agent: String,
    /// See [`BrowserSession::expires_at`].
    pub expires_at: Timestamp,
}

/// How exactly `seen_at` is kept: not every request writes.
const SEEN_MS: i64 = 60_000;

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.account, s.created_at, s.authenticated_at, s.seen_at, s.expires_at, s.methods, s.address, s.agent
            FROM browser_sessions s ",
            $rest
        )
    };
}

impl Store {
    /// Begins a session; its secret is returned here and never again. Not found when there is no such account, and a
    /// conflict over `account` when it is disabled.
    pub async fn begin_browser_session(
        &self,
        new: &NewBrowserSession,
        now: Timestamp,
    ) -> Result<(BrowserSession, Secret)> {
        const SQL: &str = "INSERT INTO browser_sessions
                (id, hash, account, created_at, authenticated_at, seen_at, expires_at, methods, address, agent)
            VALUES ($1, $2, $3, $4, $4, $4, $5, $6, $7, $8)";
        text::check("the methods", &new.methods, 100)?;
        let (secret, hash) = self.mint(Purpose::BrowserSession)?;
        let session = BrowserSession {
            id: BrowserSessionId::new(now, random::bytes()?),
            account: new.account,
            created_at: now,
            authenticated_at: now,
            seen_at: now,
            expires_at: new.expires_at,
            methods: new.methods.clone(),
            address: new.address.to_string(),
            agent: new.agent.chars().filter(|character| *character != '\0').take(300).collect(),
        };
        let mut tx = self.begin().await?;
        if tx.lock_account(new.account).await?.disabled_at.is_some() {
            return Err(StoreError::Conflict("account"));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(session.id.as_uuid())
            .bind(hash.as_slice())
            .bind(session.account.as_uuid())
            .bind(now.0)
            .bind(session.expires_at.0)
            .bind(&session.methods)
            .bind(&session.address)
            .bind(&session.agent)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok((session, secret))
    }

    /// The session that `presented` is the secret of; none when it was revoked, is over or never was, was not seen after
    /// `idle_since`, or its account is disabled. Notes that it was seen.
    pub async fn sign_in_browser(
        &self,
        presented: &str,
        idle_since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>> {
        const SQL: &str = select_sessions!(
            "JOIN accounts a ON a.id = s.account WHERE s.hash = $1 AND s.revoked_at IS NULL
                AND s.expires_at > $2 AND s.seen_at > $3 AND a.disabled_at IS NULL"
        );
        const SEEN: &str = "UPDATE browser_sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2";
        let Some(hash) = self.hashed(Purpose::BrowserSession, presented) else { return Ok(None) };
        let row: Option<BrowserSessionRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(hash.as_slice())
            .bind(now.0)
            .bind(idle_since.0)
            .fetch_optional(db)
            .await?);
        let Some(mut session) = row.map(BrowserSession::from) else { return Ok(None) };
        if session.seen_at <= now.minus(SEEN_MS) {
            let mut tx = self.begin().await?;
            within!(&mut tx, |db| sqlx::query(SEEN)
                .bind(session.id.as_uuid())
                .bind(now.0)
                .execute(db)
                .await
                .map(drop))?;
            tx.commit().await?;
            session.seen_at = now;
        }
        Ok(Some(session))
    }

    /// Notes that the person of a session proved again who they are, and gives it a new secret: the one before is void, so
    /// that whoever knew it gains nothing.
    pub async fn renew_browser_session(
        &self,
        account: AccountId,
        id: BrowserSessionId,
        methods: &str,
        now: Timestamp,
    ) -> Result<Secret> {
        const SQL: &str =
            "UPDATE browser_sessions SET hash = $3, methods = $4, authenticated_at = $5, seen_at = $5
            WHERE id = $1 AND account = $2 AND revoked_at IS NULL AND expires_at > $5";
        text::check("the methods", methods, 100)?;
        let (secret, hash) = self.mint(Purpose::BrowserSession)?;
        let mut tx = self.begin().await?;
        let renewed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
            .bind(hash.as_slice())
            .bind(methods)
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if renewed == 0 { Err(StoreError::NotFound) } else { Ok(secret) }
    }

    /// The sessions of an account that are neither revoked nor over, oldest first.
    pub async fn browser_sessions(&self, account: AccountId, now: Timestamp) -> Result<Vec<BrowserSession>> {
        const SQL: &str = select_sessions!(
            "WHERE s.account = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 ORDER BY s.id"
        );
        let rows: Vec<BrowserSessionRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).bind(now.0).fetch_all(db).await?);
        Ok(rows.into_iter().map(BrowserSession::from).collect())
    }

    /// Ends a session, for good.
    pub async fn revoke_browser_session(
        &self,
        account: AccountId,
        id: BrowserSessionId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE browser_sessions SET revoked_at = coalesce(revoked_at, $3)
            WHERE id = $1 AND account = $2";
        let mut tx = self.begin().await?;
        let found = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(account.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Ends every session of an account except one, if one is named. Gives how many were ended.
    pub async fn revoke_browser_sessions(
        &self,
        account: AccountId,
        except: Option<BrowserSessionId>,
        now: Timestamp,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let revoked = tx.revoke_browser_sessions(account, except, now).await?;
        tx.commit().await?;
        Ok(revoked)
    }
}

impl Tx {
    pub(crate) async fn revoke_browser_sessions(
        &mut self,
        account: AccountId,
        except: Option<BrowserSessionId>,
        now: Timestamp,
    ) -> Result<u64> {
        const SQL: &str = "UPDATE browser_sessions SET revoked_at = $2
            WHERE account = $1 AND id <> $3 AND revoked_at IS NULL";
        Ok(within!(self, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(now.0)
            .bind(except.map_or(Uuid::nil(), |id| id.as_uuid()))
            .execute(db)
            .await?
            .rows_affected()))
    }
}

#[derive(FromRow)]
struct BrowserSessionRow {
    id: Uuid,
    account: Uuid,
    created_at: i64,
    authenticated_at: i64,
    seen_at: i64,
    expires_at: i64,
    methods: String,
    address: String,
    agent: String,
}

impl From<BrowserSessionRow> for BrowserSession {
    fn from(row: BrowserSessionRow) -> Self {
        Self {
            id: BrowserSessionId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account),
            created_at: Timestamp(row.created_at),
            authenticated_at: Timestamp(row.authenticated_at),
            seen_at: Timestamp(row.seen_at),
            expires_at: Timestamp(row.expires_at),
            methods: row.methods,
            address: row.address,
            agent: row.agent,
        }
    }
}
