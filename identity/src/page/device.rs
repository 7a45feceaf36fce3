//! `/device`: a person lets a device in that has no keyboard (RFC 8628 section 3.3).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use serde_json::json;
use store::Client;

use super::consent::{introduction, scope_list};
use super::form::mistake;
use super::{Field, Page, PageRefusal, form};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::{About, What};
use crate::browser::{Person, Posted};
use crate::oauth::Scopes;
use crate::oauth::parameter::Parameters;
use crate::seal::Use;
use crate::words;

/// `GET /device`. A code that came with the address is filled in and not used: the person compares it with the device's (RFC
/// 8628 section 3.3.1).
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    code_page(&person.visitor.csrf, query.get("user_code").unwrap_or_default(), None)
        .show(&identity, &person.visitor)
}

/// `POST /device`: shows who asks for what.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let typed = form.get("user_code").unwrap_or_default();
    // Codes are short, so each try is counted before it is looked at; a right one does not start the count anew, since
    // whoever guesses has codes of their own.
    if !identity.attempts.may_try(Who::UserCode(person.account.id), identity.clock.now()) {
        return Err(PageRefusal::TooMany);
    }
    let Some((client, scopes)) = find(&identity, &person, typed).await? else {
        let page = code_page(&person.visitor.csrf, typed, Some(words::WRONG_DEVICE_CODE));
        return Ok(page.show(&identity, &person.visitor));
    };
    let Some(scopes) = scopes else { return Err(PageRefusal::Invalid(words::NOTHING_TO_ALLOW.to_owned())) };
    let organization = identity.store.organization(client.organization).await?;
    let parts = parts(&person, typed, &scopes);
    let proof = identity.sealer.sign(Use::Consent, &parts.each_ref().map(Vec::as_slice));
    let inner = html! {
        input type="hidden" name="user_code" value=(typed);
        input type="hidden" name="scopes" value=(scopes.to_string());
        input type="hidden" name="proof" value=(proof);
        button type="submit" name="decision" value="agree" { (words::AGREE) }
        button.second type="submit" name="decision" value="cancel" { (words::CANCEL) }
    };
    let body = html! {
        (introduction(&client, &organization.name))
        (scope_list(&scopes))
        p.wrong { (words::device_warning(typed)) }
        (self::form(&person.visitor.csrf, "/device/decision", &inner))
    };
    Ok(Page::new(words::LET_DEVICE_IN, body).show(&identity, &person.visitor))
}

/// `POST /device/decision`.
pub(crate) async fn decide(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let typed = form.get("user_code").unwrap_or_default();
    let shown = Scopes::parse(form.get("scopes").unwrap_or_default()).map_err(|_| PageRefusal::Forged)?;
    let parts = parts(&person, typed, &shown);
    let proof = form.get("proof").unwrap_or_default();
    // First of all: without it this would be another place to guess codes at.
    if !identity.sealer.is_signed(Use::Consent, &parts.each_ref().map(Vec::as_slice), proof) {
        return Err(PageRefusal::Forged);
    }
    let Some((client, offered)) = find(&identity, &person, typed).await? else {
        return Err(PageRefusal::Client(words::TOO_LATE));
    };
    if offered.as_ref() != Some(&shown) {
        return Err(PageRefusal::Invalid(words::CHANGED_MEANWHILE.to_owned()));
    }
    let now = identity.clock.now();
    let (account, store) = (person.account.id, &identity.store);
    let (decided, what, text) = match form.get("decision") {
        Some("agree") => (
            store.approve_device_request(typed, account, &shown.to_string(), now).await?,
            What::DeviceAllowed,
            words::DEVICE_IS_IN,
        ),
        Some("cancel") => {
            (store.deny_device_request(typed, account, now).await?, What::DeviceRefused, words::DEVICE_IS_OUT)
        }
        _ => return Err(PageRefusal::Unreadable),
    };
    if !decided {
        return Err(PageRefusal::Client(words::TOO_LATE));
    }
    let about = About {
        organization: Some(client.organization),
        account: Some(account),
        address: Some(person.visitor.address),
    };
    identity.record(what, about, json!({"client": client.settings.name, "scopes": shown.to_string()})).await;
    let body = html! { p.good { (text) } };
    Ok(Page::new(words::LET_DEVICE_IN, body).show(&identity, &person.visitor))
}

/// The client whose code somebody typed, and what they can allow it.
async fn find(
    identity: &Identity,
    person: &Person,
    typed: &str,
) -> Result<Option<(Client, Option<Scopes>)>, PageRefusal> {
    let Some(request) = identity.store.device_request(typed, identity.clock.now()).await? else {
        return Ok(None);
    };
    let client = identity.store.client(request.client).await?.filter(|client| client.disabled_at.is_none());
    let Some(client) = client else { return Ok(None) };
    let membership = identity.store.membership(request.organization, person.account.id).await?;
    let scopes = Scopes::parse(&request.scopes).map_err(|_| PageRefusal::Internal)?;
    let scopes = scopes.of_person(membership.as_ref().map(|member| &member.scopes));
    Ok(Some((client, Some(scopes).filter(|scopes| !scopes.is_empty()))))
}

/// What was shown to whom.
fn parts(person: &Person, typed: &str, scopes: &Scopes) -> [Vec<u8>; 4] {
    [
        b"device".to_vec(),
        person.session.id.to_string().into_bytes(),
        typed.as_bytes().to_vec(),
        scopes.to_string().into_bytes(),
    ]
}

fn code_page<'a>(csrf: &str, typed: &str, wrong: Option<&str>) -> Page<'a> {
    let code = Field {
        name: "user_code",
        label: words::DEVICE_CODE,
        kind: "text",
        autocomplete: "off",
        value: typed,
        hint: Some(words::DEVICE_CODE_HINT),
    };
    let inner = html! { (code.show()) button type="submit" { (words::CONTINUE) } };
    let body = html! { (mistake(wrong)) (form(csrf, "/device", &inner)) };
    if wrong.is_some() {
        Page::wrong(words::LET_DEVICE_IN, body)
    } else {
        Page::new(words::LET_DEVICE_IN, body)
    }
}
