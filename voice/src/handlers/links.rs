//! `GET /voice/links`: what a person linked to assistants, and how it is with each.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::bearer::shown;
use super::problem::Problem;
use crate::Voice;

/// `broken` means that the assistant does not know the link any more, and the person has to link again.
pub(super) async fn list(
    State(voice): State<Arc<Voice>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let token = shown(&headers).ok_or(Problem::Unauthenticated)?;
    let bearer = voice.bearer(&token).await?;
    let account = bearer.account.ok_or(Problem::NoPerson)?;
    let links = voice.store.assistant_links_of(bearer.organization, account).await?;
    let items: Vec<Value> = links
        .iter()
        .map(|link| {
            json!({
                "assistant": link.assistant.as_str(),
                "state": link.state.as_str(),
                "venues": link.venues,
                "linked_at": time(link.linked_at),
                "changed_at": time(link.changed_at),
            })
        })
        .collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// A time as the interface has it (RFC 3339).
fn time(at: protocol::Timestamp) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| at.to_string())
}
