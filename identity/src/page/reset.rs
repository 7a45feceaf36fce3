//! Setting a new password without the old one, with a link that comes by mail.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use serde_json::json;
use store::{Change, LinkPurpose};

use super::form::{email, mistake, new_password};
use super::{Page, PageRefusal, form};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor};
use crate::oauth::parameter::Parameters;
use crate::{password, words};

/// `GET /reset`.
pub(crate) async fn get(State(identity): State<Arc<Identity>>, visitor: Visitor) -> Response {
    let inner = html! { (email("").show()) button type="submit" { (words::SEND_LINK) } };
    let body = if identity.mailer.is_there() {
        html! { p { (words::RESET_TEXT) } (form(&visitor.csrf, "/reset", &inner)) }
    } else {
        html! { p { (words::NO_MAIL) } }
    };
    Page::new(words::RESET, body).show(&identity, &visitor)
}

/// `POST /reset`. The answer is the same whether or not anybody has the address, and comes before anybody looks.
pub(crate) async fn post(State(identity): State<Arc<Identity>>, posted: Posted) -> Response {
    identity.send_reset(posted.form.get("email").unwrap_or_default());
    let body = html! { p { (words::RESET_SENT) } };
    Page::new(words::CHECK_MAIL, body).show(&identity, &posted.visitor)
}

/// `GET /reset/password?token=…`.
pub(crate) async fn get_password(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let token = query.get("token").unwrap_or_default();
    let link = identity.store.link(LinkPurpose::ResetPassword, token, identity.clock.now()).await?;
    link.ok_or(PageRefusal::DeadLink)?;
    Ok(page(token, &visitor.csrf, None).show(&identity, &visitor))
}

/// `POST /reset/password`: every browser is signed out, and the second factor stays.
pub(crate) async fn post_password(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let [token, chosen] = ["token", "new_password"].map(|field| form.get(field).unwrap_or_default());
    let now = identity.clock.now();
    let link = identity.store.link(LinkPurpose::ResetPassword, token, now).await?;
    let link = link.ok_or(PageRefusal::DeadLink)?;
    if let Err(mistake) = password::check(chosen, &link.email) {
        let text = words::password_mistake(mistake);
        return Ok(page(token, &visitor.csrf, Some(text)).show(&identity, visitor));
    }
    let hash = identity.passwords.hash(chosen.to_owned()).await?;
    let account = identity.store.reset_password(token, &hash, now).await?.ok_or(PageRefusal::DeadLink)?;
    identity.changed(Change::Account(account.id));
    identity.tell_signed_out(account.id, None);
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::PasswordReset, about, json!({})).await;
    let body = html! { p.good { (words::PASSWORD_SET) } p { a href="/sign-in" { (words::SIGN_IN) } } };
    Ok(Page::new(words::RESET, body).show(&identity, visitor))
}

fn page<'a>(token: &str, csrf: &str, wrong: Option<&str>) -> Page<'a> {
    let inner = html! {
        input type="hidden" name="token" value=(token);
        (new_password().show())
        button type="submit" { (words::SET_PASSWORD) }
    };
    let body = html! { (mistake(wrong)) (form(csrf, "/reset/password", &inner)) };
    if wrong.is_some() { Page::wrong(words::RESET, body) } else { Page::new(words::RESET, body) }
}
