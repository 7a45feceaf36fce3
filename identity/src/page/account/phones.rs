//! A person's phones, and what they agreed to for them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use protocol::DeviceId;
use serde_json::json;
use store::{Change, Device};

use super::super::{Page, PageRefusal, form};
use super::{about, when};
use crate::Identity;
use crate::audit::What;
use crate::browser::{Person, Posted, redirect};
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
    let body = html! {
        @if phones.is_empty() { p { (words::NO_PHONES) } }
        ul.rows { @for phone in &phones { li { (row(csrf, phone)) } } }
        h2 { (words::CONSENTS) }
        @for asked in identity.config.purposes.asked(&given) { (consent(csrf, &asked)) }
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

fn consent(csrf: &str, asked: &Asked<'_>) -> Markup {
    let hidden = html! {
        input type="hidden" name="purpose" value=(asked.id);
        input type="hidden" name="version" value=(asked.purpose.version);
    };
    html! {
        h3 { (asked.purpose.title) }
        p { (asked.purpose.text) }
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
    identity.record(What::PhoneRemoved, about(&person), detail).await;
    Ok(redirect(HERE))
}

/// `POST /account/phones/agree`: to the text that the page showed, which may have changed since.
pub(crate) async fn agree(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let [id, version] = ["purpose", "version"].map(|field| form.get(field).unwrap_or_default());
    let purpose = identity.config.purposes.get(id).ok_or(PageRefusal::NotFound)?;
    if purpose.version != version {
        return Err(PageRefusal::Invalid(words::CHANGED_MEANWHILE.to_owned()));
    }
    identity.store.give_consent(person.account.id, id, version, identity.clock.now()).await?;
    tell(&identity, &person).await?;
    let detail = json!({"purpose": id, "version": version});
    identity.record(What::ConsentGiven, about(&person), detail).await;
    Ok(redirect(HERE))
}

/// `POST /account/phones/withdraw`.
pub(crate) async fn withdraw(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let purpose = form.get("purpose").unwrap_or_default();
    identity.store.withdraw_consent(person.account.id, purpose, identity.clock.now()).await?;
    tell(&identity, &person).await?;
    identity.record(What::ConsentWithdrawn, about(&person), json!({"purpose": purpose})).await;
    Ok(redirect(HERE))
}

/// Tells whoever takes pings that something about the phones of the person changed.
async fn tell(identity: &Identity, person: &Person) -> Result<(), PageRefusal> {
    for phone in identity.store.phones(person.account.id).await? {
        identity.changed(Change::Device(phone.id));
    }
    Ok(())
}
