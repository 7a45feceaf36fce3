//! Where devices stand, by event time.

use protocol::{DeviceId, OrganizationId, Timestamp, VenueId, ZoneId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::history::History;

/// Where a device stands from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The venue.
    pub venue: VenueId,
    /// The zone of that venue; none for nowhere in particular.
    pub zone: Option<ZoneId>,
    /// Metres in the venue's own coordinates: x, y and height.
    pub position: Option<[f64; 3]>,
    /// From when it holds; 0 for the first, which holds from ever.
    pub effective_from: Timestamp,
}

/// What is versioned of where a device stands; no venue means nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Place {
    pub(crate) venue: Option<VenueId>,
    pub(crate) zone: Option<ZoneId>,
    pub(crate) position: Option<[f64; 3]>,
}

impl Place {
    pub(crate) fn placement(self, effective_from: Timestamp) -> Option<Placement> {
        Some(Placement { venue: self.venue?, zone: self.zone, position: self.position, effective_from })
    }
}

impl Tx {
    pub(crate) async fn placement_history(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<History<Place>> {
        const SQL: &str = "SELECT device, effective_from, venue, zone, position FROM placements
            WHERE device = $1 AND organization = $2 ORDER BY effective_from";
        let rows: Vec<PlaceRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        Ok(History::new(rows.iter().map(|row| (Timestamp(row.effective_from), row.place())).collect()))
    }

    pub(crate) async fn put_place(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        at: Timestamp,
        place: &Place,
    ) -> Result<()> {
        const SQL: &str =
            "INSERT INTO placements (device, effective_from, organization, venue, zone, position)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (device, effective_from) DO UPDATE SET venue = excluded.venue, zone = excluded.zone,
                position = excluded.position";
        within!(self, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(at.0)
            .bind(organization.as_uuid())
            .bind(place.venue.map(|venue| venue.as_uuid()))
            .bind(place.zone.map(|zone| zone.as_uuid()))
            .bind(place.position.map(Json))
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// The devices whose newest placement is in the venue.
    pub(crate) async fn devices_in_venue(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Vec<DeviceId>> {
        const SQL: &str = "SELECT DISTINCT p.device FROM placements p JOIN devices d ON d.id = p.device
            WHERE p.venue = $1 AND p.organization = $2 AND d.deleted_at IS NULL AND p.effective_from =
                (SELECT max(effective_from) FROM placements WHERE device = p.device)
            ORDER BY p.device";
        let ids: Vec<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        Ok(ids.into_iter().map(DeviceId::from_uuid).collect())
    }

    /// The device stands nowhere from now on.
    pub(crate) async fn unplace(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<()> {
        self.touch_device(organization, device, now).await?;
        self.put_place(organization, device, now, &Place::default()).await?;
        // A move that was planned for later does not happen.
        self.drop_places_after(organization, device, now).await
    }

    /// A device of that zone stays in its venue without a zone from now on.
    pub(crate) async fn take_out_of_zone(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        zone: ZoneId,
        now: Timestamp,
    ) -> Result<()> {
        let mut history = self.placement_history(organization, device).await?;
        let Some((_, newest)) = history.newest().copied() else { return Ok(()) };
        if newest.zone != Some(zone) {
            return Ok(());
        }
        if let Some(mut place) = history.open(now) {
            place.set(Some(None), |place| &mut place.zone);
        }
        self.touch_device(organization, device, now).await?;
        for (at, place) in history.iter().filter(|(at, _)| *at >= now) {
            self.put_place(organization, device, *at, place).await?;
        }
        Ok(())
    }

    async fn drop_places_after(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        at: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "DELETE FROM placements WHERE device = $1 AND organization = $2 AND effective_from > $3";
        within!(self, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(at.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Checks that a venue, and a zone of it, exist; a zone alone brings its venue.
    pub(crate) async fn check_place(
        &mut self,
        organization: OrganizationId,
        place: &mut Place,
    ) -> Result<()> {
        const ZONE: &str =
            "SELECT venue FROM zones WHERE id = $1 AND organization = $2 AND deleted_at IS NULL";
        if let Some(zone) = place.zone {
            let venue: Option<Uuid> = within!(self, |db| sqlx::query_scalar(ZONE)
                .bind(zone.as_uuid())
                .bind(organization.as_uuid())
                .fetch_optional(db)
                .await?);
            let venue = venue.ok_or_else(|| StoreError::Invalid(format!("there is no zone {zone}")))?;
            let venue = VenueId::from_uuid(venue);
            if *place.venue.get_or_insert(venue) != venue {
                return Err(StoreError::Invalid("the zone belongs to another venue".into()));
            }
        }
        match place.venue {
            Some(venue) => match self.venue(organization, venue).await {
                Err(StoreError::NotFound) => {
                    return Err(StoreError::Invalid(format!("there is no venue {venue}")));
                }
                found => found.map(drop)?,
            },
            None if place.position.is_some() => {
                return Err(StoreError::Invalid("a position needs a venue".into()));
            }
            None => {}
        }
        if place.position.iter().flatten().any(|metres| !metres.is_finite()) {
            return Err(StoreError::Invalid("a position is three numbers of metres".into()));
        }
        Ok(())
    }
}

#[derive(FromRow)]
pub(crate) struct PlaceRow {
    pub(crate) device: Uuid,
    pub(crate) effective_from: i64,
    venue: Option<Uuid>,
    zone: Option<Uuid>,
    position: Option<Json<[f64; 3]>>,
}

impl PlaceRow {
    pub(crate) fn place(&self) -> Place {
        Place {
            venue: self.venue.map(VenueId::from_uuid),
            zone: self.zone.map(ZoneId::from_uuid),
            position: self.position.as_ref().map(|Json(position)| *position),
        }
    }
}
