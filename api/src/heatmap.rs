//! The heat map: how much time was spent in each zone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use presence::Tally;
use protocol::{VenueId, ZoneId, ZoneKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::footfall::{part, seconds};
use crate::occupancy;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::range::{self, About, Range};
use crate::scopes;

/// How much time was spent in each zone of a venue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeatMap {
    #[serde(flatten)]
    about: About,
    /// Every zone that the venue has now, by id.
    zones: Vec<Warmth>,
}

/// One zone of a heat map; all numbers are null when it is suppressed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Warmth {
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    #[schema(value_type = String, example = "interior")]
    kind: ZoneKind,
    /// Seconds that subjects spent in the zone, all added up; private random addresses too.
    person_s: Option<f64>,
    /// Stays of 30 s or more that began in the time.
    zone_stays: Option<u64>,
    /// Visits that began in the time and touch the zone.
    visits: Option<u64>,
    /// These visits as a part of all visits of the venue; null without a visit.
    draw: Option<f64>,
    /// The most subjects at one moment.
    occupancy_peak: Option<u64>,
    /// Whether the numbers are withheld because so few people are behind them.
    suppressed: bool,
}

/// Adds up the time that was spent in each zone, and says which part of the visits each of them drew.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/heatmap",
    tag = "analytics",
    summary = "Time spent by zone",
    security(("key" = ["stays:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339; must be the start of an hour of the venue"),
        ("to" = String, Query, description = "The end, not included; must be the start of an hour too")
    ),
    responses((status = 200, description = "The numbers", body = HeatMap))
)]
pub(crate) async fn heatmap(
    caller: Caller<scopes::StaysRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<HeatMap>, Problem> {
    let ends = range::ends(&mut query);
    query.finish()?;
    let organization = caller.organization();
    let range = Range::of(&app, organization, id, ends, None).await?;
    let kinds = occupancy::zones(&app.store, organization, id).await?;
    let places: Vec<_> = [None].into_iter().chain(kinds.keys().copied().map(Some)).collect();
    let tallies = app.store.tallies(&range.question(), &places).await?;
    let mut totals = tallies.iter().map(|tallies| {
        let mut total = Tally::default();
        for tally in tallies {
            total.merge(tally);
        }
        total
    });
    let all = totals.next().map_or(0, |venue| venue.visits());
    let warmth = |((zone, kind), tally): ((ZoneId, ZoneKind), Tally)| Warmth {
        zone,
        kind,
        person_s: Some(seconds(tally.occupied_ms as f64)),
        zone_stays: Some(tally.zone_stays),
        visits: Some(tally.visits()),
        draw: part(tally.visits(), all),
        occupancy_peak: Some(tally.peak),
        suppressed: false,
    };
    let zones = kinds.into_iter().zip(totals).map(warmth).collect();
    Ok(Json(HeatMap { about: range.about(), zones }))
}
