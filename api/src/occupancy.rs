//! Who is inside now, as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{OrganizationId, VenueId, ZoneId, ZoneKind};
use serde::Serialize;
use store::{Page, Store};
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::MAX_LIMIT;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// How many subjects are where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Occupancy {
    /// The time it holds for.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// Subjects inside: in entrance and interior zones.
    total: u32,
    /// Subjects by zone, every zone of the venue.
    #[schema(value_type = BTreeMap<String, u32>)]
    zones: BTreeMap<ZoneId, u32>,
}

/// Answers how many subjects are in each zone, private random addresses included.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/occupancy",
    tag = "analytics",
    summary = "Subjects inside now",
    security(("key" = ["analytics:read"])),
    params(("venue" = String, Path, description = "The venue's id")),
    responses((status = 200, description = "The numbers", body = Occupancy))
)]
pub(crate) async fn occupancy(
    caller: Caller<scopes::AnalyticsRead>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
    query: Query,
) -> Result<Json<Occupancy>, Problem> {
    query.finish()?;
    let organization = caller.organization();
    let kinds = zones(&app.store, organization, venue).await?;
    let (at, seen) = if let Some(seen) = app.live.presence(organization, venue) {
        (seen.at, seen.zones)
    } else {
        let state = app.store.analytics_state(organization, venue).await?;
        (state.complete_through.unwrap_or_else(|| app.clock.now()), BTreeMap::new())
    };
    let zones: BTreeMap<ZoneId, u32> =
        kinds.keys().map(|zone| (*zone, seen.get(zone).copied().unwrap_or(0))).collect();
    let total = zones.iter().filter(|(zone, _)| kinds[*zone].is_inside()).map(|(_, number)| number).sum();
    Ok(Json(Occupancy { at: at.into(), total, zones }))
}

/// Every zone of a venue and its kind.
pub(crate) async fn zones(
    store: &Store,
    organization: OrganizationId,
    venue: VenueId,
) -> Result<BTreeMap<ZoneId, ZoneKind>, Problem> {
    let mut zones = BTreeMap::new();
    let mut page = Page::first(MAX_LIMIT);
    loop {
        let listed = store.zones(organization, venue, page).await?;
        zones.extend(listed.items.iter().map(|zone| (zone.id, zone.kind)));
        page.cursor = listed.next;
        if page.cursor.is_none() {
            return Ok(zones);
        }
    }
}
