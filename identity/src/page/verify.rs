//! Showing that mail reaches a person, with a link that came by mail.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::html;
use serde_json::json;
use store::{Change, Link, LinkPurpose, StoreError};

use super::{Page, PageRefusal, form};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Cookie, Posted, Visitor, append};
use crate::error::IdentityError;
use crate::mail::Mail;
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::words;

/// `GET /verify?token=…`. Only the button uses the link: programs that look at mail follow links too.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let token = query.get("token").unwrap_or_default();
    let link = find(&identity, token).await?.ok_or(PageRefusal::DeadLink)?;
    let account = identity.store.account(link.account.ok_or(PageRefusal::DeadLink)?).await?;
    let warning = identity.warning(&account).await?;
    let inner = html! {
        input type="hidden" name="token" value=(token);
        button type="submit" { (words::VERIFY) }
    };
    let body = html! {
        p { (words::verify_text(&link.email)) }
        @if let Some(warning) = &warning { p.wrong { (warning) } }
        (form(&visitor.csrf, "/verify", &inner))
    };
    Ok(Page::new(words::VERIFY, body).show(&identity, &visitor))
}

/// `POST /verify`.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let token = form.get("token").unwrap_or_default();
    let link = find(&identity, token).await?.ok_or(PageRefusal::DeadLink)?;
    let id = link.account.ok_or(PageRefusal::DeadLink)?;
    let before = identity.store.account(id).await?;
    let account = match identity.store.verify_email(token, identity.clock.now()).await {
        Err(StoreError::Conflict("email")) => return Err(PageRefusal::Invalid(words::TAKEN.to_owned())),
        verified => verified?.ok_or(PageRefusal::DeadLink)?,
    };
    identity.changed(Change::Account(account.id));
    if before.email != account.email && before.email_verified_at.is_some() {
        identity.send(&before.email, Mail::EmailChanged);
    }
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::EmailVerified, about, json!({"email": account.email})).await;
    let secure = identity.issuer.is_secure();
    let next = Next::remembered(&headers, secure);
    let on = if next == Next::default() { "/sign-in".to_owned() } else { next.after("/sign-in") };
    let body = html! { p.good { (words::VERIFIED) } p { a href=(on) { (words::SIGN_IN) } } };
    let mut answer = Page::new(words::VERIFY, body).show(&identity, visitor);
    append(&mut answer, Cookie::Next.clear(secure));
    Ok(answer)
}

async fn find(identity: &Identity, token: &str) -> Result<Option<Link>, IdentityError> {
    let now = identity.clock.now();
    for purpose in [LinkPurpose::VerifyEmail, LinkPurpose::ChangeEmail] {
        if let Some(link) = identity.store.link(purpose, token, now).await? {
            return Ok(Some(link));
        }
    }
    Ok(None)
}
