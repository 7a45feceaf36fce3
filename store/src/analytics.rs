//! What analytics reads: rows of visits and stays. What they mean is worked out by whoever asks.

use presence::VisitClass;
use protocol::{OrganizationId, StayId, Subject, Timestamp, VenueId, VisitId, ZoneId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::derived::class;
use crate::engine::Store;
use crate::error::{Result, StoreError};

/// A visit as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitRow {
    /// Its id.
    pub id: VisitId,
    /// 1 at first, one more with every change.
    pub revision: i64,
    /// Who.
    pub subject: Subject,
    /// First sighting.
    pub from: Timestamp,
    /// Last sighting so far.
    pub to: Timestamp,
    /// What it is so far.
    pub class: VisitClass,
    /// Whether it may still go on.
    pub open: bool,
    /// The start of the venue's day it belongs to.
    pub day: Timestamp,
    /// Whether it is of class `visit` and its subject had one of that class on an earlier day.
    pub returning: bool,
}

/// A stay as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StayRow {
    /// Its id.
    pub id: StayId,
    /// 1 at first, one more with every change.
    pub revision: i64,
    /// Who.
    pub subject: Subject,
    /// The visit it is part of.
    pub visit: VisitId,
    /// What that visit is so far.
    pub class: VisitClass,
    /// Where.
    pub zone: ZoneId,
    /// First sighting.
    pub from: Timestamp,
    /// Last sighting so far.
    pub to: Timestamp,
    /// Whether it may still go on.
    pub open: bool,
}

/// What was seen in a span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The visits that began in it; private random addresses make none.
    pub visits: Vec<VisitRow>,
    /// Their stays, and all others that have a part in it, private random addresses included.
    pub stays: Vec<StayRow>,
}

/// How far a venue's numbers can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnalyticsState {
    /// Everything before is counted; none when nothing ever was.
    pub complete_through: Option<Timestamp>,
    /// Whether days before that are being computed again.
    pub recomputing: bool,
}

/// No run of sightings is longer than a day of the venue, and no day is longer than this: what began earlier is over.
const LONGEST_MS: i64 = 2 * 86_400_000;

impl Store {
    /// The visits of a venue that began in `[from, to)` with all of their stays, and the other stays that have a part in that
    /// time, each by start: who was there.
    pub async fn seen(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Seen> {
        const VISITS: &str = "SELECT id, revision, subject, from_at, to_at, class, open, day,
                class = 'visit' AND EXISTS (SELECT 1 FROM visits e WHERE e.venue = v.venue AND e.subject = v.subject
                    AND e.class = 'visit' AND e.from_at < v.day) AS again
            FROM visits v WHERE venue = $1 AND organization = $2 AND from_at >= $3 AND from_at < $4
                AND class <> 'transient'
            ORDER BY from_at, id";
        // A stay lies in its visit, so those that were there bound what has to be looked at.
        const BOUNDS: &str = "SELECT min(from_at), max(to_at) FROM visits
            WHERE venue = $1 AND organization = $2 AND from_at >= $3 AND from_at < $4 AND to_at >= $5";
        const STAYS: &str =
            "SELECT s.id, s.revision, s.subject, s.visit, v.class, s.zone, s.from_at, s.to_at, s.open
            FROM stays s JOIN visits v ON v.venue = s.venue AND v.id = s.visit
            WHERE s.venue = $1 AND s.organization = $2 AND s.from_at >= $3 AND s.from_at <= $4
                AND (s.from_at < $6 AND s.to_at >= $5 OR v.from_at >= $5 AND v.from_at < $6)
            ORDER BY s.from_at, s.id";
        let mut tx = self.snapshot().await?;
        let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
        let visits: Vec<VisitColumns> = within!(&mut tx, |db| sqlx::query_as(VISITS)
            .bind(venue)
            .bind(organization)
            .bind(from.0)
            .bind(to.0)
            .fetch_all(db)
            .await?);
        let bounds: (Option<i64>, Option<i64>) = within!(&mut tx, |db| sqlx::query_as(BOUNDS)
            .bind(venue)
            .bind(organization)
            .bind(from.minus(LONGEST_MS).0)
            .bind(to.0)
            .bind(from.0)
            .fetch_one(db)
            .await?);
        let (Some(first), Some(last)) = bounds else { return Ok(Seen::default()) };
        let stays: Vec<StayColumns> = within!(&mut tx, |db| sqlx::query_as(STAYS)
            .bind(venue)
            .bind(organization)
            .bind(first)
            .bind(last)
            .bind(from.0)
            .bind(to.0)
            .fetch_all(db)
            .await?);
        Ok(Seen {
            visits: visits.into_iter().map(VisitRow::try_from).collect::<Result<_>>()?,
            stays: stays.into_iter().map(StayRow::try_from).collect::<Result<_>>()?,
        })
    }

    /// The stays of a venue that began in `[from, to)`, by start and id, at most `limit` after the cursor: the start and
    /// id of the last one before. Private random addresses are left out.
    pub async fn stays(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        from: Timestamp,
        to: Timestamp,
        cursor: Option<(Timestamp, StayId)>,
        limit: u32,
    ) -> Result<Vec<StayRow>> {
        const SQL: &str =
            "SELECT s.id, s.revision, s.subject, s.visit, v.class, s.zone, s.from_at, s.to_at, s.open
            FROM stays s JOIN visits v ON v.venue = s.venue AND v.id = s.visit
            WHERE s.venue = $1 AND s.organization = $2 AND s.from_at >= $3 AND s.from_at < $4
                AND (s.from_at, s.id) > ($5, $6) AND v.class <> 'transient'
            ORDER BY s.from_at, s.id LIMIT $7";
        let (after, id) = cursor.map_or((Timestamp(i64::MIN), Uuid::nil()), |(at, id)| (at, id.as_uuid()));
        let rows: Vec<StayColumns> = on!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(from.max(after).0)
            .bind(to.0)
            .bind(after.0)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(db)
            .await?);
        rows.into_iter().map(StayRow::try_from).collect()
    }

    /// How far a venue's numbers can be trusted.
    pub async fn analytics_state(
        &self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<AnalyticsState> {
        const SQL: &str = "SELECT (SELECT watermark FROM trackers WHERE venue = v.id),
                EXISTS (SELECT 1 FROM late_windows WHERE venue = v.id)
            FROM venues v WHERE v.id = $1 AND v.organization = $2 AND v.deleted_at IS NULL";
        let row: Option<(Option<i64>, bool)> = on!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let (watermark, recomputing) = row.ok_or(StoreError::NotFound)?;
        Ok(AnalyticsState { complete_through: watermark.map(Timestamp), recomputing })
    }
}

#[derive(FromRow)]
struct VisitColumns {
    id: Uuid,
    revision: i64,
    subject: Uuid,
    from_at: i64,
    to_at: i64,
    class: String,
    open: bool,
    day: i64,
    again: bool,
}

impl TryFrom<VisitColumns> for VisitRow {
    type Error = StoreError;

    fn try_from(row: VisitColumns) -> Result<Self> {
        Ok(Self {
            id: VisitId::from_uuid(row.id),
            revision: row.revision,
            subject: Subject(row.subject.as_u128()),
            from: Timestamp(row.from_at),
            to: Timestamp(row.to_at),
            class: class(&row.class)?,
            open: row.open,
            day: Timestamp(row.day),
            returning: row.again,
        })
    }
}

#[derive(FromRow)]
struct StayColumns {
    id: Uuid,
    revision: i64,
    subject: Uuid,
    visit: Uuid,
    class: String,
    zone: Uuid,
    from_at: i64,
    to_at: i64,
    open: bool,
}

impl TryFrom<StayColumns> for StayRow {
    type Error = StoreError;

    fn try_from(row: StayColumns) -> Result<Self> {
        Ok(Self {
            id: StayId::from_uuid(row.id),
            revision: row.revision,
            subject: Subject(row.subject.as_u128()),
            visit: VisitId::from_uuid(row.visit),
            class: class(&row.class)?,
            zone: ZoneId::from_uuid(row.zone),
            from: Timestamp(row.from_at),
            to: Timestamp(row.to_at),
            open: row.open,
        })
    }
}
