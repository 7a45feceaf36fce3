//! Dwell: how long visits were.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use presence::{DWELL_BOUNDS_MS, Tally};
use protocol::{VenueId, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::footfall::seconds;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::range::{self, About, Range};
use crate::scopes;

/// How long the visits that began in a time were.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dwell {
    #[serde(flatten)]
    about: About,
    /// Visits that began in the time; null when suppressed, as are all numbers.
    visits: Option<u64>,
    /// Their mean length in seconds; null without a visit.
    mean_s: Option<f64>,
    /// The middle of their lengths in seconds; null without a visit.
    median_s: Option<f64>,
    /// The length in seconds that nine in ten do not exceed; null without a visit.
    p90_s: Option<f64>,
    /// The visits by length, shortest first.
    buckets: Vec<DwellBucket>,
    /// Whether the numbers are withheld because so few people are behind them.
    suppressed: bool,
}

/// The visits whose length is in a span.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DwellBucket {
    /// The shortest length in seconds.
    from_s: i64,
    /// The length in seconds that is too long; null for the last.
    to_s: Option<i64>,
    /// How many there are.
    visits: Option<u64>,
}

/// Says how long visits were: all that began in the time, or those that touch a zone, each as a whole.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/dwell",
    tag = "analytics",
    summary = "Lengths of visits",
    security(("key" = ["stays:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339; must be the start of an hour of the venue"),
        ("to" = String, Query, description = "The end, not included; must be the start of an hour too"),
        ("zone" = Option<String>, Query, description = "Only visits that touch this zone")
    ),
    responses((status = 200, description = "The numbers", body = Dwell))
)]
pub(crate) async fn dwell(
    caller: Caller<scopes::StaysRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<Dwell>, Problem> {
    let ends = range::ends(&mut query);
    let zone: Option<ZoneId> = query.optional("zone", query::parsed);
    query.finish()?;
    let range = Range::of(&app, caller.organization(), id, ends, None).await?;
    if let Some(zone) = zone {
        range.has_zone(&app, "zone", zone).await?;
    }
    let mut total = Tally::default();
    for tally in app.store.tallies(&range.question(), &[zone]).await?.iter().flatten() {
        total.merge(tally);
    }
    let lengths = total.dwell;
    let bounds = DWELL_BOUNDS_MS.map(|ms| ms / 1_000);
    let starts = [0].into_iter().chain(bounds);
    let ends = bounds.into_iter().map(Some).chain([None]);
    let buckets = starts.zip(ends).zip(lengths.buckets());
    Ok(Json(Dwell {
        about: range.about(),
        visits: Some(lengths.count()),
        mean_s: lengths.mean_ms().map(seconds),
        median_s: lengths.median_ms().map(seconds),
        p90_s: lengths.quantile_ms(90).map(seconds),
        buckets: buckets
            .map(|((from_s, to_s), visits)| DwellBucket { from_s, to_s, visits: Some(visits) })
            .collect(),
        suppressed: false,
    }))
}
