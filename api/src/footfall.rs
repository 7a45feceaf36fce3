//! Footfall: visits per time bucket.

mod figures;
mod period;
mod reading;
mod shown;
mod suppression;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use presence::Calendar;
use protocol::{VenueId, ZoneId};
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::{Mistake, Problem};
use crate::query::{self, Query};
use crate::scopes;

use figures::Figures;
use period::Size;
use shown::{Decision, Shown};
use suppression::SmallestGroup;

/// The version of the definitions in `docs/metrics.md` that the numbers follow.
pub const DEFINITIONS: &str = "2026-2";

/// Visits per time bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Footfall {
    #[schema(value_type = String, format = "uuid")]
    venue: VenueId,
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// `15m`, `hour`, `day` or `week`.
    #[schema(example = "hour")]
    bucket: &'static str,
    /// The venue's time zone, whose clock the buckets follow.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    /// Everything that happened before this time is counted; null before anything was reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    complete_through: Option<Instant>,
    /// Whether late reports or a changed configuration are being worked in, so that numbers may still change.
    recomputing: bool,
    /// The version of the definitions that the numbers follow.
    #[schema(example = "2026-2")]
    definitions: &'static str,
    /// No number that fewer people than these are behind is shown.
    #[schema(example = 5)]
    smallest_group: u64,
    /// One entry for each bucket of `[from, to)`.
    series: Vec<FootfallBucket>,
}

/// The numbers of one bucket; all are null when it is suppressed, and single ones where too few people are behind them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FootfallBucket {
    /// The first moment of the bucket.
    #[schema(value_type = String, format = DateTime)]
    start: Instant,
    /// Visits that began in the bucket: the interior was reached and the subject stayed for 120 s or more.
    visits: Option<u64>,
    /// Distinct subjects among the visits.
    uniques: Option<u64>,
    /// The interior was reached, but only for a shorter time.
    bounces: Option<u64>,
    /// The interior was never reached.
    passers_by: Option<u64>,
    /// The middle of the visits' lengths in seconds; null without a visit.
    dwell_median_s: Option<f64>,
    /// The length in seconds that nine in ten visits do not exceed; null without a visit.
    dwell_p90_s: Option<f64>,
    /// The most subjects at one moment.
    occupancy_peak: Option<u64>,
    /// Subjects on average over the bucket's time.
    occupancy_mean: Option<f64>,
    /// Whether the numbers are withheld because so few people are behind them.
    suppressed: bool,
}

impl FootfallBucket {
    /// The bucket with what is shown of it.
    fn of(figures: &Figures, shown: Shown) -> FootfallBucket {
        FootfallBucket {
            start: figures.start.into(),
            visits: shown.visits.then_some(figures.visits),
            uniques: shown.visits.then_some(figures.uniques),
            bounces: shown.bounces.then_some(figures.bounces),
            passers_by: shown.passers_by.then_some(figures.passers_by),
            dwell_median_s: figures.dwell_median.filter(|_| shown.visits),
            dwell_p90_s: figures.dwell_p90.filter(|_| shown.visits),
            occupancy_peak: shown.occupancy.then_some(figures.occupancy_peak),
            occupancy_mean: shown.occupancy.then_some(figures.occupancy_mean),
            suppressed: !shown.visits,
        }
    }
}

/// Counts the visits of a venue per time bucket. Buckets follow the venue's own clock, weeks start on Monday, and a visit
/// belongs to the bucket in which it began.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/footfall",
    tag = "analytics",
    summary = "Visits per time bucket",
    security(("key" = ["analytics:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339; must be the start of a bucket"),
        ("to" = String, Query, description = "The end, not included; must be the start of a bucket too"),
        ("bucket" = String, Query, description = "`15m`, `hour`, `day` or `week`; at most 2,000 of them"),
        ("zone" = Option<String>, Query, description = "Only visits that touch this zone, and its own occupancy")
    ),
    responses((status = 200, description = "The numbers", body = Footfall))
)]
pub(crate) async fn footfall(
    caller: Caller<scopes::AnalyticsRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<Footfall>, Problem> {
    let organization = caller.organization();
    let from = query.required("from", Instant::parse);
    let to = query.required("to", Instant::parse);
    let size = query.required("bucket", Size::parse);
    let zone: Option<ZoneId> = query.optional("zone", query::parsed);
    query.finish()?;
    let (Some(from), Some(to), Some(size)) = (from, to, size) else {
        return Err(Problem::invalid_query(Vec::new()));
    };

    let venue = app.store.venue(organization, id).await?;
    if let Some(zone) = zone {
        match app.store.zone(organization, id, zone).await {
            Err(StoreError::NotFound) => {
                return Err(Problem::invalid_query(vec![Mistake::parameter(
                    "zone",
                    "the venue has no such zone",
                )]));
            }
            found => drop(found?),
        }
    }
    let calendar =
        Calendar::new(&venue.timezone, venue.day_starts_at).map_err(|error| Problem::internal(&error))?;
    let starts = period::starts(&calendar, size, from.0, to.0).map_err(Problem::invalid_query)?;
    // Read before the rows: they may know more than this says, never less.
    let state = app.store.analytics_state(organization, id).await?;
    let question =
        reading::Question { organization, venue: id, zone, end: to.0, known: state.complete_through };
    let series = reading::series(&app.store, &question, &starts).await?;
    let smallest_group = app.config.smallest_group;
    let decision = Decision { store: &app.store, calendar: &calendar, group: SmallestGroup(smallest_group) };
    let shown = decision.shown(&question, size, &starts).await?;
    Ok(Json(Footfall {
        venue: id,
        from,
        to,
        bucket: size.name(),
        timezone: venue.timezone,
        complete_through: state.complete_through.map(Instant),
        recomputing: state.recomputing,
        definitions: DEFINITIONS,
        smallest_group,
        series: series.iter().zip(shown).map(|(figures, shown)| FootfallBucket::of(figures, shown)).collect(),
    }))
}
