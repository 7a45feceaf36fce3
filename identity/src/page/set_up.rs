//! Making the first account, with the link that the first start prints.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use serde_json::json;
use store::{LinkPurpose, NewAccount};

use super::form::{email, mistake, new_password, person_name};
use super::{Page, PageRefusal, form};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor};
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::{password, words};

/// `GET /set-up?token=…`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let token = query.get("token").unwrap_or_default();
    let link = identity.store.link(LinkPurpose::SetUp, token, identity.clock.now()).await?;
    link.ok_or(PageRefusal::DeadLink)?;
    Ok(page(token, "", "", &visitor.csrf, None).show(&identity, &visitor))
}

/// `POST /set-up`: the first account is owner of the organization that the installation starts with.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let [token, name, email, chosen] =
        ["token", "name", "email", "new_password"].map(|field| form.get(field).unwrap_or_default());
    let now = identity.clock.now();
    // Before the password is hashed: nobody without the link makes this work.
    let link = identity.store.link(LinkPurpose::SetUp, token, now).await?;
    link.ok_or(PageRefusal::DeadLink)?;
    if let Err(mistake) = password::check(chosen, email) {
        let text = words::password_mistake(mistake);
        return Ok(page(token, name, email, &visitor.csrf, Some(text)).show(&identity, visitor));
    }
    let new = NewAccount {
        email: email.to_owned(),
        // Whoever starts the program vouches for themselves.
        email_verified: true,
        name: name.to_owned(),
        locale: None,
        password: Some(identity.passwords.hash(chosen.to_owned()).await?),
    };
    let account = identity.store.set_up(token, &new, now).await?.ok_or(PageRefusal::DeadLink)?;
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::AccountMade, about, json!({"by": "set_up"})).await;
    visitor.sign_in(&identity, account.id, "pwd", &Next::default()).await
}

fn page<'a>(token: &str, name: &str, address: &str, csrf: &str, wrong: Option<&str>) -> Page<'a> {
    let inner = html! {
        input type="hidden" name="token" value=(token);
        (person_name(name).show())
        (email(address).show())
        (new_password().show())
        button type="submit" { (words::MAKE_ACCOUNT) }
    };
    let body = html! { p { (words::SET_UP_TEXT) } (mistake(wrong)) (form(csrf, "/set-up", &inner)) };
    if wrong.is_some() { Page::wrong(words::SET_UP, body) } else { Page::new(words::SET_UP, body) }
}
