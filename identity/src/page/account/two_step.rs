//! Turning the second factor on and off, and the codes for whoever loses it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::json;
use store::{StoreError, TypedCode};

use super::super::form::mistake;
use super::super::{Field, Page, PageRefusal, form};
use super::{about, confirmation, is_confirmed, unconfirmed};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::What;
use crate::browser::{Person, Posted, redirect};
use crate::oauth::parameter::Parameters;
use crate::totp::SecondFactor;
use crate::words;

/// `GET /account/two-step`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    let csrf = &person.visitor.csrf;
    let is_on = person.account.totp.as_ref().is_some_and(|totp| totp.confirmed_at.is_some());
    let body = if is_on {
        let left = identity.store.recovery_codes_left(person.account.id).await?;
        let renew = html! {
            (confirmation(&person, "password", "password"))
            button type="submit" { (words::RENEW_CODES) }
        };
        let off = html! {
            (confirmation(&person, "off_password", "off_password"))
            button.second type="submit" { (words::TURN_OFF) }
        };
        html! {
            p.good { (words::TWO_STEP_ON) }
            p { (words::codes_left(left)) }
            (form(csrf, "/account/two-step/codes", &renew))
            h2 { (words::TURN_OFF) }
            (form(csrf, "/account/two-step/off", &off))
        }
    } else {
        let begin = html! { (confirmation(&person, "password", "password")) button type="submit" { (words::TURN_ON) } };
        html! { p { (words::TWO_STEP_TEXT) } (form(csrf, "/account/two-step/begin", &begin)) }
    };
    Ok(Page::new(words::TWO_STEP, body).show(&identity, &person.visitor))
}

/// `POST /account/two-step/begin`: shows a new secret. It counts for nothing until a code of it was typed.
pub(crate) async fn begin(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    check_confirmed(&identity, &person, &form, "password").await?;
    let factor = SecondFactor::generate()?;
    let sealed = factor.seal(&identity.sealer, person.account.id)?;
    identity.store.begin_totp(person.account.id, &sealed).await?;
    Ok(secret_page(&person, &factor, None).show(&identity, &person.visitor))
}

/// `POST /account/two-step/confirm`.
pub(crate) async fn confirm(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let account = &person.account;
    let begun = account.totp.as_ref().filter(|totp| totp.confirmed_at.is_none());
    let Some(begun) = begun else { return Ok(redirect("/account/two-step")) };
    if !identity.attempts.may_try(Who::SecondFactor(account.id), identity.clock.now()) {
        return Err(PageRefusal::TooMany);
    }
    let factor = SecondFactor::open(&identity.sealer, account.id, &begun.sealed)?;
    let now = identity.clock.now();
    let Some(step) = factor.step(form.get("code").unwrap_or_default(), now) else {
        return Ok(secret_page(&person, &factor, Some(words::WRONG_CODE)).show(&identity, &person.visitor));
    };
    let codes = match identity.store.confirm_totp(account.id, &begun.sealed, step, now).await {
        // In another window it was begun anew, or confirmed.
        Err(StoreError::Conflict(_)) => return Ok(redirect("/account/two-step")),
        confirmed => confirmed?,
    };
    identity.attempts.succeeded(&Who::SecondFactor(account.id));
    identity.record(What::TotpOn, about(&person), json!({})).await;
    Ok(Page::new(words::RECOVERY_CODES, code_list(&codes)).show(&identity, &person.visitor))
}

/// `POST /account/two-step/off`.
pub(crate) async fn off(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    check_confirmed(&identity, &person, &form, "off_password").await?;
    identity.store.remove_totp(person.account.id).await?;
    identity.record(What::TotpOff, about(&person), json!({})).await;
    Ok(redirect("/account/two-step"))
}

/// `POST /account/two-step/codes`: makes new recovery codes; those before are void.
pub(crate) async fn renew_codes(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    check_confirmed(&identity, &person, &form, "password").await?;
    if person.account.totp.as_ref().is_none_or(|totp| totp.confirmed_at.is_none()) {
        return Ok(redirect("/account/two-step"));
    }
    let codes = identity.store.renew_recovery_codes(person.account.id).await?;
    identity.record(What::RecoveryCodesRenewed, about(&person), json!({})).await;
    Ok(Page::new(words::RECOVERY_CODES, code_list(&codes)).show(&identity, &person.visitor))
}

async fn check_confirmed(
    identity: &Identity,
    person: &Person,
    form: &Parameters,
    field: &str,
) -> Result<(), PageRefusal> {
    if is_confirmed(identity, person, form.get(field).unwrap_or_default()).await? {
        return Ok(());
    }
    Err(PageRefusal::Invalid(unconfirmed(person).to_owned()))
}

fn secret_page<'a>(person: &Person, factor: &SecondFactor, wrong: Option<&str>) -> Page<'a> {
    let code = Field {
        name: "code",
        label: words::CODE,
        kind: "text",
        autocomplete: "one-time-code",
        value: "",
        hint: None,
    };
    let inner = html! { (code.show()) button type="submit" { (words::TURN_ON) } };
    let body = html! {
        (mistake(wrong))
        p { (words::SECRET_TEXT) }
        p { code { (factor.text()) } }
        p { a href=(factor.uri(&person.account.email)) { (words::OPEN_APP) } }
        (form(&person.visitor.csrf, "/account/two-step/confirm", &inner))
    };
    if wrong.is_some() { Page::wrong(words::TWO_STEP, body) } else { Page::new(words::TWO_STEP, body) }
}

fn code_list(codes: &[TypedCode]) -> Markup {
    html! {
        p { (words::RECOVERY_CODES_TEXT) }
        ul.codes { @for code in codes { li { (code.text()) } } }
        p { a href="/account" { (words::CONTINUE) } }
    }
}
