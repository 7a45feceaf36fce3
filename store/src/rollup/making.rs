//! Makes rollups of what is quiet: hours from rows, days from hours, weeks from days.
//!
//! Everything is written in transactions of its own that are short; the marks go with the last, so what was begun and not
//! ended is made again. One server makes them, so nobody else writes rollups meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use presence::{Calendar, Day, Paths, Tally, Timeline};
use protocol::{OrganizationId, Timestamp, VenueId};
use uuid::Uuid;

use super::marks::{QUARTER_MS, Touched};
use super::standing::{Mark, Standing, State};
use super::{Size, Span, observed, place};
use crate::engine::Store;
use crate::error::Result;
use crate::history::EVER;

/// Rows that nobody touched for this long are quiet: those of a run that goes on are written every minute.
const QUIET_MS: i64 = 120_000;

/// What is to be made in one go.
#[derive(Debug, Default)]
struct Task {
    /// Stored hours.
    hours: BTreeSet<(Timestamp, Timestamp)>,
    /// The marks that go with them.
    marks: Vec<Mark>,
    /// Up to when time is still missing afterwards.
    missing_to: Option<Timestamp>,
}

impl Store {
    /// Makes the rollups of a day, or a part of it, if there is one to be made; answers whether there may be more.
    pub async fn roll(&self, organization: OrganizationId, venue: VenueId, now: Timestamp) -> Result<bool> {
        let timeline = self.timeline(organization, venue).await?;
        let calendar = calendar(&timeline);
        let state = self.analytics_state(organization, venue).await?;
        let Some(watermark) = state.complete_through else { return Ok(false) };
        let mut tx = self.snapshot().await?;
        let standing = tx.standing(organization, venue).await?;
        let first = tx.first_and_last(organization, venue).await?.map(|(first, _)| first);
        drop(tx);
        let Some(standing) = standing.filter(|standing| standing.state.follows(calendar)) else {
            self.begin_rollups((organization, venue), calendar, watermark, now).await?;
            return Ok(true);
        };
        let task = marked(&standing, calendar, watermark, now)
            .or_else(|| missing(&standing, calendar, watermark, first));
        let Some(task) = task else { return Ok(false) };
        self.make((organization, venue), &timeline, &standing.state, &task).await?;
        Ok(true)
    }

    /// Deletes what followed another calendar, a portion at a time; then everything is still to be made.
    async fn begin_rollups(
        &self,
        (organization, venue): (OrganizationId, VenueId),
        calendar: &Calendar,
        watermark: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        if !tx.delete_rollups(organization, venue).await? {
            tx.put_rollup_state(organization, venue, &State::new(calendar, EVER, watermark)).await?;
            // The hour that is not over is made once it is, although its rows may be older than marks are.
            let (hour, _) = hour_of(calendar, watermark);
            tx.mark(organization, venue, Touched::times([(hour, watermark)]), now).await?;
        }
        tx.commit().await
    }

    async fn make(
        &self,
        whose: (OrganizationId, VenueId),
        timeline: &Timeline,
        state: &State,
        task: &Task,
    ) -> Result<()> {
        let calendar = calendar(timeline);
        for (from, to) in &task.hours {
            self.make_hour(whose, timeline, (*from, *to)).await?;
        }
        let days: BTreeSet<Day> = task.hours.iter().map(|(from, _)| calendar.day(*from)).collect();
        for day in &days {
            self.make_day(whose, *day).await?;
        }
        let weeks: BTreeSet<_> = days.iter().map(|day| calendar.week(day.from)).collect();
        let (organization, venue) = whose;
        let mut merged = Vec::new();
        for week in weeks {
            merged.push((week, self.merged(whose, Size::Day, week).await?));
        }
        let mut tx = self.begin().await?;
        for (week, tallies) in &merged {
            tx.replace_tallies(whose, Size::Week, *week, tallies).await?;
        }
        let mut is_still_so = tx.delete_marks(organization, venue, &task.marks).await?;
        if let Some(to) = task.missing_to {
            is_still_so &= tx.shorten_missing(organization, venue, state, to).await?;
        }
        // Otherwise the rows changed while they were read: the marks stay, and it is made again when they are quiet.
        if is_still_so { tx.commit().await } else { Ok(()) }
    }

    async fn make_hour(
        &self,
        whose: (OrganizationId, VenueId),
        timeline: &Timeline,
        hour: (Timestamp, Timestamp),
    ) -> Result<()> {
        let (from, to) = hour;
        let seen = observed(&self.seen(whose.0, whose.1, from, to).await?, timeline);
        let tally = |zone| seen.tallies(zone, &[from], to, to).remove(0);
        let mut tallies = BTreeMap::from([(place(None), tally(None))]);
        tallies.extend(seen.zones().into_iter().map(|zone| (place(Some(zone)), tally(Some(zone)))));
        if tallies.values().all(Tally::is_empty)
            && self.snapshot().await?.tallies(whose, Size::Hour, None, from, to).await?.is_empty()
        {
            return Ok(()); // a night has no rows and needs no transaction
        }
        let mut tx = self.begin().await?;
        tx.replace_tallies(whose, Size::Hour, hour, &tallies).await?;
        tx.replace_paths(whose, Size::Hour, hour, &seen.paths(from, to)).await?;
        tx.commit().await
    }

    async fn make_day(&self, whose: (OrganizationId, VenueId), day: Day) -> Result<()> {
        let day = (day.from, day.to);
        let merged = self.merged(whose, Size::Hour, day).await?;
        let mut paths = Paths::default();
        let hours = self.snapshot().await?.paths(whose, Size::Hour, day.0, day.1).await?;
        for (_, hour) in hours {
            paths.merge(hour);
        }
        let mut tx = self.begin().await?;
        tx.replace_tallies(whose, Size::Day, day, &merged).await?;
        tx.replace_paths(whose, Size::Day, day, &paths).await?;
        tx.commit().await
    }

    /// What the rollups of one size in a span give together, by place.
    async fn merged(
        &self,
        whose: (OrganizationId, VenueId),
        size: Size,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<Uuid, Tally>> {
        let mut merged: BTreeMap<Uuid, Tally> = BTreeMap::new();
        for (zone, _, tally) in self.snapshot().await?.tallies(whose, size, None, from, to).await? {
            merged.entry(zone).or_default().merge(&tally);
        }
        Ok(merged)
    }
}

/// What the quiet marks of the first such day ask for; the hours have to be over.
fn marked(standing: &Standing, calendar: &Calendar, watermark: Timestamp, now: Timestamp) -> Option<Task> {
    let mut task = Task::default();
    let mut until = None;
    for mark in standing.marks.iter().filter(|mark| now.since(mark.touched_at) >= QUIET_MS) {
        if until.is_some_and(|until| mark.at >= until) {
            break;
        }
        // Where the clock does not follow the quarters of UTC, one may lie in two hours.
        let (hour, last) = (hour_of(calendar, mark.at), hour_of(calendar, mark.at.plus(QUARTER_MS - 1)));
        if last.1 > watermark {
            break;
        }
        until = until.or(Some(calendar.day(mark.at).to));
        task.hours.extend([hour, last]);
        task.marks.push(*mark);
    }
    (!task.marks.is_empty()).then_some(task)
}

/// The last day of what is still missing; days in which nothing can be need no making.
fn missing(
    standing: &Standing,
    calendar: &Calendar,
    watermark: Timestamp,
    first: Option<Timestamp>,
) -> Option<Task> {
    let State { from, to, .. } = standing.state;
    if to <= from {
        return None;
    }
    let day = calendar.day(to.minus(1));
    if first.is_none_or(|first| first >= to) {
        return Some(Task { missing_to: Some(from), ..Task::default() });
    }
    let whole = Span { from: day.from, to: day.to, bucket: 0 };
    let hours = Size::Hour.cut(calendar, whole).into_iter().map(|hour| (hour.from, hour.to));
    let hours: BTreeSet<_> = hours.filter(|(_, to)| *to <= watermark).collect();
    Some(Task { hours, marks: Vec::new(), missing_to: Some(day.from.max(from)) })
}

/// The stored hour that a time lies in.
fn hour_of(calendar: &Calendar, at: Timestamp) -> (Timestamp, Timestamp) {
    let Day { from, to } = calendar.day(at);
    let hours = Size::Hour.cut(calendar, Span { from, to, bucket: 0 });
    let hour = &hours[hours.partition_point(|hour| hour.from <= at).saturating_sub(1)];
    (hour.from, hour.to)
}

/// The newest calendar of a venue, which all its rollups follow. A timeline has a version.
fn calendar(timeline: &Timeline) -> &Calendar {
    &timeline.versions()[timeline.versions().len() - 1].1.calendar
}
