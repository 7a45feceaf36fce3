//! What happened to a person's account, for them to read.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use serde_json::Value;
use store::Page as ListPage;
use uuid::Uuid;

use super::super::{Page, PageRefusal};
use super::when;
use crate::Identity;
use crate::audit::What;
use crate::browser::Person;
use crate::oauth::parameter::Parameters;
use crate::words;

/// Entries on a page.
const ENTRIES: u32 = 50;

/// `GET /account/activity`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let cursor = query.get("before").and_then(|id| Uuid::try_parse(id).ok());
    let page = ListPage { cursor, limit: ENTRIES };
    let listed = identity.store.audit_of_account(person.account.id, page).await?;
    let body = html! {
        ul.rows {
            @for entry in &listed.items {
                li {
                    p { (What::text(&entry.what)) (subject(&entry.detail)) }
                    p.quiet { (words::entry_at(&when(entry.at), entry.address.as_deref())) }
                }
            }
        }
        @if let Some(next) = listed.next {
            p { a href={ "/account/activity?before=" (next) } { (words::OLDER) } }
        }
    };
    Ok(Page::new(words::ACTIVITY, body).show(&identity, &person.visitor))
}

/// Which service, passkey, provider, device or assistant an entry is about.
fn subject(detail: &Value) -> String {
    let assistant = || detail["assistant"].as_str()?.parse().ok().map(words::assistant);
    let named = ["name", "client", "passkey", "provider"].into_iter().find_map(|kind| detail[kind].as_str());
    let named = named.or_else(assistant);
    named.map(|name| format!(": {name}")).unwrap_or_default()
}
