//! The statements behind zones.

use protocol::{OrganizationId, Timestamp, VenueId, ZoneId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Zone, ZoneVersion};
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::history::History;
use crate::page::Page;

/// Zones with their newest version.
macro_rules! select_zones {
    ($rest:literal) => {
        concat!(
            "SELECT z.id, z.organization, z.venue, z.created_at, n.effective_from, n.name, n.kind, n.neighbours,
                n.polygon, n.deleted
            FROM zones z JOIN zone_versions n ON n.zone = z.id AND n.effective_from =
                (SELECT max(effective_from) FROM zone_versions WHERE zone = z.id)
            WHERE z.organization = $1 AND z.venue = $2 AND z.deleted_at IS NULL ",
            $rest
        )
    };
}

impl Tx {
    pub(crate) async fn zone(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        id: ZoneId,
    ) -> Result<Zone> {
        const SQL: &str = select_zones!("AND z.id = $3");
        let row: Option<ZoneRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(ZoneRow::read).ok_or(StoreError::NotFound)?
    }

    pub(super) async fn zones(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        page: Page,
    ) -> Result<Vec<Zone>> {
        const SQL: &str = select_zones!("AND z.id > $3 ORDER BY z.id LIMIT $4");
        let rows: Vec<ZoneRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        rows.into_iter().map(ZoneRow::read).collect()
    }

    /// The zones of a venue that are not deleted.
    pub(super) async fn zone_ids(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Vec<ZoneId>> {
        const SQL: &str =
            "SELECT id FROM zones WHERE organization = $1 AND venue = $2 AND deleted_at IS NULL ORDER BY id";
        let ids: Vec<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .fetch_all(db)
            .await?);
        Ok(ids.into_iter().map(ZoneId::from_uuid).collect())
    }

    pub(super) async fn insert_zone(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        id: ZoneId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "INSERT INTO zones (id, organization, venue, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(super) async fn mark_zone_deleted(
        &mut self,
        organization: OrganizationId,
        id: ZoneId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE zones SET deleted_at = $3, updated_at = $3 WHERE id = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn delete_zones_of(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE zones SET deleted_at = $3, updated_at = $3
            WHERE venue = $1 AND organization = $2 AND deleted_at IS NULL";
        within!(self, |db| sqlx::query(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn zone_history(
        &mut self,
        organization: OrganizationId,
        id: ZoneId,
    ) -> Result<History<ZoneVersion>> {
        const SQL: &str = "SELECT effective_from, name, kind, neighbours, polygon, deleted FROM zone_versions
            WHERE zone = $1 AND organization = $2 ORDER BY effective_from";
        let rows: Vec<VersionRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        let version = |row: VersionRow| Ok((Timestamp(row.effective_from), row.read()?));
        rows.into_iter().map(version).collect::<Result<_>>().map(History::new)
    }

    pub(super) async fn put_zone_version(
        &mut self,
        organization: OrganizationId,
        id: ZoneId,
        at: Timestamp,
        version: &ZoneVersion,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO zone_versions
                (zone, effective_from, organization, name, kind, neighbours, polygon, deleted)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (zone, effective_from) DO UPDATE SET name = excluded.name, kind = excluded.kind,
                neighbours = excluded.neighbours, polygon = excluded.polygon, deleted = excluded.deleted";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(at.0)
            .bind(organization.as_uuid())
            .bind(&version.name)
            .bind(version.kind.as_str())
            .bind(Json(&version.neighbours))
            .bind(version.polygon.as_ref().map(Json))
            .bind(version.deleted)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct ZoneRow {
    id: Uuid,
    organization: Uuid,
    venue: Uuid,
    created_at: i64,
    #[sqlx(flatten)]
    version: VersionRow,
}

#[derive(FromRow)]
struct VersionRow {
    effective_from: i64,
    name: String,
    kind: String,
    neighbours: Json<Vec<ZoneId>>,
    polygon: Option<Json<Vec<[f64; 2]>>>,
    deleted: bool,
}

impl ZoneRow {
    fn read(self) -> Result<Zone> {
        let effective_from = Timestamp(self.version.effective_from);
        let version = self.version.read()?;
        Ok(Zone {
            id: ZoneId::from_uuid(self.id),
            organization: OrganizationId::from_uuid(self.organization),
            venue: VenueId::from_uuid(self.venue),
            name: version.name,
            kind: version.kind,
            neighbours: version.neighbours,
            polygon: version.polygon,
            created_at: Timestamp(self.created_at),
            effective_from,
        })
    }
}

impl VersionRow {
    fn read(self) -> Result<ZoneVersion> {
        Ok(ZoneVersion {
            name: self.name,
            kind: self.kind.parse().map_err(|_| StoreError::Corrupt("zone kind"))?,
            neighbours: self.neighbours.0,
            polygon: self.polygon.map(|Json(corners)| corners),
            deleted: self.deleted,
        })
    }
}
