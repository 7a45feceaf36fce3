//! The live stream: movements of a venue as server-sent events.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderName;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::{
    Movement, MovementKind, OrganizationId, StayId, Subject, Timestamp, VenueId, VisitId, ZoneId,
};
use serde::Serialize;
use serde_json::json;
use store::{Change, Listener, StoreError};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, Reads, What};
use crate::caller::{Caller, Credential};
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;
use crate::serve::Closing;

/// Asks proxies not to hold the stream back; nginx understands it.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// The live notice of a stay or visit beginning or ending.
#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
pub(crate) struct Notice {
    /// `entered`, `left`, `visit_started` (when the visit becomes valid) or `visit_ended`; also the event's name.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "entered")]
    kind: MovementKind,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    #[schema(value_type = String, format = "uuid")]
    venue: VenueId,
    /// The zone entered or left; null for visits.
    #[schema(value_type = Option<String>, format = "uuid")]
    zone: Option<ZoneId>,
    /// A pseudonym.
    #[schema(value_type = String)]
    subject: Subject,
    #[schema(value_type = String, format = "uuid")]
    visit: VisitId,
    /// The stay that began or ended; null for visits.
    #[schema(value_type = Option<String>, format = "uuid")]
    stay: Option<StayId>,
}

impl From<Movement> for Notice {
    fn from(movement: Movement) -> Notice {
        let Movement { kind, at, venue, zone, subject, visit, stay } = movement;
        Notice { kind, at: at.into(), venue, zone, subject, visit, stay }
    }
}

/// Streams movements from now on, each as an event named by its type; a comment every few seconds shows that the stream
/// lives. It ends when the key does or the venue is deleted. Who reads too slowly misses the oldest movements.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}/live",
    tag = "analytics",
    summary = "Movements as they happen",
    security(("key" = ["movements:subscribe"])),
    params(("venue" = String, Path, description = "The venue's id")),
    responses((status = 200, description = "Server-sent events", body = Notice, content_type = "text/event-stream"))
)]
pub(crate) async fn live(
    caller: Caller<scopes::MovementsSubscribe>,
    State(app): State<Arc<App>>,
    closing: Option<Extension<Closing>>,
    reads: Reads,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Ids(venue): Ids<VenueId>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let mut heartbeat = tokio::time::interval(app.config.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let organization = caller.organization();
    app.metrics.streams.inc();
    // Listening starts before the venue is looked up, so that its deletion cannot fall between the two.
    let watch = Watch {
        movements: app.live.movements(organization, venue),
        changes: app.live.changes(),
        heartbeat,
        closing: closing.map(|Extension(Closing(token))| token).unwrap_or_default(),
        organization,
        venue,
        credential: caller.credential(),
        expires_at: caller.expires_at(),
        app: Arc::clone(&app),
    };
    app.store.venue(organization, venue).await?;
    audit::record_read(&app, &reads, &caller, (What::MovementsRead, Some(venue)), peer, json!({})).await;
    let events = stream::unfold(watch, |mut watch| async {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(([UNBUFFERED], Sse::new(events)).into_response())
}

/// One open stream.
struct Watch {
    movements: Listener<Movement>,
    changes: Listener<Change>,
    heartbeat: Interval,
    closing: CancellationToken,
    organization: OrganizationId,
    venue: VenueId,
    credential: Credential,
    expires_at: Option<Timestamp>,
    app: Arc<App>,
}

impl Watch {
    /// What to say next; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                change = self.changes.next() => {
                    if self.is_about(change?) && !self.may_go_on().await {
                        return None;
                    }
                }
                _ = self.heartbeat.tick() => {
                    return self.may_go_on().await.then(|| Event::default().comment("alive"));
                }
                movement = self.movements.next() => {
                    let notice = Notice::from(movement?);
                    // A notice is plain text and numbers; it always has a JSON form.
                    return Event::default().event(notice.kind.as_str()).json_data(notice).ok();
                }
            }
        }
    }

    fn is_about(&self, change: Change) -> bool {
        change == Change::Venue(self.venue) || self.credential.is_in(change)
    }

    /// Whether key or grant, and venue, are still there. A database that does not answer ends nothing.
    async fn may_go_on(&self) -> bool {
        let expired = self.expires_at.is_some_and(|at| at <= self.app.clock.now());
        !expired
            && !matches!(self.app.store.venue(self.organization, self.venue).await, Err(StoreError::NotFound))
            && self.credential.is_good(&self.app, self.organization).await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.app.metrics.streams.dec();
    }
}
