//! The statements behind the raw log.

use protocol::{OrganizationId, Timestamp, VenueId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{NewSegment, StoredSegment};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

impl Store {
    /// The last position of every venue's log, of the whole installation; where none is listed, nothing was written yet.
    pub async fn positions(&self) -> Result<Vec<(VenueId, i64)>> {
        // Old rows are deleted, so a tracker may be the only one left who knows how far the log went.
        const SQL: &str = "SELECT venue, max(position) FROM
                (SELECT venue, max(position) AS position FROM segments GROUP BY venue
                UNION ALL SELECT venue, applied FROM trackers) AS known
            GROUP BY venue ORDER BY venue";
        let rows: Vec<(Uuid, i64)> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        Ok(rows.into_iter().map(|(venue, position)| (VenueId::from_uuid(venue), position)).collect())
    }

    /// The log of a venue after a position, in order, at most `limit` rows.
    pub async fn segments(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<StoredSegment>> {
        const SQL: &str = "SELECT position, from_at, to_at, received_at, body FROM segments
            WHERE venue = $1 AND organization = $2 AND position > $3 ORDER BY position LIMIT $4";
        let rows: Vec<SegmentRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(after_position)
            .bind(i64::from(limit))
            .fetch_all(db)
            .await?);
        Ok(rows.into_iter().map(StoredSegment::from).collect())
    }

    /// The rows of a venue's log after one position and up to another that have pings in `[from, to)`, in order, at most
    /// `limit` of them.
    #[expect(clippy::too_many_arguments, reason = "a range of time, a range of the log and a limit")]
    pub async fn segments_overlapping(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        from: Timestamp,
        to: Timestamp,
        after_position: i64,
        through_position: i64,
        limit: u32,
    ) -> Result<Vec<StoredSegment>> {
        // Positions are found in an index that also has the times, so that bodies out of range are never touched.
        const SQL: &str = "SELECT position, from_at, to_at, received_at, body FROM segments
            WHERE venue = $1 AND organization = $2 AND position IN
                (SELECT position FROM segments
                WHERE venue = $1 AND position > $5 AND position <= $6 AND to_at >= $3 AND from_at < $4
                ORDER BY position LIMIT $7)
            ORDER BY position";
        let rows: Vec<SegmentRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(from.0)
            .bind(to.0)
            .bind(after_position)
            .bind(through_position)
            .bind(i64::from(limit))
            .fetch_all(db)
            .await?);
        Ok(rows.into_iter().map(StoredSegment::from).collect())
    }

    /// When the newest row of any log was received; none when nothing ever was. Of the whole installation.
    pub async fn newest_received(&self) -> Result<Option<Timestamp>> {
        const SQL: &str = "SELECT max(s.received_at) FROM segments s
            JOIN (SELECT venue, max(position) AS position FROM segments GROUP BY venue) AS last
                ON last.venue = s.venue AND last.position = s.position";
        let newest: Option<i64> = on!(self, |db| sqlx::query_scalar(SQL).fetch_one(db).await?);
        Ok(newest.map(Timestamp))
    }

    /// Deletes rows of a venue's log that are applied and have no pings at `before` or later, a few hundred at a call;
    /// days before that are sealed. Gives how many were deleted: 0 when nothing is left to delete.
    pub async fn seal(&self, organization: OrganizationId, venue: VenueId, before: Timestamp) -> Result<u64> {
        const OLD: &str =
            "SELECT position FROM segments WHERE venue = $1 AND organization = $2 AND to_at < $3
                AND position <= (SELECT applied FROM trackers WHERE venue = $1)
            ORDER BY position LIMIT 200";
        const SEAL: &str = "UPDATE venues SET sealed_until = $3
            WHERE id = $1 AND organization = $2 AND sealed_until < $3";
        const DELETE: &str = "DELETE FROM segments WHERE venue = $1 AND organization = $2 AND position = $3";
        // Finding them may read the whole index, and that must not keep the writer.
        let old: Vec<i64> = on!(self, |db| sqlx::query_scalar(OLD)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(before.0)
            .fetch_all(db)
            .await?);
        if old.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SEAL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(before.0)
            .execute(db)
            .await
            .map(drop))?;
        for position in &old {
            within!(&mut tx, |db| sqlx::query(DELETE)
                .bind(venue.as_uuid())
                .bind(organization.as_uuid())
                .bind(position)
                .execute(db)
                .await
                .map(drop))?;
        }
        tx.commit().await?;
        Ok(old.len() as u64)
    }
}

impl Tx {
    pub(super) async fn insert_segment(&mut self, segment: &NewSegment) -> Result<()> {
        const SQL: &str = "INSERT INTO segments
                (organization, venue, position, from_at, to_at, received_at, batches, pings, body)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        within!(self, |db| sqlx::query(SQL)
            .bind(segment.organization.as_uuid())
            .bind(segment.venue.as_uuid())
            .bind(segment.position)
            .bind(segment.from_at.0)
            .bind(segment.to_at.0)
            .bind(segment.received_at.0)
            .bind(i64::from(segment.batches))
            .bind(i64::from(segment.pings))
            .bind(segment.body.as_slice())
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("position"))
    }
}

#[derive(FromRow)]
struct SegmentRow {
    position: i64,
    from_at: i64,
    to_at: i64,
    received_at: i64,
    body: Vec<u8>,
}

impl From<SegmentRow> for StoredSegment {
    fn from(row: SegmentRow) -> Self {
        Self {
            position: row.position,
            from_at: Timestamp(row.from_at),
            to_at: Timestamp(row.to_at),
            received_at: Timestamp(row.received_at),
            body: row.body,
        }
    }
}
