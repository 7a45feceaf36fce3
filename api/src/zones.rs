//! Zones of a venue.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{VenueId, ZoneId, ZoneKind};
use serde::{Deserialize, Serialize};
use store::{Change, NewZone, StoreError, ZonePatch};
use utoipa::ToSchema;

use crate::App;
use crate::body::{Body, nullable};
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// The most neighbours of a zone.
const MAX_NEIGHBOURS: usize = 100;

/// A part of a venue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Zone {
    #[schema(value_type = String, format = "uuid")]
    id: ZoneId,
    #[schema(value_type = String, format = "uuid")]
    venue: VenueId,
    /// A name for people.
    name: String,
    /// What being there means: `entrance`, `interior`, `outside` or `staff`.
    #[schema(value_type = String, example = "interior")]
    kind: ZoneKind,
    /// Zones one can step into from here.
    #[schema(value_type = Vec<String>)]
    neighbours: Vec<ZoneId>,
    /// Its outline, corner by corner, in metres in the venue's own coordinates.
    polygon: Option<Vec<[f64; 2]>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when the newest version holds; null for the first, which holds for all earlier time too.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_from: Option<Instant>,
}

/// A zone to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZoneToCreate {
    /// 1 to 200 characters.
    name: String,
    /// `entrance`, `interior`, `outside` or `staff`.
    #[schema(value_type = String, example = "interior")]
    kind: ZoneKind,
    /// Zones of the same venue one can step into from here.
    #[schema(value_type = Option<Vec<String>>)]
    neighbours: Option<Vec<ZoneId>>,
    /// At least three corners `[x, y]` in metres.
    polygon: Option<Vec<Vec<f64>>>,
}

/// What to change of a zone; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct ZoneChange {
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    kind: Option<ZoneKind>,
    #[schema(value_type = Option<Vec<String>>)]
    neighbours: Option<Vec<ZoneId>>,
    /// Null takes the outline away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<Vec<f64>>>)]
    polygon: Option<Option<Vec<Vec<f64>>>>,
    /// From when the change holds; now unless given. A time in the past recalculates what it touches.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_from: Option<Instant>,
}

impl From<store::Zone> for Zone {
    fn from(zone: store::Zone) -> Zone {
        Zone {
            id: zone.id,
            venue: zone.venue,
            name: zone.name,
            kind: zone.kind,
            neighbours: zone.neighbours,
            polygon: zone.polygon,
            created_at: zone.created_at.into(),
            effective_from: Instant::unless_ever(zone.effective_from),
        }
    }
}

/// Makes a zone in a venue.
#[utoipa::path(
    post,
    path = "/api/v1/venues/{venue}/zones",
    tag = "zones",
    summary = "Make a zone",
    security(("key" = ["venues:write"])),
    params(("venue" = String, Path, description = "The venue's id")),
    request_body = ZoneToCreate,
    responses((status = 201, description = "The zone", body = Zone))
)]
pub(crate) async fn create(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
    Body(body): Body<ZoneToCreate>,
) -> Result<Created<Zone>, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let neighbours = mistakes.optional("/neighbours", body.neighbours, distinct_neighbours);
    let polygon = mistakes.optional("/polygon", body.polygon, |corners| fields::polygon(&corners));
    let Some(name) = name else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    let new =
        NewZone { neighbours: neighbours.unwrap_or_default(), polygon, ..NewZone::new(name, body.kind) };
    let zone = app.store.create_zone(caller.organization(), venue, &new, app.clock.now()).await;
    let zone = zone.map_err(bad_neighbour)?;
    app.live.changed(Change::Venue(venue));
    Ok(Created::at(format!("/api/v1/venues/{venue}/zones/{}", zone.id), zone.into()))
}

/// Lists the zones of a venue in the order they were made.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/zones",
    tag = "zones",
    summary = "List zones",
    security(("key" = ["venues:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of zones", body = Items<Zone>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::VenuesRead>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
    query: Query,
) -> Result<Json<Items<Zone>>, Problem> {
    let page = paging::only_page(query, List::Zones)?;
    let listed = app.store.zones(caller.organization(), venue, page).await?;
    Ok(Json(Items::of(List::Zones, listed, Zone::from)))
}

/// Answers with one zone.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/zones/{zone}",
    tag = "zones",
    summary = "Read a zone",
    security(("key" = ["venues:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("zone" = String, Path, description = "The zone's id")
    ),
    responses((status = 200, description = "The zone", body = Zone))
)]
pub(crate) async fn read(
    caller: Caller<scopes::VenuesRead>,
    State(app): State<Arc<App>>,
    Ids((venue, zone)): Ids<(VenueId, ZoneId)>,
) -> Result<Json<Zone>, Problem> {
    let zone = app.store.zone(caller.organization(), venue, zone).await?;
    Ok(Json(zone.into()))
}

/// Changes a zone from now or from a given time on.
#[utoipa::path(
    patch,
    path = "/api/v1/venues/{venue}/zones/{zone}",
    tag = "zones",
    summary = "Change a zone",
    security(("key" = ["venues:write"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("zone" = String, Path, description = "The zone's id")
    ),
    request_body = ZoneChange,
    responses((status = 200, description = "The zone as it is now", body = Zone))
)]
pub(crate) async fn change(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Ids((venue, zone)): Ids<(VenueId, ZoneId)>,
    Body(body): Body<ZoneChange>,
) -> Result<Json<Zone>, Problem> {
    let mut mistakes = Mistakes::default();
    let patch = ZonePatch {
        name: mistakes.optional("/name", body.name, fields::name),
        kind: body.kind,
        neighbours: mistakes.optional("/neighbours", body.neighbours, distinct_neighbours),
        polygon: mistakes.nullable("/polygon", body.polygon, |corners| fields::polygon(&corners)),
        effective_from: body.effective_from.map(|at| at.0),
    };
    mistakes.finish()?;
    let zone = app.store.patch_zone(caller.organization(), venue, zone, &patch, app.clock.now()).await;
    let zone = zone.map_err(bad_neighbour)?;
    app.live.changed(Change::Venue(venue));
    Ok(Json(zone.into()))
}

/// Deletes a zone. Its devices stay in the venue, without a zone.
#[utoipa::path(
    delete,
    path = "/api/v1/venues/{venue}/zones/{zone}",
    tag = "zones",
    summary = "Delete a zone",
    security(("key" = ["venues:write"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("zone" = String, Path, description = "The zone's id")
    ),
    responses((status = 204, description = "It is deleted"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Ids((venue, zone)): Ids<(VenueId, ZoneId)>,
) -> Result<StatusCode, Problem> {
    app.store.delete_zone(caller.organization(), venue, zone, app.clock.now()).await?;
    app.live.changed(Change::Venue(venue));
    Ok(StatusCode::NO_CONTENT)
}

fn distinct_neighbours(zones: Vec<ZoneId>) -> Result<Vec<ZoneId>, String> {
    fields::distinct(zones, MAX_NEIGHBOURS)
}

/// Everything but the neighbours was checked before the store was asked.
fn bad_neighbour(error: StoreError) -> Problem {
    match error {
        StoreError::Invalid(detail) => Problem::invalid_body(vec![Mistake::at("/neighbours", detail)]),
        other => other.into(),
    }
}
