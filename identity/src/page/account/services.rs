//! Linked services: what a person allowed, how it does, and the way to end it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use protocol::{AccountId, GrantId};
use serde_json::json;
use store::{Change, Client, Grant, GrantStanding, GrantType, StoreError};

use super::super::consent::scope_list;
use super::super::{Page, PageRefusal, form};
use super::{assistants, when};
use crate::Identity;
use crate::audit::What;
use crate::bearer::BearerError;
use crate::browser::{Person, Posted, redirect};
use crate::issuer::Audience;
use crate::oauth::Scopes;
use crate::oauth::parameter::Parameters;
use crate::oauth::token::access_token;
use crate::words;

/// `GET /account/services`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    // What was noted of their use is shown as of now.
    identity.write_uses().await;
    let mut rows = Vec::new();
    for grant in identity.store.grants_of(person.account.id).await? {
        if let Some(client) = identity.store.client(grant.client).await? {
            rows.push(row(&person.visitor.csrf, &client, &grant));
        }
    }
    let of_assistants = assistants::part(&identity, person.account.id).await?;
    let body = html! {
        @if rows.is_empty() { p { (words::NO_SERVICES) } }
        ul.rows { @for row in rows { li { (row) } } }
        (of_assistants)
    };
    Ok(Page::new(words::SERVICES, body).show(&identity, &person.visitor))
}

fn row(csrf: &str, client: &Client, grant: &Grant) -> Markup {
    let scopes = Scopes::parse(&grant.scopes).unwrap_or_default();
    let hidden = html! { input type="hidden" name="grant" value=(grant.id); };
    html! {
        p { strong { (client.settings.name) } }
        p.quiet { (words::linked_on(&when(grant.created_at))) }
        p.quiet { (words::last_used(grant.last_used_at.map(when).as_deref())) }
        @if let Some((error, at)) = &grant.last_error {
            p.wrong { (words::last_error(error, &when(*at))) }
        }
        (scope_list(&scopes))
        (form(csrf, "/account/services/test", &html! {
            (hidden) button.second type="submit" { (words::TEST_LINK) }
        }))
        (form(csrf, "/account/services/unlink", &html! {
            (hidden) button type="submit" { (words::unlink(&client.settings.name)) }
        }))
    }
}

/// `POST /account/services/unlink`: its tokens are worth nothing from the next request on.
pub(crate) async fn unlink(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let grant = own(&identity, person.account.id, &form).await?;
    identity.store.unlink(person.account.id, grant.id, identity.clock.now()).await?;
    identity.changed(Change::Grant(grant.id));
    let client = identity.store.client(grant.client).await?.map(|client| client.settings.name);
    identity.record_grant(What::Unlinked, &grant, json!({"client": client})).await;
    Ok(redirect("/account/services"))
}

/// `POST /account/services/test`: does what the service does at its next request, and says what comes of it.
pub(crate) async fn test(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let grant = own(&identity, person.account.id, &form).await?;
    let standing = identity.store.grant_standing(grant.id).await?.ok_or(StoreError::NotFound)?;
    let client = identity.store.client(grant.client).await?.ok_or(StoreError::NotFound)?;
    let found = try_out(&identity, &client, &standing).await?;
    let body = html! {
        @match found {
            None => p.good { (words::LINK_WORKS) },
            Some(problem) => p.wrong role="alert" { (problem) },
        }
        p { a href="/account/services" { (words::SERVICES) } }
    };
    Ok(Page::new(words::TEST_LINK, body).show(&identity, &person.visitor))
}

/// What is wrong with a link; none when it works. The token that is made for it is checked and thrown away.
async fn try_out(
    identity: &Identity,
    client: &Client,
    standing: &GrantStanding,
) -> Result<Option<&'static str>, PageRefusal> {
    if standing.client_disabled {
        return Ok(Some(words::CLIENT_DISABLED));
    }
    let asked = Scopes::parse(&standing.grant.scopes).unwrap_or_default();
    // The service comes with one at its next request.
    if client.settings.grants.contains(&GrantType::RefreshToken)
        && !identity.store.has_living_refresh_token(standing.grant.id, identity.clock.now()).await?
    {
        return Ok(Some(words::NO_REFRESH_TOKEN));
    }
    let allowed = asked.clone().worth(standing);
    if allowed.is_empty() {
        return Ok(Some(words::ROLE_ALLOWS_NOTHING));
    }
    let audience = standing
        .grant
        .resource
        .as_deref()
        .map_or(Some(Audience::Api), |resource| identity.issuer.audience(resource));
    let Some(audience) = audience else { return Ok(Some(words::OTHER_ISSUER)) };
    let Ok((token, _)) = access_token(identity, standing, asked.clone(), audience).await else {
        return Ok(Some(words::NO_TOKEN));
    };
    match identity.check(&token, audience).await {
        Ok(_) if !allowed.covers(&asked) => Ok(Some(words::ROLE_ALLOWS_LESS)),
        Ok(_) => Ok(None),
        Err(BearerError::Invalid) => Ok(Some(words::NO_TOKEN)),
        Err(BearerError::Store(error)) => Err(error.into()),
    }
}

/// The grant that a form names, if it is the person's own.
async fn own(identity: &Identity, account: AccountId, form: &Parameters) -> Result<Grant, PageRefusal> {
    let id = form.get("grant").and_then(|id| id.parse::<GrantId>().ok()).ok_or(PageRefusal::NotFound)?;
    let standing = identity.store.grant_standing(id).await?;
    let grant = standing.map(|standing| standing.grant);
    let is_own = |grant: &Grant| grant.account == Some(account) && grant.revoked.is_none();
    grant.filter(is_own).ok_or(PageRefusal::NotFound)
}
