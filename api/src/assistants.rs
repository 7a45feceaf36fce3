//! What people and their applications see and set of voice assistants. What the assistants themselves come to is in the
//! package `voice`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::LinkState;
use utoipa::ToSchema;
use voice::Secret;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::Items;
use crate::path::Ids;
use crate::problem::{Document, Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// What a person linked to a voice assistant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoiceLink {
    /// `google` or `alexa`.
    #[schema(example = "google")]
    assistant: &'static str,
    /// `linked`; `broken`, where the assistant does not know the link any more and the person has to link again; or `unlinked`.
    #[schema(example = "linked")]
    state: &'static str,
    /// Whether the assistant can be told of changes. Where it cannot although it is linked, it still asks and orders; of Alexa,
    /// linking again may help.
    reports: bool,
    /// Whether it reaches venues too, and not devices alone.
    venues: bool,
    /// When it was linked.
    #[schema(value_type = String, format = DateTime)]
    linked_at: Instant,
    /// Since when the state is what it is.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Instant,
}

/// A PIN to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinToSet {
    /// 4 to 8 digits. It is never shown again.
    #[schema(value_type = String, pattern = "^[0-9]{4,8}$", example = "7301", write_only)]
    pin: Secret,
}

impl From<voice::Link> for VoiceLink {
    fn from(link: voice::Link) -> VoiceLink {
        VoiceLink {
            assistant: link.assistant.as_str(),
            state: LinkState::as_str(link.state),
            reports: link.reports,
            venues: link.venues,
            linked_at: link.linked_at.into(),
            changed_at: link.changed_at.into(),
        }
    }
}

/// Lists what the person linked to voice assistants in the organization, also what has ended.
#[utoipa::path(
    get,
    path = "/voice/links",
    tag = "voice",
    summary = "List one's links to assistants",
    security(("key" = ["devices:read"])),
    responses(
        (status = 200, description = "Every link", body = Items<VoiceLink>),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn links(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<VoiceLink>>, Problem> {
    let account = caller.person()?.account;
    query.finish()?;
    let links = app.voice.links(caller.organization(), account).await?;
    Ok(Json(Items::all(links, VoiceLink::from)))
}

/// Gives a device the PIN that assistants have to ask for, and forgets how often a wrong one was said.
#[utoipa::path(
    put,
    path = "/voice/devices/{device}/pin",
    tag = "voice",
    summary = "Set the PIN of a device",
    security(("key" = ["devices:write"])),
    params(("device" = String, Path, description = "The device's id")),
    request_body = PinToSet,
    responses((status = 204, description = "It is set"))
)]
pub(crate) async fn set_pin(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    Body(body): Body<PinToSet>,
) -> Result<StatusCode, Problem> {
    if !voice::can_be_pin(&body.pin) {
        return Err(Problem::invalid_body(vec![Mistake::at("/pin", "must be 4 to 8 digits")]));
    }
    let name = app.store.device(caller.organization(), device).await?.name;
    app.voice.set_pin(caller.organization(), device, Some(&body.pin)).await?;
    let detail = json!({"device": device, "name": name});
    audit::record(&app, &caller, What::PinSet, caller.account(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the PIN of a device away, whether it had one or not: what needs one cannot be done by voice then.
#[utoipa::path(
    delete,
    path = "/voice/devices/{device}/pin",
    tag = "voice",
    summary = "Remove the PIN of a device",
    security(("key" = ["devices:write"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 204, description = "It has none"))
)]
pub(crate) async fn remove_pin(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<StatusCode, Problem> {
    let name = app.store.device(caller.organization(), device).await?.name;
    if app.voice.set_pin(caller.organization(), device, None).await? {
        let detail = json!({"device": device, "name": name});
        audit::record(&app, &caller, What::PinRemoved, caller.account(), detail).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
