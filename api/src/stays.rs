//! Stays: exact and pseudonymous, for exports, audits and tests.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use protocol::{StayId, Subject, VenueId, VisitId, ZoneId};
use serde::Serialize;
use serde_json::json;
use store::StayRow;
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, Reads, What};
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::{self, Items};
use crate::path::Ids;
use crate::problem::{Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// A subject in one zone, from-to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stay {
    #[schema(value_type = String, format = "uuid")]
    id: StayId,
    /// Grows whenever the stay changes.
    revision: i64,
    /// A pseudonym.
    #[schema(value_type = String, example = "9f86d081884c7d659a2feaa0c55ad015")]
    subject: Subject,
    /// The visit it is part of.
    #[schema(value_type = String, format = "uuid")]
    visit: VisitId,
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    /// The first sighting.
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    /// The next sighting in another zone if there is one in the same visit, else the last sighting, or so far.
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// Whether the subject was heard lately. A stay that is not open goes on if the subject is next heard there in the same
    /// visit.
    open: bool,
}

impl From<StayRow> for Stay {
    fn from(stay: StayRow) -> Stay {
        Stay {
            id: stay.id,
            revision: stay.revision,
            subject: stay.subject,
            visit: stay.visit,
            zone: stay.zone,
            from: stay.from.into(),
            to: stay.to.into(),
            open: stay.open,
        }
    }
}

/// Lists the stays that began in `[from, to)`, by their start.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/stays",
    tag = "analytics",
    summary = "List stays",
    security(("key" = ["stays:read"])),
    params(
        ("venue" = String, Path, description = "The venue's id"),
        ("from" = String, Query, description = "The start, RFC 3339"),
        ("to" = String, Query, description = "The end, not included"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of stays", body = Items<Stay>))
)]
pub(crate) async fn stays(
    caller: Caller<scopes::StaysRead>,
    State(app): State<Arc<App>>,
    reads: Reads,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Ids(venue): Ids<VenueId>,
    mut query: Query,
) -> Result<Json<Items<Stay>>, Problem> {
    let from = query.required("from", Instant::parse);
    let to = query.required("to", Instant::parse);
    let cursor = paging::stays_cursor(&mut query);
    let limit = paging::limit(&mut query);
    query.finish()?;
    let (Some(from), Some(to)) = (from, to) else { return Err(Problem::invalid_query(Vec::new())) };
    if to <= from {
        return Err(Problem::invalid_query(vec![Mistake::parameter("to", "must be after `from`")]));
    }
    app.store.venue(caller.organization(), venue).await?;
    // One more than asked for tells whether there is another page.
    let mut stays = app.store.stays(caller.organization(), venue, from.0, to.0, cursor, limit + 1).await?;
    let more = stays.len() > limit as usize;
    stays.truncate(limit as usize);
    let detail = json!({"from": from, "to": to});
    audit::record_read(&app, &reads, &caller, (What::StaysRead, Some(venue)), peer, detail).await;
    let next = stays.last().filter(|_| more).map(|stay| (stay.from, stay.id));
    Ok(Json(Items::of_stays(stays.into_iter().map(Stay::from).collect(), next)))
}
