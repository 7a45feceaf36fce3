//! Changing a device, which may move it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{DeviceId, OrganizationId, Timestamp, VenueId};

use super::{Device, DevicePatch, check_profile};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::history::EVER;
use crate::placement::Place;
use crate::timeline::Configuration;
use crate::venue;

impl Store {
    /// Changes a device; a placement changes from a time on and marks what has to be computed again because of it.
    pub async fn patch_device(
        &self,
        organization: OrganizationId,
        id: DeviceId,
        patch: &DevicePatch,
        now: Timestamp,
    ) -> Result<Device> {
        if let Some(name) = &patch.name {
            venue::name(name)?;
        }
        let mut tx = self.change(organization).await?;
        tx.touch_device(organization, id, now).await?;
        let device = tx.device(organization, id).await?;
        check_profile(device.kind, patch.profile.as_ref().and_then(Option::as_ref))?;
        tx.update_device(organization, &device, patch).await?;
        if let Some(ephemeral) = &patch.ephemeral {
            if let Some(ephemeral) = ephemeral {
                ephemeral.check(device.kind)?;
            }
            tx.set_ephemeral(organization, id, ephemeral.as_ref(), now).await?;
        }
        if patch.moves() {
            tx.move_device(organization, &device, patch, now).await?;
        }
        let device = tx.device(organization, id).await?;
        tx.commit().await?;
        Ok(device)
    }
}

impl DevicePatch {
    fn moves(&self) -> bool {
        self.venue.is_some() || self.zone.is_some() || self.position.is_some()
    }

    fn apply(&self, place: Place) -> Place {
        let venue = self.venue.unwrap_or(place.venue);
        // Zones and coordinates mean nothing in another venue.
        let kept = if venue == place.venue { place } else { Place::default() };
        Place {
            venue,
            zone: self.zone.unwrap_or(kept.zone),
            position: self.position.unwrap_or(kept.position),
        }
    }
}

impl Tx {
    async fn move_device(
        &mut self,
        organization: OrganizationId,
        device: &Device,
        patch: &DevicePatch,
        now: Timestamp,
    ) -> Result<()> {
        let mut history = self.placement_history(organization, device.id).await?;
        let first = history.newest().is_none();
        let from = if first { EVER } else { patch.effective_from.unwrap_or(now).max(EVER) };
        let mut place = patch.apply(history.at(from).copied().unwrap_or_default());
        self.check_place(organization, &mut place).await?;

        let infrastructure = device.kind.is_infrastructure();
        let venues = history.iter().filter_map(|(_, place)| place.venue).chain(place.venue);
        let before = if infrastructure {
            self.touch_venues(organization, venues, now).await?
        } else {
            BTreeMap::new()
        };
        history.insert(from, place);
        self.put_place(organization, device.id, from, &place).await?;
        for (venue, configuration) in before {
            // Nothing was ever computed with a device that stood nowhere.
            let changed_from = if first { now } else { from };
            self.reconsider(organization, venue, changed_from, &configuration.timeline).await?;
        }
        Ok(())
    }

    /// The configurations of every venue that the device stood in or is about to.
    async fn touch_venues(
        &mut self,
        organization: OrganizationId,
        venues: impl Iterator<Item = VenueId>,
        now: Timestamp,
    ) -> Result<BTreeMap<VenueId, Configuration>> {
        let mut configurations = BTreeMap::new();
        for venue in venues.collect::<BTreeSet<_>>() {
            match self.touch_venue(organization, venue, now).await {
                // A venue it stood in has been deleted since: nothing is computed there any more.
                Err(StoreError::NotFound) => continue,
                touched => touched?,
            }
            configurations.insert(venue, self.configuration(organization, venue).await?);
        }
        Ok(configurations)
    }

    /// Tells pollers that the device changed.
    pub(crate) async fn touch_device(
        &mut self,
        organization: OrganizationId,
        id: DeviceId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE devices SET updated_at = $3 WHERE id = $1 AND organization = $2 AND deleted_at IS NULL";
        let found = within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}
