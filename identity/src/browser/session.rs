//! Signing a browser in and out.

use std::sync::Arc;

use axum::response::Response;
use protocol::AccountId;
use serde_json::json;
use store::{NewBrowserSession, StoreError};

use super::{Cookie, Person, SignedIn, Visitor, append, redirect};
use crate::Identity;
use crate::audit::{About, What};
use crate::error::IdentityError;
use crate::next::Next;
use crate::page::PageRefusal;

const DAY_MS: i64 = 24 * 3_600_000;

impl SignedIn {
    /// The session that a secret opens, and its person.
    pub(super) async fn find(identity: &Identity, secret: &str) -> Result<Option<Self>, IdentityError> {
        let now = identity.clock.now();
        let idle_since = now.minus(i64::from(identity.config.session_idle_days) * DAY_MS);
        let Some(session) = identity.store.sign_in_browser(secret, idle_since, now).await? else {
            return Ok(None);
        };
        match identity.store.account(session.account).await {
            Ok(account) => Ok(Some(Self { account, session })),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Person {
    /// Signs the person out of every browser but this one, and tells the clients. Gives how many there were.
    pub(crate) async fn end_other_sessions(&self, identity: &Arc<Identity>) -> Result<u64, IdentityError> {
        let (account, now) = (self.account.id, identity.clock.now());
        let others = identity.store.browser_sessions(account, now).await?;
        let count = identity.store.revoke_browser_sessions(account, Some(self.session.id), now).await?;
        for other in others.iter().filter(|other| other.id != self.session.id) {
            identity.tell_signed_out(account, Some(other.id));
        }
        Ok(count)
    }
}

impl Visitor {
    /// Signs the browser in and sends it on.
    pub(crate) async fn sign_in(
        &self,
        identity: &Identity,
        account: AccountId,
        methods: &str,
        next: &Next,
    ) -> Result<Response, PageRefusal> {
        self.sign_in_with(identity, account, methods, next, redirect(next.as_str())).await
    }

    /// Signs the browser in with an answer that sends it on to `next`. It always gets a new secret, and a session that it had
    /// before ends: one that somebody else planted is worth nothing (session fixation).
    pub(crate) async fn sign_in_with(
        &self,
        identity: &Identity,
        account: AccountId,
        methods: &str,
        next: &Next,
        mut response: Response,
    ) -> Result<Response, PageRefusal> {
        let now = identity.clock.now();
        let life_ms = i64::from(identity.config.session_days) * DAY_MS;
        let new = NewBrowserSession {
            account,
            methods: methods.to_owned(),
            address: self.address,
            agent: self.agent.clone(),
            expires_at: now.plus(life_ms),
        };
        let (_, secret) = match identity.store.begin_browser_session(&new, now).await {
            // It was disabled while the password was typed.
            Err(StoreError::Conflict(_)) => return Err(PageRefusal::SignIn(next.clone())),
            begun => begun?,
        };
        if let Some(before) = &self.signed_in {
            identity.store.revoke_browser_session(before.account.id, before.session.id, now).await?;
        }
        let about = About { account: Some(account), address: Some(self.address), ..About::default() };
        identity.record(What::SignedIn, about, json!({"methods": methods})).await;
        identity.metrics.signed_in();
        let cookie = Cookie::Session.set(&secret.text(), identity.issuer.is_secure(), Some(life_ms / 1_000));
        append(&mut response, cookie);
        Ok(response)
    }

    /// Ends the session of the browser, if it has one, and tells the clients that were told of it.
    pub(crate) async fn sign_out(
        &self,
        identity: &Arc<Identity>,
        mut to: Response,
    ) -> Result<Response, IdentityError> {
        if let Some(SignedIn { account, session }) = &self.signed_in {
            identity.store.revoke_browser_session(account.id, session.id, identity.clock.now()).await?;
            let about = About { account: Some(account.id), address: Some(self.address), ..About::default() };
            identity.record(What::SignedOut, about, json!({})).await;
            identity.tell_signed_out(account.id, Some(session.id));
        }
        append(&mut to, Cookie::Session.clear(identity.issuer.is_secure()));
        Ok(to)
    }
}
