//! Footfall: visits per time bucket.

mod numbers;
mod period;
mod several;
mod shown;
mod suppression;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{VenueId, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::range::{self, About, Range};
use crate::scopes;

use numbers::{FootfallBucket, Whole};
use shown::Decision;
use suppression::SmallestGroup;

pub(crate) use numbers::{part, seconds};
pub(crate) use period::{Size, starts};
pub(crate) use several::{__path_several, several};

/// The version of the definitions in `docs/metrics.md` that the numbers follow.
pub const DEFINITIONS: &str = "2026-2";

/// Visits per time bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Footfall {
    #[serde(flatten)]
    about: About,
    /// `15m`, `hour`, `day` or `week`.
    #[schema(example = "hour")]
    bucket: &'static str,
    /// No number that fewer people than these are behind is shown.
    #[schema(example = 5)]
    smallest_group: u64,
    /// The numbers of `[from, to)` as a whole; what is withheld of a bucket is withheld of it.
    total: FootfallBucket,
    /// The start of the hour with the most visits, the first of equal ones; null unless the buckets are hours, without a visit, or
    /// when one is withheld.
    #[schema(value_type = Option<String>, format = DateTime)]
    peak_hour: Option<Instant>,
    /// One entry for each bucket of `[from, to)`.
    series: Vec<FootfallBucket>,
    /// The other time, with `compare_from`.
    compared: Option<Compared>,
}

/// Another time of the same venue, with as many buckets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compared {
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// The numbers of that time as a whole.
    total: FootfallBucket,
    /// One entry for each of its buckets.
    series: Vec<FootfallBucket>,
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
        ("zone" = Option<String>, Query, description = "Only visits that touch this zone, and its own occupancy"),
        ("compare_from" = Option<String>, Query, description = "The start of another time with as many buckets, to compare with")
    ),
    responses((status = 200, description = "The numbers", body = Footfall))
)]
pub(crate) async fn footfall(
    caller: Caller<scopes::AnalyticsRead>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<Footfall>, Problem> {
    let ends = range::ends(&mut query);
    let size = query.required("bucket", Size::parse);
    let zone: Option<ZoneId> = query.optional("zone", query::parsed);
    let compare_from = query.optional("compare_from", Instant::parse);
    query.finish()?;
    let range = Range::of(&app, caller.organization(), id, ends, size).await?;
    if let Some(zone) = zone {
        range.has_zone(&app, "zone", zone).await?;
    }
    let other = compare_from.map(|from| range.as_long_from(from)).transpose()?;
    let mut footfall = Footfall::of(&app, &range, zone).await?;
    if let Some(other) = other {
        let Footfall { total, series, .. } = Footfall::of(&app, &other, zone).await?;
        footfall.compared = Some(Compared { from: other.from, to: other.to, total, series });
    }
    Ok(Json(footfall))
}

impl Footfall {
    /// The numbers of a venue or of one of its zones, as far as they are shown.
    async fn of(app: &App, range: &Range, zone: Option<ZoneId>) -> Result<Footfall, Problem> {
        let question = range.question();
        // What a zone draws is a part of what came to the venue.
        let places = if zone.is_some() { vec![zone, None] } else { vec![None] };
        let tallies = app.store.tallies(&question, &places).await?;
        let smallest_group = app.config.smallest_group;
        let decision = Decision { store: &app.store, group: SmallestGroup(smallest_group) };
        let shown = decision.shown(&question, zone).await?;
        let whole = Whole::new(&question, &tallies, &shown);
        Ok(Footfall {
            about: range.about(),
            bucket: range.size.name(),
            smallest_group,
            total: whole.total(),
            peak_hour: whole.peak_hour(),
            series: whole.series(),
            compared: None,
        })
    }
}
