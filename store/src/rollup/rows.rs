//! The statements behind rollups and paths.

use std::collections::BTreeMap;

use presence::{Paths, Tally};
use protocol::{OrganizationId, Timestamp, VenueId};
use uuid::Uuid;

use super::Size;
use crate::engine::Tx;
use crate::error::{Result, StoreError};

/// Rows deleted in one transaction: each has some kilobytes.
const PORTION: i64 = 200;

impl Tx {
    /// The tallies of one size that begin in `[from, to)`, by start: those of one place, or of all where none is named.
    pub(super) async fn tallies(
        &mut self,
        (organization, venue): (OrganizationId, VenueId),
        size: Size,
        place: Option<Uuid>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Uuid, Timestamp, Tally)>> {
        const ONE: &str =
            "SELECT zone, from_at, tally FROM rollups WHERE venue = $1 AND organization = $2 AND size = $3
            AND from_at >= $4 AND from_at < $5 AND zone = $6 ORDER BY from_at";
        const ALL: &str =
            "SELECT zone, from_at, tally FROM rollups WHERE venue = $1 AND organization = $2 AND size = $3
            AND from_at >= $4 AND from_at < $5 ORDER BY from_at";
        let rows: Vec<(Uuid, i64, Vec<u8>)> = within!(self, |db| {
            let query = sqlx::query_as(if place.is_some() { ONE } else { ALL });
            let query = query.bind(venue.as_uuid()).bind(organization.as_uuid()).bind(size.as_str());
            let query = query.bind(from.0).bind(to.0);
            let query = if let Some(place) = place { query.bind(place) } else { query };
            query.fetch_all(db).await?
        });
        let tally = |(zone, from, bytes): (Uuid, i64, Vec<u8>)| {
            let tally = Tally::from_bytes(&bytes).map_err(|_| StoreError::Corrupt("rollup"))?;
            Ok((zone, Timestamp(from), tally))
        };
        rows.into_iter().map(tally).collect()
    }

    /// The paths of one size that begin in `[from, to)`, by start.
    pub(super) async fn paths(
        &mut self,
        (organization, venue): (OrganizationId, VenueId),
        size: Size,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, Paths)>> {
        const SQL: &str =
            "SELECT from_at, paths FROM paths WHERE venue = $1 AND organization = $2 AND size = $3
            AND from_at >= $4 AND from_at < $5 ORDER BY from_at";
        let rows: Vec<(i64, Vec<u8>)> = within!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(size.as_str())
            .bind(from.0)
            .bind(to.0)
            .fetch_all(db)
            .await?);
        let paths = |(from, bytes): (i64, Vec<u8>)| {
            Ok((Timestamp(from), Paths::from_bytes(&bytes).map_err(|_| StoreError::Corrupt("paths"))?))
        };
        rows.into_iter().map(paths).collect()
    }

    /// Puts the tallies of one span in the place of what was there. Places where nothing was have no row.
    pub(super) async fn replace_tallies(
        &mut self,
        (organization, venue): (OrganizationId, VenueId),
        size: Size,
        (from, to): (Timestamp, Timestamp),
        tallies: &BTreeMap<Uuid, Tally>,
    ) -> Result<()> {
        const DELETE: &str =
            "DELETE FROM rollups WHERE venue = $1 AND organization = $2 AND size = $3 AND from_at = $4";
        const INSERT: &str = "INSERT INTO rollups (venue, organization, size, from_at, to_at, zone, tally)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
        within!(self, |db| sqlx::query(DELETE)
            .bind(venue)
            .bind(organization)
            .bind(size.as_str())
            .bind(from.0)
            .execute(db)
            .await
            .map(drop))?;
        for (zone, tally) in tallies {
            if tally.is_empty() {
                continue;
            }
            let bytes = tally.to_bytes();
            within!(self, |db| sqlx::query(INSERT)
                .bind(venue)
                .bind(organization)
                .bind(size.as_str())
                .bind(from.0)
                .bind(to.0)
                .bind(*zone)
                .bind(bytes)
                .execute(db)
                .await
                .map(drop))?;
        }
        Ok(())
    }

    /// Puts the paths of one span in the place of what was there.
    pub(super) async fn replace_paths(
        &mut self,
        (organization, venue): (OrganizationId, VenueId),
        size: Size,
        (from, to): (Timestamp, Timestamp),
        paths: &Paths,
    ) -> Result<()> {
        const DELETE: &str =
            "DELETE FROM paths WHERE venue = $1 AND organization = $2 AND size = $3 AND from_at = $4";
        const INSERT: &str = "INSERT INTO paths (venue, organization, size, from_at, to_at, paths)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
        within!(self, |db| sqlx::query(DELETE)
            .bind(venue)
            .bind(organization)
            .bind(size.as_str())
            .bind(from.0)
            .execute(db)
            .await
            .map(drop))?;
        if paths.is_empty() {
            return Ok(());
        }
        within!(self, |db| sqlx::query(INSERT)
            .bind(venue)
            .bind(organization)
            .bind(size.as_str())
            .bind(from.0)
            .bind(to.0)
            .bind(paths.to_bytes())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Deletes some of all that was made of a venue; answers whether there was any.
    pub(super) async fn delete_rollups(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<bool> {
        const ROLLUPS: &str = "DELETE FROM rollups WHERE (venue, size, zone, from_at) IN
            (SELECT venue, size, zone, from_at FROM rollups WHERE venue = $1 AND organization = $2 LIMIT $3)";
        const PATHS: &str = "DELETE FROM paths WHERE (venue, size, from_at) IN
            (SELECT venue, size, from_at FROM paths WHERE venue = $1 AND organization = $2 LIMIT $3)";
        let mut deleted = 0;
        for sql in [ROLLUPS, PATHS] {
            deleted += within!(self, |db| sqlx::query(sql)
                .bind(venue.as_uuid())
                .bind(organization.as_uuid())
                .bind(PORTION)
                .execute(db)
                .await?
                .rows_affected());
        }
        Ok(deleted > 0)
    }

    /// When the first and the last of a venue's runs began; none without one.
    pub(super) async fn first_and_last(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Option<(Timestamp, Timestamp)>> {
        const SQL: &str = "SELECT (SELECT min(from_at) FROM visits WHERE venue = $1 AND organization = $2),
            (SELECT max(from_at) FROM visits WHERE venue = $1 AND organization = $2)";
        let found: (Option<i64>, Option<i64>) = within!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        Ok(found.0.zip(found.1).map(|(first, last)| (Timestamp(first), Timestamp(last))))
    }
}
