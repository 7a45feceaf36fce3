//! The passkeys of a person: adding, naming and removing them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use protocol::PasskeyId;
use serde::Deserialize;
use serde_json::json;
use store::{NewPasskey, Passkey, StoreError};
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::super::passkey::{passkeys, told, with_script};
use super::super::{Field, Page, PageRefusal, form};
use super::{about, confirmation, is_confirmed, unconfirmed, when};
use crate::Identity;
use crate::audit::What;
use crate::browser::{Person, Posted, Scripted, Told, redirect};
use crate::mail::WaysIn;
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::passkey::Registration;
use crate::words;

/// Passkeys that an account may have, as the store counts them.
const MOST: usize = 50;

/// What the script asks for before a passkey is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    name: String,
    /// Missing where the person has none.
    #[serde(default)]
    password: String,
}

/// What the authenticator made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    ceremony: String,
    credential: RegisterPublicKeyCredential,
}

/// `GET /account/passkeys`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
) -> Result<Response, PageRefusal> {
    let known = identity.store.passkeys(person.account.id).await?;
    let body = html! {
        p { (words::PASSKEYS_TEXT) }
        @if known.is_empty() { p { (words::NO_PASSKEYS) } }
        ul.rows { @for passkey in &known { li { (row(&person, passkey)) } } }
        h2 { (words::ADD_PASSKEY) }
        @if identity.passkeys.is_some() {
            noscript { p { (words::PASSKEYS_NEED_SCRIPT) } }
            (with_script(&add_form(&person)))
        } @else {
            p { (words::PASSKEYS_NEED_NAME) }
        }
    };
    Ok(Page::new(words::PASSKEYS, body).with_script().show(&identity, &person.visitor))
}

/// `POST /account/passkeys/begin`: the password is asked for before anything is made.
pub(crate) async fn begin(
    State(identity): State<Arc<Identity>>,
    scripted: Scripted<Asked>,
) -> Result<Response, Told> {
    let (person, said) = scripted.by_person()?;
    let passkeys = passkeys(&identity)?;
    let name = check_name(&said.name)?;
    if !is_confirmed(&identity, &person, &said.password).await? {
        return Err(PageRefusal::Invalid(unconfirmed(&person).to_owned()).into());
    }
    let known = identity.store.passkeys(person.account.id).await?;
    if known.len() >= MOST {
        return Err(PageRefusal::Invalid(words::MANY_PASSKEYS.to_owned()).into());
    }
    let begun = passkeys.begin_registration(&person.account, &known, name)?;
    let next = Next::read(Some("/account/passkeys"));
    let begun = identity.begin_ceremony(&person.visitor, begun, &next, Some(person.account.id)).await?;
    Ok(told(&begun))
}

/// `POST /account/passkeys/finish`.
pub(crate) async fn finish(
    State(identity): State<Arc<Identity>>,
    scripted: Scripted<Made>,
) -> Result<Response, Told> {
    let (person, said) = scripted.by_person()?;
    let account = person.account.id;
    let passkeys = passkeys(&identity)?;
    let taken = identity.take_ceremony(&person.visitor, &said.ceremony, Some(account)).await?;
    let (registration, next): (Registration, _) = taken.ok_or(PageRefusal::Passkey(words::CEREMONY_OVER))?;
    let (credential, data) = passkeys
        .finish_registration(&said.credential, &registration)
        .map_err(|_| PageRefusal::Passkey(words::PASSKEY_FAILED))?;
    let new = NewPasskey { credential, name: registration.name, data };
    match identity.store.add_passkey(account, &new, identity.clock.now()).await {
        Err(StoreError::Conflict("credential")) => {
            return Err(PageRefusal::Passkey(words::PASSKEY_KNOWN).into());
        }
        Err(StoreError::Conflict("passkeys")) => {
            return Err(PageRefusal::Invalid(words::MANY_PASSKEYS.to_owned()).into());
        }
        added => added?,
    };
    identity.record(What::PasskeyAdded, about(&person), json!({"passkey": new.name})).await;
    identity.tell(&person.account, WaysIn::PasskeyAdded { name: new.name });
    Ok(told(&json!({"next": next.as_str()})))
}

/// `POST /account/passkeys/rename`.
pub(crate) async fn rename(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let passkey = own(&identity, &person, &form).await?;
    let name = check_name(form.get("name").unwrap_or_default())?;
    identity.store.rename_passkey(person.account.id, passkey.id, &name).await?;
    identity
        .record(What::PasskeyRenamed, about(&person), json!({"passkey": name, "from": passkey.name}))
        .await;
    Ok(redirect("/account/passkeys"))
}

/// `POST /account/passkeys/remove`.
pub(crate) async fn remove(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let passkey = own(&identity, &person, &form).await?;
    if !is_confirmed(&identity, &person, form.get("password").unwrap_or_default()).await? {
        return Err(PageRefusal::Invalid(unconfirmed(&person).to_owned()));
    }
    match identity.store.delete_passkey(person.account.id, passkey.id).await {
        Err(StoreError::Conflict("last")) => return Err(PageRefusal::Invalid(words::LAST_WAY.to_owned())),
        removed => removed?,
    }
    identity.record(What::PasskeyRemoved, about(&person), json!({"passkey": passkey.name})).await;
    Ok(redirect("/account/passkeys"))
}

fn row(person: &Person, passkey: &Passkey) -> Markup {
    let csrf = &person.visitor.csrf;
    let hidden = html! { input type="hidden" name="passkey" value=(passkey.id); };
    let name = Field {
        name: "name",
        label: words::PASSKEY_NAME,
        kind: "text",
        autocomplete: "off",
        value: &passkey.name,
        hint: None,
    };
    let rename = html! {
        (hidden)
        (name.show_as(&format!("name-{}", passkey.id)))
        button.second type="submit" { (words::RENAME) }
    };
    let remove = html! {
        (hidden)
        (confirmation(person, "password", &format!("password-{}", passkey.id)))
        button type="submit" { (words::remove(&passkey.name)) }
    };
    html! {
        p { strong { (passkey.name) } }
        p.quiet { (words::added_on(&when(passkey.created_at))) }
        p.quiet { (words::last_used(passkey.last_used_at.map(when).as_deref())) }
        details {
            summary { (words::RENAME_OR_REMOVE) }
            (form(csrf, "/account/passkeys/rename", &rename))
            (form(csrf, "/account/passkeys/remove", &remove))
        }
    }
}

fn add_form(person: &Person) -> Markup {
    let name = Field {
        name: "name",
        label: words::PASSKEY_NAME,
        kind: "text",
        autocomplete: "off",
        value: "",
        hint: Some(words::PASSKEY_NAME_HINT),
    };
    let inner = html! {
        (name.show())
        (confirmation(person, "password", "password"))
        button id="add-passkey" type="submit" { (words::ADD_PASSKEY) }
    };
    form(&person.visitor.csrf, "/account/passkeys/begin", &inner)
}

/// The passkey that a form names, if it is the person's own.
async fn own(identity: &Identity, person: &Person, form: &Parameters) -> Result<Passkey, PageRefusal> {
    let id = form.get("passkey").and_then(|id| id.parse::<PasskeyId>().ok()).ok_or(PageRefusal::NotFound)?;
    let known = identity.store.passkeys(person.account.id).await?;
    known.into_iter().find(|passkey| passkey.id == id).ok_or(PageRefusal::NotFound)
}

fn check_name(name: &str) -> Result<String, PageRefusal> {
    let name = name.trim();
    if (1..=200).contains(&name.chars().count()) {
        Ok(name.to_owned())
    } else {
        Err(PageRefusal::Invalid(words::PASSKEY_NAME_LENGTH.to_owned()))
    }
}
