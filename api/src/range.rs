//! The venue and the time that a question about numbers is about.

use presence::{Bucket, Calendar};
use protocol::{OrganizationId, Timestamp, VenueId, ZoneId};
use serde::Serialize;
use store::{AnalyticsState, Question, StoreError, Venue};
use utoipa::ToSchema;

use crate::App;
use crate::footfall::{DEFINITIONS, Size, starts};
use crate::instant::Instant;
use crate::problem::{Mistake, Problem};
use crate::query::Query;

/// A venue, a time, and the buckets that the time is cut into.
pub(crate) struct Range {
    organization: OrganizationId,
    pub(crate) venue: Venue,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) size: Size,
    starts: Vec<Timestamp>,
    calendar: Calendar,
    state: AnalyticsState,
}

/// What a number is about and how far it can be trusted; the same in every answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct About {
    #[schema(value_type = String, format = "uuid")]
    venue: VenueId,
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
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
}

/// Takes `from` and `to`, which every question has.
pub(crate) fn ends(query: &mut Query) -> (Option<Instant>, Option<Instant>) {
    (query.required("from", Instant::parse), query.required("to", Instant::parse))
}

impl Range {
    /// The time `[from, to)` of a venue. Without a size it is cut into the largest buckets that fit, hours at least.
    pub(crate) async fn of(
        app: &App,
        organization: OrganizationId,
        id: VenueId,
        (from, to): (Option<Instant>, Option<Instant>),
        size: Option<Size>,
    ) -> Result<Range, Problem> {
        let (Some(from), Some(to)) = (from, to) else { return Err(Problem::invalid_query(Vec::new())) };
        let venue = app.store.venue(organization, id).await?;
        let calendar =
            Calendar::new(&venue.timezone, venue.day_starts_at).map_err(|error| Problem::internal(&error))?;
        let fits = |bucket: &Bucket| starts(&calendar, Size(*bucket), from.0, to.0).is_ok();
        let largest = [Bucket::Week, Bucket::Day].into_iter().find(fits).unwrap_or(Bucket::Hour);
        let size = size.unwrap_or(Size(largest));
        let starts = starts(&calendar, size, from.0, to.0).map_err(Problem::invalid_query)?;
        // Read before the rows: they may know more than this says, never less.
        let state = app.store.analytics_state(organization, id).await?;
        Ok(Range { organization, venue, from, to, size, starts, calendar, state })
    }

    /// Another time of the same venue, with as many buckets of the same size.
    pub(crate) fn as_long_from(&self, from: Instant) -> Result<Range, Problem> {
        let wrong = |detail: String| Problem::invalid_query(vec![Mistake::parameter("compare_from", detail)]);
        let to = self.calendar.after(self.size.0, from.0, self.starts.len());
        let to = to.map_err(|error| wrong(error.to_string()))?;
        let starts = starts(&self.calendar, self.size, from.0, to);
        let starts = starts.map_err(|mistakes| wrong(mistakes[0].detail.clone()))?;
        Ok(Range {
            venue: self.venue.clone(),
            calendar: self.calendar.clone(),
            from,
            to: Instant(to),
            starts,
            ..*self
        })
    }

    /// How many buckets there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// What the store is asked.
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            organization: self.organization,
            venue: self.venue.id,
            calendar: &self.calendar,
            size: self.size.0,
            starts: &self.starts,
            end: self.to.0,
            known: self.state.complete_through.unwrap_or(self.from.0),
        }
    }

    pub(crate) fn about(&self) -> About {
        About {
            venue: self.venue.id,
            from: self.from,
            to: self.to,
            timezone: self.venue.timezone.clone(),
            complete_through: self.state.complete_through.map(Instant),
            recomputing: self.state.recomputing,
            definitions: DEFINITIONS,
        }
    }

    /// Refuses a zone that the venue does not have.
    pub(crate) async fn has_zone(&self, app: &App, parameter: &str, zone: ZoneId) -> Result<(), Problem> {
        match app.store.zone(self.organization, self.venue.id, zone).await {
            Err(StoreError::NotFound) => {
                let mistake = Mistake::parameter(parameter, "the venue has no such zone");
                Err(Problem::invalid_query(vec![mistake]))
            }
            found => {
                found?;
                Ok(())
            }
        }
    }
}
