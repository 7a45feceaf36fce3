//! What is computed from the raw log: written in checkpoints, each of which stands for a prefix of the log.

mod rows;
mod windows;

use presence::{Recomputed, Stay, Visit, VisitClass, Window};
use protocol::{OrganizationId, Timestamp, VenueId};
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::rollup::Touched;

pub(crate) use rows::class;

/// What a tracker made of a venue's log up to a position, written as a whole or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    /// Whose venue it is.
    pub organization: OrganizationId,
    /// The venue.
    pub venue: VenueId,
    /// The [`crate::Configuration::revision`] that everything in here was computed with.
    pub configuration: i64,
    /// The last position of the log that was pushed.
    pub applied: i64,
    /// The tracker's watermark.
    pub watermark: Timestamp,
    /// The tracker, as it takes itself back.
    pub snapshot: &'a [u8],
    /// Stays that began, changed or ended.
    pub stays: &'a [Stay],
    /// Visits that began, changed or ended.
    pub visits: &'a [Visit],
    /// Days made anew; they are written after `stays` and `visits`, so these must not be newer.
    pub replaced: &'a [Recomputed],
    /// Days to be made anew some time; a day that is also `done` is wanted again.
    pub late: &'a [Window],
    /// Days that have been.
    pub done: &'a [Window],
    /// When.
    pub now: Timestamp,
}

/// A tracker as the last checkpoint left it.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedTracker {
    /// The last position of the log that was pushed.
    pub applied: i64,
    /// Its watermark.
    pub watermark: Timestamp,
    /// What [`presence::Tracker::restore`] takes.
    pub snapshot: Vec<u8>,
    /// When it was saved.
    pub saved_at: Timestamp,
}

impl Store {
    /// Writes a checkpoint.
    ///
    /// A conflict over `configuration` says that the venue's timeline changed since: load it and the saved tracker again
    /// and go on from there. One over `applied` says that another worker has this venue and is further.
    pub async fn checkpoint(&self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        let Checkpoint { organization, venue, .. } = *checkpoint;
        let mut tx = self.begin().await?;
        tx.check_configuration(checkpoint).await?;
        tx.put_tracker(checkpoint).await?;
        let mut touched = Touched::default();
        touched.by(checkpoint.visits, checkpoint.stays);
        tx.put_visits(organization, venue, checkpoint.visits).await?;
        tx.put_stays(organization, venue, checkpoint.stays).await?;
        for recomputed in checkpoint.replaced {
            tx.replace(organization, venue, recomputed, &mut touched).await?;
        }
        tx.mark(organization, venue, touched, checkpoint.now).await?;
        tx.delete_late_windows(organization, venue, checkpoint.done).await?;
        tx.insert_late_windows(organization, venue, checkpoint.late).await?;
        tx.commit().await
    }

    /// The tracker of a venue as it was saved; none when it never was.
    pub async fn tracker(
        &self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Option<SavedTracker>> {
        const SQL: &str = "SELECT applied, watermark, snapshot, saved_at FROM trackers
            WHERE venue = $1 AND organization = $2";
        let row: Option<(i64, i64, Vec<u8>, i64)> = on!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        Ok(row.map(|(applied, watermark, snapshot, saved_at)| SavedTracker {
            applied,
            watermark: Timestamp(watermark),
            snapshot,
            saved_at: Timestamp(saved_at),
        }))
    }

    /// The days of a venue that are to be made anew.
    pub async fn late_windows(&self, organization: OrganizationId, venue: VenueId) -> Result<Vec<Window>> {
        self.snapshot().await?.late_windows(organization, venue).await
    }
}

impl Tx {
    async fn check_configuration(&mut self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        const SQLITE: &str =
            "SELECT revision FROM venues WHERE id = $1 AND organization = $2 AND deleted_at IS NULL";
        // SQLite has one writer; PostgreSQL keeps others from changing the configuration until this is written.
        const POSTGRES: &str = "SELECT revision FROM venues WHERE id = $1 AND organization = $2 AND deleted_at IS NULL FOR SHARE";
        let (venue, organization) = (checkpoint.venue.as_uuid(), checkpoint.organization.as_uuid());
        let revision: Option<i64> = match self {
            Self::Sqlite(tx) => {
                sqlx::query_scalar(SQLITE).bind(venue).bind(organization).fetch_optional(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                sqlx::query_scalar(POSTGRES).bind(venue).bind(organization).fetch_optional(&mut **tx).await?
            }
        };
        match revision {
            None => Err(StoreError::NotFound),
            Some(revision) if revision != checkpoint.configuration => {
                Err(StoreError::Conflict("configuration"))
            }
            Some(_) => Ok(()),
        }
    }

    async fn put_tracker(&mut self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        const SQL: &str = "INSERT INTO trackers (venue, organization, applied, watermark, snapshot, saved_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (venue) DO UPDATE SET applied = excluded.applied, watermark = excluded.watermark,
                snapshot = excluded.snapshot, saved_at = excluded.saved_at
            WHERE trackers.organization = excluded.organization AND trackers.applied <= excluded.applied
                AND trackers.watermark <= excluded.watermark";
        let written = within!(self, |db| sqlx::query(SQL)
            .bind(checkpoint.venue.as_uuid())
            .bind(checkpoint.organization.as_uuid())
            .bind(checkpoint.applied)
            .bind(checkpoint.watermark.0)
            .bind(checkpoint.snapshot)
            .bind(checkpoint.now.0)
            .execute(db)
            .await?
            .rows_affected());
        if written == 0 { Err(StoreError::Conflict("applied")) } else { Ok(()) }
    }

    async fn replace(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        recomputed: &Recomputed,
        touched: &mut Touched,
    ) -> Result<()> {
        let Recomputed { day, subjects, stays, visits, .. } = recomputed;
        let subjects: Option<Vec<Uuid>> =
            subjects.as_ref().map(|some| some.iter().map(|subject| Uuid::from_u128(subject.0)).collect());
        self.touch_replaced(organization, venue, *day, subjects.as_deref(), touched).await?;
        touched.by(visits, stays);
        let kept: Vec<Uuid> = stays.iter().map(|stay| stay.id.as_uuid()).collect();
        self.delete_stays(organization, venue, *day, subjects.as_deref(), &kept).await?;
        let kept: Vec<Uuid> = visits.iter().map(|visit| visit.id.as_uuid()).collect();
        self.delete_visits(organization, venue, *day, subjects.as_deref(), &kept).await?;
        self.put_visits(organization, venue, visits).await?;
        self.put_stays(organization, venue, stays).await
    }
}

/// The word for a class in a row.
fn word(class: VisitClass) -> &'static str {
    match class {
        VisitClass::Visit => "visit",
        VisitClass::Bounce => "bounce",
        VisitClass::PasserBy => "passer_by",
        VisitClass::Staff => "staff",
        VisitClass::Transient => "transient",
    }
}
