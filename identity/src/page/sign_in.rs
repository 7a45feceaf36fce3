//! Signing in with a password.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use store::Account;

use super::form::{email, mistake, password};
use super::second_factor::Ticket;
use super::{Page, PageRefusal, form, passkey, provider, second_factor};
use crate::Identity;
use crate::attempts::Who;
use crate::browser::{Posted, Visitor, redirect};
use crate::config::SignUp;
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::password::Verdict;
use crate::words;

/// What a sign-in page was asked for with.
struct Asked<'a> {
    next: &'a Next,
    /// Whoever is signed in already wants to sign in anew.
    again: bool,
    email: &'a str,
}

/// `GET /sign-in`. Whoever is signed in goes on at once, unless `again` asks for another account or a fresh sign-in.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let next = Next::read(query.get("next"));
    if visitor.signed_in.is_some() && query.get("again").is_none() {
        return redirect(next.as_str());
    }
    let email = query.get("email").unwrap_or_default();
    let asked = Asked { next: &next, again: query.get("again").is_some(), email };
    page(&identity, &asked, &visitor.csrf, None).show(&identity, &visitor)
}

/// `POST /sign-in`. An address that nobody has costs as much time and gets the same words as a wrong password.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let next = Next::read(form.get("next"));
    let (email, password) = (form.get("email").unwrap_or_default(), form.get("password").unwrap_or_default());
    let account = identity.store.account_with_email(email).await?;
    let Some(account) = right_password(&identity, account, password).await? else {
        let all = [Who::Address(visitor.address), Who::Email(email.to_lowercase())];
        let wait = identity.attempts.failed(all, identity.clock.now());
        identity.metrics.sign_in_refused();
        tokio::time::sleep(wait).await;
        let asked = Asked { next: &next, again: form.get("again").is_some(), email };
        let page = page(&identity, &asked, &visitor.csrf, Some(words::WRONG_PASSWORD));
        return Ok(page.show(&identity, visitor));
    };
    identity.attempts.succeeded(&Who::Email(email.to_lowercase()));
    if identity.must_verify(&account) {
        identity.send_verification(&account).await?;
        let body = html! { p { (words::VERIFY_FIRST) } };
        return Ok(Page::new(words::CHECK_MAIL, body).show(&identity, visitor));
    }
    if account.totp.as_ref().is_some_and(|totp| totp.confirmed_at.is_some()) {
        let ticket = Ticket::new(&identity, &account, &next, "pwd").seal(&identity, visitor)?;
        return Ok(second_factor::page(&ticket, &visitor.csrf, None).show(&identity, visitor));
    }
    visitor.sign_in(&identity, account.id, "pwd", &next).await
}

/// The account, when the password is its own and it may sign in.
async fn right_password(
    identity: &Identity,
    account: Option<Account>,
    password: &str,
) -> Result<Option<Account>, PageRefusal> {
    let stored = account.as_ref().and_then(|account| account.password.clone());
    let verdict = identity.passwords.verify(password.to_owned(), stored).await?;
    let (Some(account), Verdict::Right(rehashed)) = (account, verdict) else { return Ok(None) };
    if account.disabled_at.is_some() {
        return Ok(None);
    }
    if let (Some(old), Some(new)) = (&account.password, rehashed) {
        identity.store.rehash_password(account.id, old, &new).await?;
    }
    Ok(Some(account))
}

fn page<'a>(identity: &Identity, asked: &Asked<'_>, csrf: &str, wrong: Option<&str>) -> Page<'a> {
    let Asked { next, again, email: typed } = *asked;
    let inner = html! {
        input type="hidden" name="next" value=(next.as_str());
        @if again { input type="hidden" name="again" value="1"; }
        (email(typed).show())
        (password().show())
        button type="submit" { (words::SIGN_IN) }
    };
    let body = html! {
        (mistake(wrong))
        (form(csrf, "/sign-in", &inner))
        @if identity.passkeys.is_some() { (passkey::button(csrf, next)) }
        (provider::buttons(identity, csrf, next, again))
        p { a href="/reset" { (words::FORGOT_PASSWORD) } }
        @if identity.config.sign_up == SignUp::Open {
            p { a href=(next.after("/sign-up")) { (words::SIGN_UP) } }
        }
    };
    let page =
        if wrong.is_some() { Page::wrong(words::SIGN_IN, body) } else { Page::new(words::SIGN_IN, body) };
    if identity.passkeys.is_some() { page.with_script().leading_anywhere() } else { page.leading_anywhere() }
}
