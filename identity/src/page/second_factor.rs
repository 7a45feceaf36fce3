//! The second step of signing in: a code of the application, or one of the recovery codes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::html;
use protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Account, StoreError};

use super::form::mistake;
use super::{Field, Page, PageRefusal, form};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor};
use crate::error::IdentityError;
use crate::next::Next;
use crate::seal::Use;
use crate::totp::SecondFactor;
use crate::words;

/// How long a person has for the second step.
const LIFE_MS: i64 = 5 * 60_000;

/// That somebody gave the right password a moment ago, or was vouched for by another provider. It travels through the browser, sealed, and counts in that browser
/// alone.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    account: AccountId,
    next: String,
    expires_at: Timestamp,
    /// The end of the hash that the password was compared with: a password that was changed since voids the ticket.
    password: String,
    /// How they proved who they are so far (RFC 8176 section 2).
    methods: String,
}

impl Ticket {
    pub(super) fn new(identity: &Identity, account: &Account, next: &Next, methods: &str) -> Self {
        Self {
            account: account.id,
            next: next.as_str().to_owned(),
            expires_at: identity.clock.now().plus(LIFE_MS),
            password: mark(account),
            methods: methods.to_owned(),
        }
    }

    pub(super) fn seal(&self, identity: &Identity, visitor: &Visitor) -> Result<String, IdentityError> {
        let plain = serde_json::to_vec(self).map_err(|_| IdentityError::Task)?;
        let sealed = identity.sealer.seal(Use::Ticket, visitor.binding.value.as_bytes(), &plain)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn open(identity: &Identity, visitor: &Visitor, text: &str) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = identity.sealer.unseal(Use::Ticket, visitor.binding.value.as_bytes(), &sealed).ok()?;
        let ticket: Self = serde_json::from_slice(&plain).ok()?;
        (ticket.expires_at > identity.clock.now()).then_some(ticket)
    }
}

/// `POST /sign-in/code`.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let sealed = form.get("ticket").unwrap_or_default();
    let ticket = Ticket::open(&identity, visitor, sealed).ok_or(PageRefusal::SignIn(Next::default()))?;
    let next = Next::read(Some(&ticket.next));
    let account = match identity.store.account(ticket.account).await {
        Ok(account) if account.disabled_at.is_none() && mark(&account) == ticket.password => account,
        Ok(_) | Err(StoreError::NotFound) => return Err(PageRefusal::SignIn(next)),
        Err(error) => return Err(error.into()),
    };
    let now = identity.clock.now();
    let who = Who::SecondFactor(account.id);
    if !identity.attempts.may_try(who.clone(), now) {
        return Err(PageRefusal::TooMany);
    }
    if !prove(&identity, &account, visitor, form.get("code").unwrap_or_default()).await? {
        identity.metrics.sign_in_refused();
        return Ok(page(sealed, &visitor.csrf, Some(words::WRONG_CODE)).show(&identity, visitor));
    }
    identity.attempts.succeeded(&who);
    visitor.sign_in(&identity, account.id, &format!("{} otp mfa", ticket.methods), &next).await
}

/// Whether the code is one of the two kinds.
async fn prove(
    identity: &Identity,
    account: &Account,
    visitor: &Visitor,
    code: &str,
) -> Result<bool, PageRefusal> {
    let now = identity.clock.now();
    let Some(totp) = account.totp.as_ref() else { return Ok(false) };
    let factor = SecondFactor::open(&identity.sealer, account.id, &totp.sealed)?;
    if let Some(step) = factor.step(code, now) {
        // Once: whoever looked over a shoulder comes too late (RFC 6238 section 5.2).
        return Ok(identity.store.accept_totp_step(account.id, step).await?);
    }
    if !identity.store.use_recovery_code(account.id, code, now).await? {
        return Ok(false);
    }
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    let left = identity.store.recovery_codes_left(account.id).await?;
    identity.record(What::RecoveryCodeUsed, about, json!({"left": left})).await;
    // A code on paper is a password for one time, too.
    Ok(true)
}

pub(super) fn page<'a>(ticket: &str, csrf: &str, wrong: Option<&str>) -> Page<'a> {
    let code = Field {
        name: "code",
        label: words::CODE,
        kind: "text",
        autocomplete: "one-time-code",
        value: "",
        hint: Some(words::CODE_HINT),
    };
    let inner = html! {
        input type="hidden" name="ticket" value=(ticket);
        (code.show())
        button type="submit" { (words::SIGN_IN) }
    };
    let body = html! { (mistake(wrong)) (form(csrf, "/sign-in/code", &inner)) };
    let page = if wrong.is_some() {
        Page::wrong(words::SECOND_FACTOR, body)
    } else {
        Page::new(words::SECOND_FACTOR, body)
    };
    page.leading_anywhere()
}

fn mark(account: &Account) -> String {
    let phc = account.password.as_deref().unwrap_or_default();
    phc.rsplit('$').next().unwrap_or_default().to_owned()
}
