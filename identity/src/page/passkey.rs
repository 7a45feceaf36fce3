//! Signing in with a passkey, and the script that asks the browser for one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use store::{Account, Passkey, StoreError};
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential};

use super::{PageRefusal, form};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::{About, What};
use crate::browser::{Scripted, Told, Visitor};
use crate::mail::WaysIn;
use crate::next::Next;
use crate::oauth::error::UNCACHED;
use crate::passkey::{METHODS, Passkeys, Refused};
use crate::words;

/// The script of the pages that passkeys are used on.
const SCRIPT: &str = include_str!("passkey.js");

/// What the script asks for before a sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    next: String,
}

/// What the authenticator signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    ceremony: String,
    credential: PublicKeyCredential,
}

/// What comes of it.
enum Outcome {
    LetIn(Account),
    /// With the passkey that was named, if there is such a one.
    Refused(Refused, Option<(Passkey, Account)>),
}

/// `GET /identity/passkey.js`.
pub(crate) async fn script() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=3600"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, SCRIPT).into_response()
}

/// `POST /sign-in/passkey/begin`.
pub(crate) async fn begin(
    State(identity): State<Arc<Identity>>,
    Scripted { visitor, said }: Scripted<Asked>,
) -> Result<Response, Told> {
    let passkeys = passkeys(&identity)?;
    if !identity.attempts.may_try(Who::Begun(visitor.address), identity.clock.now()) {
        return Err(PageRefusal::ManySignIns.into());
    }
    let next = Next::read(Some(&said.next));
    let begun = passkeys.begin_sign_in()?;
    let begun = identity.begin_ceremony(&visitor, begun, &next, None).await?;
    Ok(visitor.remembered(&identity, told(&begun)))
}

/// `POST /sign-in/passkey/finish`. Who has no such passkey, who did not prove to hold it and whose account is disabled all
/// read the same.
pub(crate) async fn finish(
    State(identity): State<Arc<Identity>>,
    Scripted { visitor, said }: Scripted<Shown>,
) -> Result<Response, Told> {
    let passkeys = passkeys(&identity)?;
    let taken = identity.take_ceremony(&visitor, &said.ceremony, None).await?;
    let (state, next): (DiscoverableAuthentication, _) =
        taken.ok_or(PageRefusal::Passkey(words::CEREMONY_OVER))?;
    let (refused, found) = match prove(&identity, passkeys, &said.credential, &state).await? {
        Outcome::LetIn(account) => return Ok(let_in(&identity, &visitor, &account, &next).await?),
        Outcome::Refused(refused, found) => (refused, found),
    };
    if let (Refused::Copied, Some((passkey, account))) = (refused, &found) {
        let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
        identity.record(What::PasskeyCopied, about, json!({"passkey": passkey.name})).await;
        // Whoever has the copy must not fill the mailbox.
        if identity.may_mail(&account.email) {
            identity.tell(account, WaysIn::PasskeyCopied { name: passkey.name.clone() });
        }
    }
    identity.metrics.sign_in_refused();
    let email = found.map(|(_, account)| Who::Email(account.email.to_lowercase()));
    let all = std::iter::once(Who::Address(visitor.address)).chain(email);
    tokio::time::sleep(identity.attempts.failed(all, identity.clock.now())).await;
    Err(PageRefusal::Passkey(words::passkey_refused(refused)).into())
}

/// Checks what the authenticator signed, with the passkey as it is kept. Where another sign-in was faster, it is looked at
/// once more: with a count that was used by then, it is a copy's.
async fn prove(
    identity: &Identity,
    passkeys: &Passkeys,
    answer: &PublicKeyCredential,
    state: &DiscoverableAuthentication,
) -> Result<Outcome, PageRefusal> {
    let mut is_again = false;
    loop {
        let Some((passkey, account)) = find(identity, passkeys, answer).await? else {
            return Ok(Outcome::Refused(Refused::Unproven, None));
        };
        let data = match passkeys.finish_sign_in(answer, state.clone(), &passkey.data) {
            Ok(data) if account.disabled_at.is_none() => data,
            refused => {
                let refused = refused.err().unwrap_or(Refused::Unproven);
                return Ok(Outcome::Refused(refused, Some((passkey, account))));
            }
        };
        match identity.store.passkey_used(&passkey, &data, identity.clock.now()).await {
            Ok(()) => return Ok(Outcome::LetIn(account)),
            // It was taken away a moment ago.
            Err(StoreError::NotFound) => {
                return Ok(Outcome::Refused(Refused::Unproven, Some((passkey, account))));
            }
            Err(StoreError::Conflict(_)) if !is_again => is_again = true,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The passkey that an answer names, if it belongs to the account that it names.
async fn find(
    identity: &Identity,
    passkeys: &Passkeys,
    answer: &PublicKeyCredential,
) -> Result<Option<(Passkey, Account)>, PageRefusal> {
    let Some((account, credential)) = passkeys.named(answer) else { return Ok(None) };
    let Some(passkey) = identity.store.passkey_with_credential(credential).await? else { return Ok(None) };
    if passkey.account != account {
        return Ok(None);
    }
    Ok(Some((passkey, identity.store.account(account).await?)))
}

/// The passkey was both factors: no code is asked for.
async fn let_in(
    identity: &Arc<Identity>,
    visitor: &Visitor,
    account: &Account,
    next: &Next,
) -> Result<Response, PageRefusal> {
    identity.attempts.succeeded(&Who::Email(account.email.to_lowercase()));
    if identity.must_verify(account) {
        identity.send_verification(account).await?;
        return Err(PageRefusal::Passkey(words::VERIFY_FIRST));
    }
    let answer = told(&json!({"next": next.as_str()}));
    visitor.sign_in_with(identity, account.id, METHODS, next, answer).await
}

/// The passkeys of this server; there is no such page where it has none.
pub(super) fn passkeys(identity: &Identity) -> Result<&Passkeys, PageRefusal> {
    identity.passkeys.as_ref().ok_or(PageRefusal::NotFound)
}

/// An answer for the script, which nobody keeps.
pub(super) fn told(answer: &impl serde::Serialize) -> Response {
    (UNCACHED, Json(answer)).into_response()
}

/// The button of the sign-in page.
pub(super) fn button(csrf: &str, next: &Next) -> Markup {
    let inner = html! {
        input type="hidden" name="next" value=(next.as_str());
        button.second id="passkey-sign-in" type="submit" { (words::SIGN_IN_WITH_PASSKEY) }
    };
    with_script(&form(csrf, "/sign-in/passkey/begin", &inner))
}

/// A form that the script sends, and shows once it knows that the browser has passkeys.
pub(super) fn with_script(form: &Markup) -> Markup {
    html! {
        div id="passkey" hidden data-refused=(words::PASSKEY_CANCELLED) data-known=(words::PASSKEY_KNOWN)
            data-failed=(words::PASSKEY_FAILED) {
            (form)
            p.wrong id="passkey-problem" role="alert" hidden {}
        }
        script src="/identity/passkey.js" defer {}
    }
}
