//! Journeys: the ways that visits took through the zones.

mod ways;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{VenueId, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::range::{self, About, Range};
use crate::scopes;

use ways::{Crossing, FunnelStep, Transition, Way};

/// Zones that a funnel may have.
const MOST_STEPS: usize = 16;
/// Paths in an answer, unless asked for otherwise and at most.
const PATHS: u32 = 20;
const MOST_PATHS: u32 = 500;

/// The ways that visits took through the zones of a venue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Journeys {
    #[serde(flatten)]
    about: About,
    /// Visits that began in the time.
    visits: Option<u64>,
    /// How many visits went from one zone to the next, or began or ended in one; most first. A visit that did it several times
    /// counts each of them.
    transitions: Vec<Transition>,
    /// The paths that most visits took, most first.
    paths: Vec<Way>,
    /// How many visits were in the zones of `sequence`, in that order; empty without it.
    funnel: Vec<FunnelStep>,
}

/// Which zones were visited together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CrossShopping {
    #[serde(flatten)]
    about: About,
    /// The zone that the others are seen from.
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    /// Visits that stayed in it.
    visits: Option<u64>,
    /// The other zones that these visits stayed in, most first.
    others: Vec<Crossing>,
}

/// Tells the ways of visits: transitions from zone to zone, the most frequent paths, and how many kept to a given sequence.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/journeys",
    tag = "analytics",
    summary = "Ways through the zones",
    security(("key" = ["stays:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339; must be the start of an hour of the venue"),
        ("to" = String, Query, description = "The end, not included; must be the start of an hour too"),
        ("sequence" = Option<String>, Query, description = "Ids of zones, separated by commas, 16 at most: the steps of a funnel"),
        ("paths" = Option<u32>, Query, description = "Paths at most, 1 to 500; 20 unless given")
    ),
    responses((status = 200, description = "The numbers", body = Journeys))
)]
pub(crate) async fn journeys(
    caller: Caller<scopes::StaysRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<Journeys>, Problem> {
    let ends = range::ends(&mut query);
    let sequence = query.optional("sequence", sequence).unwrap_or_default();
    let most = query.optional("paths", most_paths).unwrap_or(PATHS);
    query.finish()?;
    let range = Range::of(&app, caller.organization(), id, ends, None).await?;
    for zone in &sequence {
        range.has_zone(&app, "sequence", *zone).await?;
    }
    let paths = app.store.paths(&range.question()).await?;
    Ok(Json(Journeys {
        about: range.about(),
        visits: Some(paths.iter().map(|(_, visits)| visits).sum()),
        transitions: ways::transitions(&paths),
        paths: ways::most_frequent(&paths, most as usize),
        funnel: ways::funnel(&paths, &sequence),
    }))
}

/// Tells in which other zones the visits of one zone stayed.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/cross-shopping",
    tag = "analytics",
    summary = "Zones visited together",
    security(("key" = ["stays:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339; must be the start of an hour of the venue"),
        ("to" = String, Query, description = "The end, not included; must be the start of an hour too"),
        ("zone" = String, Query, description = "The zone that the others are seen from")
    ),
    responses((status = 200, description = "The numbers", body = CrossShopping))
)]
pub(crate) async fn cross_shopping(
    caller: Caller<scopes::StaysRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<CrossShopping>, Problem> {
    let ends = range::ends(&mut query);
    let zone: Option<ZoneId> = query.required("zone", query::parsed);
    query.finish()?;
    let Some(zone) = zone else { return Err(Problem::invalid_query(Vec::new())) };
    let range = Range::of(&app, caller.organization(), id, ends, None).await?;
    range.has_zone(&app, "zone", zone).await?;
    let paths = app.store.paths(&range.question()).await?;
    let (visits, others) = ways::crossings(&paths, zone);
    Ok(Json(CrossShopping { about: range.about(), zone, visits: Some(visits), others }))
}

fn sequence(text: &str) -> Result<Vec<ZoneId>, String> {
    let zones: Vec<ZoneId> = text.split(',').map(query::parsed).collect::<Result<_, _>>()?;
    if zones.len() > MOST_STEPS {
        return Err(format!("must be at most {MOST_STEPS} zones"));
    }
    Ok(zones)
}

fn most_paths(text: &str) -> Result<u32, String> {
    let most = text.parse().ok().filter(|most| (1..=MOST_PATHS).contains(most));
    most.ok_or_else(|| format!("must be a number from 1 to {MOST_PATHS}"))
}
