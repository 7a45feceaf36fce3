//! A person's own pages: who they are, how they sign in, and what they allowed.

pub(crate) mod activity;
mod assistants;
pub(crate) mod email;
pub(crate) mod passkeys;
pub(crate) mod password;
pub(crate) mod phones;
pub(crate) mod providers;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod two_step;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use protocol::Timestamp;
use serde_json::json;

use super::form::{mistake, person_name};
use super::provider::is_fresh;
use super::{Field, Page, PageRefusal, form};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::{About, What};
use crate::browser::{Person, Posted, redirect};
use crate::password::Verdict;
use crate::words;

/// How long a sign-in counts as one of a moment ago.
const CONFIRMED_MS: i64 = 10 * 60_000;

/// `GET /account`.
pub(crate) async fn get(State(identity): State<Arc<Identity>>, person: Person) -> Response {
    page(&identity, &person, None)
}

/// `POST /account`: what the person is called, and in which language.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let locale = form.get("locale");
    if locale.is_some_and(|locale| !is_language_tag(locale)) {
        return Ok(page(&identity, &person, Some(words::NO_LANGUAGE)));
    }
    let name = form.get("name").unwrap_or_default();
    identity.store.rename_account(person.account.id, name, locale).await?;
    identity.record(What::ProfileChanged, about(&person), json!({})).await;
    Ok(redirect("/account"))
}

fn page(identity: &Identity, person: &Person, wrong: Option<&str>) -> Response {
    let account = &person.account;
    let csrf = &person.visitor.csrf;
    let locale = account.locale.as_deref().unwrap_or_default();
    let profile = html! {
        (person_name(&account.name).show())
        label for="locale" { (words::LANGUAGE) }
        input id="locale" name="locale" type="text" autocomplete="language" value=(locale) aria-describedby="locale-hint";
        p.hint id="locale-hint" { (words::LANGUAGE_HINT) }
        button type="submit" { (words::SAVE) }
    };
    let body = html! {
        (mistake(wrong))
        nav aria-label=(words::ACCOUNT) {
            ul {
                @for (path, text) in [
                    ("/account/services", words::SERVICES),
                    ("/account/phones", words::PHONES),
                    ("/account/password", words::PASSWORD),
                    ("/account/passkeys", words::PASSKEYS),
                    ("/account/providers", words::PROVIDERS),
                    ("/account/two-step", words::TWO_STEP),
                    ("/account/sessions", words::SESSIONS),
                    ("/account/activity", words::ACTIVITY),
                ] {
                    li { a href=(path) { (text) } }
                }
            }
        }
        h2 { (words::PROFILE) }
        (form(csrf, "/account", &profile))
        h2 { (words::EMAIL) }
        p { (account.email) }
        @if identity.mailer.is_there() { (email::form(person)) }
    };
    let page =
        if wrong.is_some() { Page::wrong(words::ACCOUNT, body) } else { Page::new(words::ACCOUNT, body) };
    page.show(identity, &person.visitor)
}

/// Whether the person showed lately who they are: asked for before what a stranger at an open browser could use to stay.
/// Whoever has a password types it; whoever has none signed in a moment ago, and not by a provider that only knew the
/// browser again.
async fn is_confirmed(identity: &Identity, person: &Person, typed: &str) -> Result<bool, PageRefusal> {
    let Some(stored) = person.account.password.clone() else {
        let age_ms = identity.clock.now().since(person.session.authenticated_at);
        return Ok(age_ms < CONFIRMED_MS && is_fresh(&person.session.methods));
    };
    let verdict = identity.passwords.verify(typed.to_owned(), Some(stored)).await?;
    if matches!(verdict, Verdict::Right(_)) {
        return Ok(true);
    }
    let all = [Who::Address(person.visitor.address), Who::Email(person.account.email.to_lowercase())];
    tokio::time::sleep(identity.attempts.failed(all, identity.clock.now())).await;
    Ok(false)
}

/// The field that [`is_confirmed`] reads, by its name in the form and its id in the page.
fn confirmation(person: &Person, name: &str, id: &str) -> Markup {
    if person.account.password.is_some() {
        return Field { name, label: words::CURRENT_PASSWORD, ..form::password() }.show_as(id);
    }
    html! {
        p.hint { (unconfirmed(person)) " " a href="/sign-in?again=1" { (words::SIGN_IN) } }
        @if !is_fresh(&person.session.methods) { p.hint { a href="/reset" { (words::RESET) } } }
    }
}

/// What whoever was not confirmed reads.
fn unconfirmed(person: &Person) -> &'static str {
    match (&person.account.password, is_fresh(&person.session.methods)) {
        (Some(_), _) => words::WRONG_CURRENT_PASSWORD,
        (None, true) => words::CONFIRM_BY_SIGN_IN,
        (None, false) => words::CONFIRM_BY_PASSWORD,
    }
}

fn about(person: &Person) -> About {
    About { account: Some(person.account.id), address: Some(person.visitor.address), ..About::default() }
}

/// A time as people read it.
fn when(at: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    time.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// Roughly BCP 47: letters and digits in short parts.
fn is_language_tag(text: &str) -> bool {
    text.len() <= 35
        && text.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
