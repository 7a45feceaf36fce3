//! Accepting an invitation into an organization, with an account or by making one.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use protocol::AccountId;
use serde_json::json;
use store::{Change, Invitation, NewAccount, StoreError};

use super::form::{mistake, new_password, person_name};
use super::{Page, PageRefusal, form, provider};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor, redirect};
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::{password, words};

/// `GET /invitation?token=…`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let token = query.get("token").unwrap_or_default();
    let invitation = find(&identity, token).await?;
    page(&identity, &visitor, &invitation, token, "", None).await
}

/// `POST /invitation`: whoever is signed in accepts.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    accept(&identity, &person.visitor, form.get("token").unwrap_or_default(), person.account.id).await?;
    Ok(redirect("/account"))
}

/// `POST /invitation/account`: makes an account for the address that was invited, and accepts.
pub(crate) async fn make_account(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let [token, name, chosen] =
        ["token", "name", "new_password"].map(|field| form.get(field).unwrap_or_default());
    let invitation = find(&identity, token).await?;
    if let Err(mistake) = password::check(chosen, &invitation.email) {
        let text = words::password_mistake(mistake);
        return page(&identity, visitor, &invitation, token, name, Some(text)).await;
    }
    let new = NewAccount {
        email: invitation.email.clone(),
        // Where mail is sent, the secret was in one to this address and nowhere else.
        email_verified: identity.mailer.is_there(),
        name: name.to_owned(),
        locale: None,
        password: Some(identity.passwords.hash(chosen.to_owned()).await?),
    };
    let account = match identity.store.create_account(&new, identity.clock.now()).await {
        // Whoever has the link may know: it was sent to that person.
        Err(StoreError::Conflict("email")) => {
            return page(&identity, visitor, &invitation, token, name, Some(words::SIGN_IN_TO_ACCEPT)).await;
        }
        made => made?,
    };
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::AccountMade, about, json!({"by": "invitation"})).await;
    accept(&identity, visitor, token, account.id).await?;
    visitor.sign_in(&identity, account.id, "pwd", &Next::default()).await
}

pub(super) async fn find(identity: &Identity, token: &str) -> Result<Invitation, PageRefusal> {
    identity.store.invitation(token, identity.clock.now()).await?.ok_or(PageRefusal::DeadLink)
}

pub(super) async fn accept(
    identity: &Identity,
    visitor: &Visitor,
    token: &str,
    account: AccountId,
) -> Result<(), PageRefusal> {
    let invitation = match identity.store.accept_invitation(token, account, identity.clock.now()).await {
        Err(StoreError::Conflict("member")) => {
            return Err(PageRefusal::Invalid(words::MEMBER_ALREADY.to_owned()));
        }
        accepted => accepted?.ok_or(PageRefusal::DeadLink)?,
    };
    identity.changed(Change::Account(account));
    let about = About {
        organization: Some(invitation.organization),
        account: Some(account),
        address: Some(visitor.address),
    };
    identity.record(What::InvitationAccepted, about, json!({})).await;
    Ok(())
}

async fn page(
    identity: &Identity,
    visitor: &Visitor,
    invitation: &Invitation,
    token: &str,
    name: &str,
    wrong: Option<&str>,
) -> Result<Response, PageRefusal> {
    let organization = identity.store.organization(invitation.organization).await?;
    let hidden = html! { input type="hidden" name="token" value=(token); };
    let way: Markup = if let Some(account) = visitor.account() {
        let inner = html! { (hidden) button type="submit" { (words::ACCEPT) } };
        html! { p { (words::signed_in_as(&account.email)) } (form(&visitor.csrf, "/invitation", &inner)) }
    } else {
        let next = Next::parse(&format!("/invitation?token={token}")).unwrap_or_default();
        let inner = html! {
            (hidden)
            (person_name(name).show())
            (new_password().show())
            button type="submit" { (words::MAKE_ACCOUNT) }
        };
        html! {
            p { a href=(next.after("/sign-in")) { (words::HAVE_ACCOUNT) } }
            (provider::buttons(identity, &visitor.csrf, &next, false))
            h2 { (words::make_account_for(&invitation.email)) }
            (form(&visitor.csrf, "/invitation/account", &inner))
        }
    };
    let body = html! { p { (words::invited_into(&organization.name)) } (mistake(wrong)) (way) };
    let page = if wrong.is_some() {
        Page::wrong(words::INVITATION, body)
    } else {
        Page::new(words::INVITATION, body)
    };
    // A button leads to its provider.
    let page = if identity.providers.is_empty() { page } else { page.leading_anywhere() };
    Ok(page.show(identity, visitor))
}
