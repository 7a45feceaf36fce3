//! The other providers that a person signs in by.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::json;
use store::{Identity as Link, StoreError};

use super::super::{Page, PageRefusal, form, provider};
use super::{about, confirmation, is_confirmed, unconfirmed, when};
use crate::Identity;
use crate::audit::What;
use crate::browser::{Person, Posted, redirect};
use crate::next::Next;
use crate::upstream::Provider;
use crate::words;

const HERE: &str = "/account/providers";

/// `GET /account/providers`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    let linked = identity.store.identities(person.account.id).await?;
    let is_free = |provider: &&Provider| linked.iter().all(|link| link.issuer != provider.issuer);
    let free: Vec<&Provider> = identity.providers.iter().filter(is_free).collect();
    let body = html! {
        p { (words::PROVIDERS_TEXT) }
        @if linked.is_empty() { p { (words::NO_PROVIDERS) } }
        ul.rows {
            @for (number, link) in linked.iter().enumerate() { li { (row(&identity, &person, link, number)) } }
        }
        @for provider in free {
            h2 { (words::link_title(&provider.name)) }
            (link_form(&person, provider))
        }
    };
    // A form of it leads to a provider.
    Ok(Page::new(words::PROVIDERS, body).leading_anywhere().show(&identity, &person.visitor))
}

/// `POST /account/providers/link`.
pub(crate) async fn link(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let id = form.get("provider").unwrap_or_default();
    let provider = identity.providers.get(id).ok_or(PageRefusal::NotFound)?;
    if !is_confirmed(&identity, &person, form.get("password").unwrap_or_default()).await? {
        return Err(PageRefusal::Invalid(unconfirmed(&person).to_owned()));
    }
    let next = Next::read(Some(HERE));
    let account = Some(person.account.id);
    provider::leave(&identity, &person.visitor, provider, &next, false, account).await
}

/// `POST /account/providers/unlink`. The last way to sign in stays.
pub(crate) async fn unlink(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let [issuer, subject] = ["issuer", "subject"].map(|field| form.get(field).unwrap_or_default());
    let linked = identity.store.identities(person.account.id).await?;
    let link = linked.iter().find(|link| link.issuer == issuer && link.subject == subject);
    let link = link.ok_or(PageRefusal::NotFound)?;
    if !is_confirmed(&identity, &person, form.get("password").unwrap_or_default()).await? {
        return Err(PageRefusal::Invalid(unconfirmed(&person).to_owned()));
    }
    match identity.store.unlink_identity(person.account.id, issuer, subject).await {
        Err(StoreError::Conflict("last")) => return Err(PageRefusal::Invalid(words::LAST_WAY.to_owned())),
        unlinked => unlinked?,
    }
    let detail = json!({"provider": identity.providers.name_of(&link.issuer)});
    identity.record(What::ProviderUnlinked, about(&person), detail).await;
    Ok(redirect(HERE))
}

fn row(identity: &Identity, person: &Person, link: &Link, number: usize) -> Markup {
    let name = identity.providers.name_of(&link.issuer);
    let inner = html! {
        input type="hidden" name="issuer" value=(link.issuer);
        input type="hidden" name="subject" value=(link.subject);
        (confirmation(person, "password", &format!("password-unlink-{number}")))
        button type="submit" { (words::unlink(name)) }
    };
    html! {
        p { strong { (name) } }
        @if let Some(email) = &link.email { p { (email) } }
        p.quiet { (words::linked_on(&when(link.created_at))) }
        p.quiet { (words::last_used(link.last_used_at.map(when).as_deref())) }
        (form(&person.visitor.csrf, "/account/providers/unlink", &inner))
    }
}

fn link_form(person: &Person, provider: &Provider) -> Markup {
    let inner = html! {
        input type="hidden" name="provider" value=(provider.id);
        (confirmation(person, "password", &format!("password-link-{}", provider.id)))
        button type="submit" { (words::link_title(&provider.name)) }
    };
    form(&person.visitor.csrf, "/account/providers/link", &inner)
}
