//! Twins: what a device should be and says it is, and what changed of it.

mod shape;
mod version;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use protocol::DeviceId;
use store::{Side, StoreError};

use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::commands::order;
use crate::paging;
use crate::path::Ids;
use crate::problem::{Document, Kind, Mistake, Problem};
use crate::query::{self, Query};
use crate::scopes;

pub(crate) use shape::{Twin, TwinChange, TwinChanges, TwinToDesire};
use version::Wanted;

/// Answers with what a device should be, what it says it is, and what of the one is not yet so in the other. `ETag` is the version
/// of the desired state alone, for `If-Match`: the reported state changes under the same one.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/twin",
    tag = "twins",
    summary = "Read a device's twin",
    security(("key" = ["devices:read"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The twin", body = Twin,
        headers(("ETag" = String, description = "The version of the desired state, in quotes"))))
)]
pub(crate) async fn read(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<Tagged, Problem> {
    Ok(Tagged(app.store.twin(caller.organization(), device).await?.into()))
}

/// Changes what a device should be, by a merge patch (RFC 7396): what is left out stays as it is, null takes away. The device is
/// told when it is there. With `If-Match` only if the desired state still has that version; without, the last one to write wins.
#[utoipa::path(
    patch,
    path = "/api/v1/devices/{device}/twin",
    tag = "twins",
    summary = "Change what a device should be",
    security(("key" = ["commands:write"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("If-Match" = Option<String>, Header, description = "The version that the desired state must have, in quotes, or `*`", example = "\"7\"")
    ),
    request_body = TwinToDesire,
    responses(
        (status = 200, description = "The twin as it is now", body = Twin,
            headers(("ETag" = String, description = "The version of the desired state, in quotes"))),
        (status = 412, description = "The desired state has another version", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change(
    caller: Caller<scopes::CommandsWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    headers: HeaderMap,
    Body(body): Body<TwinToDesire>,
) -> Result<Tagged, Problem> {
    let organization = caller.organization();
    let wanted = version::wanted(&headers)?;
    let known = app.store.device(organization, device).await?;
    order::check_kind(known.kind)?;
    let version = match wanted {
        Wanted::Any => None,
        Wanted::Version(version) => Some(version),
        Wanted::Never => return Err(other_version()),
    };
    match app.orders.desire(organization, device, body.desired, version, caller.author()).await {
        Ok(twin) => Ok(Tagged(twin.as_ref().clone().into())),
        Err(StoreError::Conflict("version")) => Err(other_version()),
        Err(StoreError::Invalid(fault)) => Err(impossible(&fault)),
        Err(error) => Err(error.into()),
    }
}

/// Lists the changes of one side of a twin, newest first. The last 100 of each side are kept.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/twin/changes",
    tag = "twins",
    summary = "List what changed of a twin",
    security(("key" = ["devices:read"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("side" = Option<String>, Query, description = "`desired` or `reported`; `desired` unless given"),
        ("before" = Option<u64>, Query, description = "Only changes before this version: `next_before` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "Changes, with who made them", body = TwinChanges))
)]
pub(crate) async fn changes(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    mut query: Query,
) -> Result<Json<TwinChanges>, Problem> {
    let side = query.optional("side", query::parsed::<Side>).unwrap_or(Side::Desired);
    let before = query.optional("before", |text| {
        let version = text.parse().ok().filter(|version: &u64| i64::try_from(*version).is_ok());
        version.ok_or_else(|| "must be a version, which is a number".to_owned())
    });
    let limit = paging::limit(&mut query);
    query.finish()?;
    let mut changes = app.store.twin_changes(caller.organization(), device, side, before, limit + 1).await?;
    let is_more = changes.len() > limit as usize;
    changes.truncate(limit as usize);
    let next_before = changes.last().filter(|_| is_more).map(|change| change.version);
    Ok(Json(TwinChanges { items: changes.into_iter().map(TwinChange::from).collect(), next_before }))
}

fn other_version() -> Problem {
    let detail = "the desired state has another version than `If-Match` says; read the twin again";
    Problem::new(Kind::PreconditionFailed, detail)
}

/// The desired state would be one that the device has declared that it cannot have. The store says where and what.
fn impossible(fault: &str) -> Problem {
    let mistake = match fault.split_once(": ") {
        Some((path, what)) if path.is_empty() || path.starts_with('/') => {
            Mistake::at(format!("/desired{path}"), what)
        }
        _ => Mistake::at("/desired", fault),
    };
    Problem::invalid_body(vec![mistake])
}

/// A twin with the version of its desired state.
pub(crate) struct Tagged(Twin);

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = version::tag(self.0.desired_version());
        let mut response = Json(self.0).into_response();
        // Digits in quotes are always a header's value.
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}
