//! Reads the rows behind a series, a day's worth at a time, so that the memory of an answer does not grow with its length.

use presence::Timeline;
use protocol::{OrganizationId, Timestamp, VenueId, ZoneId};
use store::{StayRow, Store, VisitRow};

use super::figures::{Figures, Run, Span, figures};
use crate::occupancy::is_inside;
use crate::problem::Problem;

/// Rows of about this much time, in milliseconds, are read at once.
const AT_ONCE: i64 = 24 * 60 * 60 * 1_000;

/// What a series is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) organization: OrganizationId,
    pub(super) venue: VenueId,
    /// Only visits that touch this zone, and its own occupancy.
    pub(super) zone: Option<ZoneId>,
    /// The end of the last bucket.
    pub(super) end: Timestamp,
    /// Until when everything is counted.
    pub(super) known: Option<Timestamp>,
}

impl Question {
    /// The same of the whole venue.
    pub(super) fn of_venue(&self) -> Question {
        Question { zone: None, ..*self }
    }
}

/// The numbers of the buckets that begin at `starts`.
pub(super) async fn series(
    store: &Store,
    question: &Question,
    starts: &[Timestamp],
) -> Result<Vec<Figures>, Problem> {
    let timeline = store.timeline(question.organization, question.venue).await?;
    let mut series = Vec::with_capacity(starts.len());
    for part in parts(starts) {
        let end = starts.get(series.len() + part.len()).copied().unwrap_or(question.end);
        series.extend(part_of_series(store, question, &timeline, part, end).await?);
    }
    Ok(series)
}

/// Cuts the buckets into runs that begin within a day, each of one bucket or more.
fn parts(starts: &[Timestamp]) -> impl Iterator<Item = &[Timestamp]> {
    let mut rest = starts;
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        let within = rest.partition_point(|start| start.since(first) < AT_ONCE);
        let (part, after) = rest.split_at(within);
        rest = after;
        Some(part)
    })
}

async fn part_of_series(
    store: &Store,
    question: &Question,
    timeline: &Timeline,
    starts: &[Timestamp],
    end: Timestamp,
) -> Result<Vec<Figures>, Problem> {
    let Question { organization, venue, zone, known, .. } = *question;
    let Some(&start) = starts.first() else { return Ok(Vec::new()) };
    let visits = match zone {
        Some(zone) => store.visits_touching(organization, venue, zone, start, end).await?,
        None => store.visits(organization, venue, start, end).await?,
    };
    let stays = store.zone_stays(organization, venue, start, end).await?;
    let runs: Vec<Run> = visits.iter().map(run).collect();
    let spans: Vec<Span> = stays.iter().filter(|stay| counts(timeline, zone, stay)).map(span).collect();
    Ok(figures(starts, end, known.unwrap_or(start), &runs, &spans))
}

/// Whether occupancy counts a stay: in the zone asked for, else where the stay's zone was inside at its time, whatever it
/// became since.
fn counts(timeline: &Timeline, zone: Option<ZoneId>, stay: &StayRow) -> bool {
    match zone {
        Some(zone) => stay.zone == zone,
        None => timeline.at(stay.from).zones.get(&stay.zone).is_some_and(|kind| is_inside(*kind)),
    }
}

fn run(visit: &VisitRow) -> Run {
    Run { subject: visit.subject, from: visit.from, to: visit.to, class: visit.class }
}

fn span(stay: &StayRow) -> Span {
    Span { from: stay.from, to: stay.to }
}
