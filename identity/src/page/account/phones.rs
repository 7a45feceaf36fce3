//! A person's phones, and what they agreed to for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use protocol::{DeviceId, OrganizationId};
use serde_json::json;
use store::{Change, Device};

use super::super::{Page, PageRefusal, form};
use super::{about, when};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{Person, Posted, redirect};
use crate::oauth::parameter::Parameters;
use crate::purpose::Asked;
use crate::words;

const HERE: &str = "/account/phones";

/// `GET /account/phones`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    let phones = identity.store.phones(person.account.id).await?;
    let given = identity.store.consents(person.account.id).await?;
    let csrf = &person.visitor.csrf;
    // Consent may outlive the last phone.
    let of_consents = given.iter().filter(|one| one.withdrawn_at.is_none()).map(|one| one.organization);
    let organizations: BTreeSet<OrganizationId> =
        phones.iter().map(|phone| phone.organization).chain(of_consents).collect();
    let mut parts = Vec::new();
    for organization in organizations {
        let name = identity.store.organization(organization).await?.name;
        parts.push(html! {
            h2 { (name) }
            ul.rows {
                @for phone in phones.iter().filter(|phone| phone.organization == organization) {
                    li { (row(csrf, phone)) }
                }
            }
            @for asked in identity.config.purposes.asked(organization, &given) {
                (consent(csrf, organization, &asked))
            }
        });
    }
    let body = html! {
        @if parts.is_empty() { p { (words::NO_PHONES) } }
        @for part in &parts { (part) }
    };
    Ok(Page::new(words::PHONES, body).show(&identity, &person.visitor))
}

fn row(csrf: &str, phone: &Device) -> Markup {
    let inner = html! {
        input type="hidden" name="phone" value=(phone.id);
        button.second type="submit" { (words::remove(&phone.name)) }
    };
    html! {
        p { strong { (phone.name) } }
        p.quiet { (words::added_on(&when(phone.created_at))) }
        (form(csrf, "/account/phones/remove", &inner))
    }
}

fn consent(csrf: &str, organization: OrganizationId, asked: &Asked<'_>) -> Markup {
    let hidden = html! {
        input type="hidden" name="organization" value=(organization);
        input type="hidden" name="purpose" value=(asked.id);
        input type="hidden" name="version" value=(asked.purpose.version);
    };
    html! {
        h3 { (asked.purpose.title) }
        p.text { (asked.purpose.text) }
        @if let Some(given) = asked.given {
            p.quiet { (words::agreed_on(&when(given.given_at))) }
            @if !asked.holds() { p.wrong { (words::TEXT_CHANGED) } }
            (form(csrf, "/account/phones/withdraw", &html! {
                (hidden) button.second type="submit" { (words::take_back(&asked.purpose.title)) }
            }))
        }
        @if !asked.holds() {
            (form(csrf, "/account/phones/agree", &html! {
                (hidden) button type="submit" { (words::agree_to(&asked.purpose.title)) }
            }))
        }
    }
}

/// `POST /account/phones/remove`.
pub(crate) async fn remove(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let id = form.get("phone").and_then(|id| id.parse::<DeviceId>().ok()).ok_or(PageRefusal::NotFound)?;
    let phone = identity.store.phone(person.account.id, id).await?;
    identity.store.delete_device(phone.organization, id, identity.clock.now()).await?;
    identity.changed(Change::Device(id));
    let detail = json!({"device": id, "name": phone.name});
    let about = About { organization: Some(phone.organization), ..about(&person) };
    identity.record(What::PhoneRemoved, about, detail).await;
    Ok(redirect(HERE))
}

/// `POST /account/phones/agree`: to the text that the page showed, which may have changed since.
pub(crate) async fn agree(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let organization = organization(&form)?;
    let [id, version] = ["purpose", "version"].map(|field| form.get(field).unwrap_or_default());
    let purpose = identity.config.purposes.get(id).ok_or(PageRefusal::NotFound)?;
    identity.store.organization(organization).await?;
    if purpose.version != version {
        return Err(PageRefusal::Invalid(words::CHANGED_MEANWHILE.to_owned()));
    }
    identity.agree(organization, person.account.id, id, version).await?;
    let detail = json!({"purpose": id, "version": version});
    let about = About { organization: Some(organization), ..about(&person) };
    identity.record(What::ConsentGiven, about, detail).await;
    Ok(redirect(HERE))
}

/// `POST /account/phones/withdraw`.
pub(crate) async fn withdraw(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let organization = organization(&form)?;
    let purpose = form.get("purpose").unwrap_or_default();
    identity.take_back(organization, person.account.id, purpose).await?;
    let about = About { organization: Some(organization), ..about(&person) };
    identity.record(What::ConsentWithdrawn, about, json!({"purpose": purpose})).await;
    Ok(redirect(HERE))
}

fn organization(form: &Parameters) -> Result<OrganizationId, PageRefusal> {
    form.get("organization").and_then(|id| id.parse().ok()).ok_or(PageRefusal::NotFound)
}
