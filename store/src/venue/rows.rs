//! The statements behind venues.

use protocol::{OrganizationId, Timestamp, VenueId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::settings::StoredSettings;
use super::{Venue, VenueVersion};
use crate::admission::Admission;
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::history::History;
use crate::page::Page;

/// Venues with their newest version.
macro_rules! select_venues {
    ($rest:literal) => {
        concat!(
            "SELECT v.id, v.organization, v.created_at, n.effective_from, n.name, n.timezone, n.day_starts_at, n.locale,
                n.admits, n.settings
            FROM venues v JOIN venue_versions n ON n.venue = v.id AND n.effective_from =
                (SELECT max(effective_from) FROM venue_versions WHERE venue = v.id)
            WHERE v.organization = $1 AND v.deleted_at IS NULL ",
            $rest
        )
    };
}

impl Tx {
    /// Notes that the venue is being changed, so that no checkpoint of it is written until this transaction ends.
    pub(crate) async fn touch_venue(
        &mut self,
        organization: OrganizationId,
        id: VenueId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE venues SET updated_at = $3 WHERE id = $1 AND organization = $2 AND deleted_at IS NULL";
        let found = within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    pub(crate) async fn venue(&mut self, organization: OrganizationId, id: VenueId) -> Result<Venue> {
        const SQL: &str = select_venues!("AND v.id = $2");
        let row: Option<VenueRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(VenueRow::read).ok_or(StoreError::NotFound)?
    }

    pub(super) async fn venues(&mut self, organization: OrganizationId, page: Page) -> Result<Vec<Venue>> {
        const SQL: &str = select_venues!("AND v.id > $2 ORDER BY v.id LIMIT $3");
        let rows: Vec<VenueRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        rows.into_iter().map(VenueRow::read).collect()
    }

    pub(super) async fn insert_venue(
        &mut self,
        organization: OrganizationId,
        id: VenueId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "INSERT INTO venues (id, organization, revision, sealed_until, created_at, updated_at)
            VALUES ($1, $2, 0, 0, $3, $3)";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(super) async fn mark_venue_deleted(
        &mut self,
        organization: OrganizationId,
        id: VenueId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE venues SET deleted_at = $3, revision = revision + 1 WHERE id = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn venue_history(
        &mut self,
        organization: OrganizationId,
        id: VenueId,
    ) -> Result<History<VenueVersion>> {
        const SQL: &str = "SELECT effective_from, name, timezone, day_starts_at, locale, admits, settings
            FROM venue_versions WHERE venue = $1 AND organization = $2 ORDER BY effective_from";
        let rows: Vec<VersionRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        let version = |row: VersionRow| {
            Ok((
                Timestamp(row.effective_from),
                VenueVersion {
                    name: row.name,
                    timezone: row.timezone,
                    day_starts_at: day_starts_at(row.day_starts_at)?,
                    locale: row.locale,
                    admits: row.admits.0,
                    settings: row.settings.map(|Json(stored)| stored.into()),
                },
            ))
        };
        rows.into_iter().map(version).collect::<Result<_>>().map(History::new)
    }

    pub(super) async fn put_venue_version(
        &mut self,
        organization: OrganizationId,
        id: VenueId,
        at: Timestamp,
        version: &VenueVersion,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO venue_versions
                (venue, effective_from, organization, name, timezone, day_starts_at, locale, admits, settings)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (venue, effective_from) DO UPDATE SET name = excluded.name, timezone = excluded.timezone,
                day_starts_at = excluded.day_starts_at, locale = excluded.locale, admits = excluded.admits,
                settings = excluded.settings";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(at.0)
            .bind(organization.as_uuid())
            .bind(&version.name)
            .bind(&version.timezone)
            .bind(i64::from(version.day_starts_at))
            .bind(&version.locale)
            .bind(Json(&version.admits))
            .bind(version.settings.as_ref().map(|settings| Json(StoredSettings::from(settings))))
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct VenueRow {
    id: Uuid,
    organization: Uuid,
    created_at: i64,
    #[sqlx(flatten)]
    version: VersionRow,
}

#[derive(FromRow)]
struct VersionRow {
    effective_from: i64,
    name: String,
    timezone: String,
    day_starts_at: i64,
    locale: String,
    admits: Json<Vec<Admission>>,
    settings: Option<Json<StoredSettings>>,
}

impl VenueRow {
    fn read(self) -> Result<Venue> {
        let version = self.version;
        Ok(Venue {
            id: VenueId::from_uuid(self.id),
            organization: OrganizationId::from_uuid(self.organization),
            name: version.name,
            timezone: version.timezone,
            day_starts_at: day_starts_at(version.day_starts_at)?,
            locale: version.locale,
            admits: version.admits.0,
            settings: version.settings.map(|Json(stored)| stored.into()).unwrap_or_default(),
            created_at: Timestamp(self.created_at),
            effective_from: Timestamp(version.effective_from),
        })
    }
}

fn day_starts_at(minutes: i64) -> Result<u16> {
    u16::try_from(minutes).map_err(|_| StoreError::Corrupt("start of day"))
}
