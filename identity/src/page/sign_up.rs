//! Making an account, where everybody may.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use lettre::Address;
use maud::html;
use serde_json::json;
use store::{NewAccount, StoreError};

use super::form::{email, mistake, new_password, person_name};
use super::{Page, PageRefusal, form, provider};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor, append};
use crate::config::SignUp;
use crate::error::IdentityError;
use crate::mail::Mail;
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::{password, words};

/// `GET /sign-up`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    check_open(&identity)?;
    let next = Next::read(Parameters::parse(query.unwrap_or_default().as_bytes()).get("next"));
    Ok(page(&identity, &next, "", "", &visitor.csrf, None).show(&identity, &visitor))
}

/// `POST /sign-up`. Whether somebody has the address already is told to that address by mail, and to nobody else: looking,
/// making and sending happen behind the answer, which is always the same and takes as long as hashing the password.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    check_open(&identity)?;
    let Posted { visitor, form } = &posted;
    let [name, email, chosen] =
        ["name", "email", "new_password"].map(|field| form.get(field).unwrap_or_default());
    let next = Next::read(form.get("next"));
    let wrong =
        |text| Ok(page(&identity, &next, name, email, &visitor.csrf, Some(text)).show(&identity, visitor));
    if let Err(mistake) = password::check(chosen, email) {
        return wrong(words::password_mistake(mistake));
    }
    if email.parse::<Address>().is_err() || email.len() > 254 {
        return wrong(words::NO_ADDRESS);
    }
    if name.chars().count() > 200 {
        return wrong(words::LONG_NAME);
    }
    let new = NewAccount {
        email: email.to_owned(),
        email_verified: false,
        name: name.to_owned(),
        locale: None,
        password: Some(identity.passwords.hash(chosen.to_owned()).await?),
    };
    identity.behind(make(Arc::clone(&identity), new, visitor.address));
    let body = html! { p { (words::VERIFY_FIRST) } };
    let mut answer = Page::new(words::CHECK_MAIL, body).show(&identity, visitor);
    if let Some(cookie) = next.remember(identity.issuer.is_secure()) {
        append(&mut answer, cookie);
    }
    Ok(answer)
}

async fn make(identity: Arc<Identity>, new: NewAccount, address: IpAddr) -> Result<(), IdentityError> {
    match identity.store.create_account(&new, identity.clock.now()).await {
        Ok(account) => {
            let about = About { account: Some(account.id), address: Some(address), ..About::default() };
            identity.record(What::AccountMade, about, json!({"by": "sign_up"})).await;
            identity.send_verification(&account).await
        }
        Err(StoreError::Conflict("email")) => {
            if identity.may_mail(&new.email) {
                identity.send(&new.email, Mail::AlreadySignedUp { url: identity.issuer.at("/sign-in") });
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn check_open(identity: &Identity) -> Result<(), PageRefusal> {
    match identity.config.sign_up {
        SignUp::Open => Ok(()),
        SignUp::Invited => Err(PageRefusal::NotFound),
    }
}

fn page<'a>(
    identity: &Identity,
    next: &Next,
    name: &str,
    address: &str,
    csrf: &str,
    wrong: Option<&str>,
) -> Page<'a> {
    let inner = html! {
        input type="hidden" name="next" value=(next.as_str());
        (person_name(name).show())
        (email(address).show())
        (new_password().show())
        button type="submit" { (words::MAKE_ACCOUNT) }
    };
    let body = html! {
        (mistake(wrong))
        (form(csrf, "/sign-up", &inner))
        (provider::buttons(identity, csrf, next, false))
    };
    let page =
        if wrong.is_some() { Page::wrong(words::SIGN_UP, body) } else { Page::new(words::SIGN_UP, body) };
    // A button leads to its provider.
    if identity.providers.is_empty() { page } else { page.leading_anywhere() }
}
