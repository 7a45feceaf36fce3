//! `GET /api/v1/devices/export`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::OrganizationId;
use store::{Device, DeviceFilter, Page, StoreError};
use uuid::Uuid;

use super::{COLUMNS, csv};
use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::scopes;

/// Devices that are read at a time.
const PORTION: u32 = 500;

/// Answers with all devices as a table, in the order they were made: `id,name,kind,venue,zone,x,y,z,identifier,created_at`. It has no
/// secrets. An answer that ends in the middle of a line, or of its chunks, is not whole.
#[utoipa::path(
    get,
    path = "/api/v1/devices/export",
    tag = "devices",
    summary = "Export devices as CSV",
    security(("key" = ["devices:read"])),
    params(
        ("venue" = Option<String>, Query, description = "Only devices placed in this venue"),
        ("kind" = Option<String>, Query, description = "Only devices of this kind")
    ),
    responses((status = 200, description = "The table (RFC 4180)", body = String, content_type = "text/csv"))
)]
pub(crate) async fn export(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    mut query: Query,
) -> Result<Response, Problem> {
    let filter = DeviceFilter {
        venue: query.optional("venue", query::parsed),
        kind: query.optional("kind", query::parsed),
    };
    query.finish()?;
    let organization = caller.organization();
    // The first portion is read before anything is said, so that a database that does not answer is a refusal.
    let first = portion(&app, organization, filter, None).await?;
    let portions = stream::try_unfold(Some(first), move |state| {
        let app = Arc::clone(&app);
        async move {
            let Some((text, next)) = state else { return Ok(None) };
            let after = match next {
                Some(cursor) => Some(portion(&app, organization, filter, Some(cursor)).await?),
                None => None,
            };
            Ok::<_, StoreError>(Some((text, after)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"devices.csv\""),
    ];
    Ok((headers, Body::from_stream(portions)).into_response())
}

/// A portion as text, and after which device the next one begins. The first has the names of the columns.
async fn portion(
    app: &App,
    organization: OrganizationId,
    filter: DeviceFilter,
    cursor: Option<Uuid>,
) -> Result<(String, Option<Uuid>), StoreError> {
    let listed = app.store.devices(organization, filter, Page { cursor, limit: PORTION }).await?;
    let mut text = String::new();
    if cursor.is_none() {
        let columns = ["id"].into_iter().chain(COLUMNS).chain(["created_at"]);
        csv::write(&mut text, &columns.map(str::to_owned).collect::<Vec<_>>());
    }
    for device in &listed.items {
        csv::write(&mut text, &cells(device));
    }
    Ok((text, listed.next))
}

fn cells(device: &Device) -> [String; 10] {
    let placement = device.placement.as_ref();
    let position = placement.and_then(|placement| placement.position);
    let metres = |axis: usize| position.map(|metres| metres[axis].to_string()).unwrap_or_default();
    [
        device.id.to_string(),
        device.name.clone(),
        device.kind.to_string(),
        placement.map(|placement| placement.venue.to_string()).unwrap_or_default(),
        placement.and_then(|placement| placement.zone).map(|zone| zone.to_string()).unwrap_or_default(),
        metres(0),
        metres(1),
        metres(2),
        device.identifier.as_ref().map(ToString::to_string).unwrap_or_default(),
        Instant(device.created_at).to_string(),
    ]
}
