//! Footfall of several venues, each on its own clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use presence::{Bucket, Calendar};
use protocol::VenueId;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use super::{Footfall, Size};
use crate::App;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::problem::{Mistake, Problem};
use crate::query::{self, Query};
use crate::range::Range;
use crate::scopes;

/// Venues of one answer.
const MOST_VENUES: usize = 100;
/// Buckets of one answer, of all venues together.
const MOST_BUCKETS: usize = 10_000;

/// The footfall of several venues.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FootfallOfVenues {
    /// One entry for each venue, in the order in which they were asked for.
    items: Vec<Footfall>,
}

/// Counts the visits of several venues per day or week, to compare them. A day is the day of each venue, on its own clock.
#[utoipa::path(
    get,
    path = "/api/v1/footfall",
    tag = "analytics",
    summary = "Visits of several venues",
    security(("key" = ["analytics:read"])),
    params(
        ("venues" = String, Query, description = "Ids of venues, separated by commas, 100 at most"),
        ("from" = String, Query, description = "The first date, YYYY-MM-DD; a Monday for weeks", example = "2026-10-05"),
        ("to" = String, Query, description = "The last date, not included; a Monday for weeks", example = "2026-11-02"),
        ("bucket" = String, Query, description = "`day` or `week`; at most 10,000 in all")
    ),
    responses((status = 200, description = "The numbers", body = FootfallOfVenues))
)]
pub(crate) async fn several(
    caller: Caller<scopes::AnalyticsRead>,
    State(app): State<Arc<App>>,
    mut query: Query,
) -> Result<Json<FootfallOfVenues>, Problem> {
    let venues = query.required("venues", venues);
    let from = query.required("from", date);
    let to = query.required("to", date);
    let size = query.required("bucket", day_or_week);
    query.finish()?;
    let (Some(venues), Some(from), Some(to), Some(size)) = (venues, from, to, size) else {
        return Err(Problem::invalid_query(Vec::new()));
    };
    let wrong =
        |name: &'static str, detail: String| Problem::invalid_query(vec![Mistake::parameter(name, detail)]);
    let mut ranges = Vec::with_capacity(venues.len());
    let mut buckets = 0;
    for id in venues {
        let venue = match app.store.venue(caller.organization(), id).await {
            Err(StoreError::NotFound) => return Err(wrong("venues", format!("there is no venue {id}"))),
            found => found?,
        };
        let calendar =
            Calendar::new(&venue.timezone, venue.day_starts_at).map_err(|error| Problem::internal(&error))?;
        let ends = (calendar.dated(&from).map(Instant), calendar.dated(&to).map(Instant));
        let range = Range::of(&app, caller.organization(), id, ends, Some(size)).await?;
        buckets += range.len();
        if buckets > MOST_BUCKETS {
            return Err(wrong("to", format!("must be so that there are {MOST_BUCKETS} buckets at most")));
        }
        ranges.push(range);
    }
    let mut items = Vec::with_capacity(ranges.len());
    for range in &ranges {
        items.push(Footfall::of(&app, range, None).await?);
    }
    Ok(Json(FootfallOfVenues { items }))
}

fn venues(text: &str) -> Result<Vec<VenueId>, String> {
    let venues: Vec<VenueId> = text.split(',').map(query::parsed).collect::<Result<_, _>>()?;
    if venues.len() > MOST_VENUES {
        return Err(format!("must be at most {MOST_VENUES} venues"));
    }
    if venues.iter().collect::<BTreeSet<_>>().len() < venues.len() {
        return Err("names a venue twice".to_owned());
    }
    Ok(venues)
}

/// A date of the years in which the days of every time zone are known.
fn date(text: &str) -> Result<String, String> {
    let is_date = text.len() == 10 && Calendar::new("UTC", 0).is_ok_and(|utc| utc.dated(text).is_some());
    if is_date { Ok(text.to_owned()) } else { Err("must be a date, YYYY-MM-DD".to_owned()) }
}

fn day_or_week(text: &str) -> Result<Size, String> {
    let size = Size::parse(text).ok().filter(|size| matches!(size.0, Bucket::Day | Bucket::Week));
    size.ok_or_else(|| "must be day or week".to_owned())
}
