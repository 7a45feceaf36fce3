//! Many devices at once, all of them or none.

use std::collections::{BTreeSet, HashMap};

use protocol::{DeviceId, OrganizationId, Timestamp, VenueId};

use super::{NewDevice, check_profile};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::history::EVER;
use crate::placement::Place;
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::venue;

/// The most devices that are made at once: it is one transaction, which keeps everybody else's from being written.
pub const MAX_IMPORT: usize = 1_000;

/// A device that was made among many.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The device.
    pub id: DeviceId,
    /// What it signs in with; it is given here and never again.
    pub secret: Secret,
    /// Where it stands.
    pub venue: Option<VenueId>,
}

/// Why a device of many cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFault {
    /// Which one, counted from 0.
    pub row: usize,
    /// What of it is wrong.
    pub what: ImportField,
    /// Why, in words for whoever sent it.
    pub why: String,
}

words! {
    /// What of a device can be wrong.
    pub enum ImportField {
        /// [`NewDevice::name`].
        Name = "name",
        /// [`NewDevice::identifier`].
        Identifier = "identifier",
        /// [`NewDevice::venue`], [`NewDevice::zone`] or [`NewDevice::position`].
        Place = "venue",
    }
}

impl Store {
    /// Makes devices, in the order given. With a fault in any of them nothing is
    /// made, and every fault is told; in a dry run nothing is made either, and without a fault the answer is empty.
    pub async fn import_devices(
        &self,
        organization: OrganizationId,
        new: &[NewDevice],
        dry_run: bool,
        now: Timestamp,
    ) -> Result<Result<Vec<Imported>, Vec<ImportFault>>> {
        if new.len() > MAX_IMPORT {
            return Err(StoreError::Invalid(format!("at most {MAX_IMPORT} devices are made at once")));
        }
        let mut tx = self.change(organization).await?;
        let (mut faults, mut places) = (Vec::new(), Vec::with_capacity(new.len()));
        let mut identifiers = HashMap::new();
        for (row, device) in new.iter().enumerate() {
            let mut fault = |what, why: String| faults.push(ImportFault { row, what, why });
            match venue::name(&device.name).and_then(|()| check_profile(device.kind, device.profile.as_ref()))
            {
                Err(StoreError::Invalid(why)) => fault(ImportField::Name, why),
                checked => checked?,
            }
            if let Some(identifier) = &device.identifier {
                let text = identifier.to_string();
                if tx.is_taken(&text).await? {
                    fault(ImportField::Identifier, "is another device's already".into());
                }
                if let Some(first) = identifiers.insert(text, row) {
                    fault(ImportField::Identifier, format!("is that of row {} too", first + 1));
                }
            }
            let mut place = Place { venue: device.venue, zone: device.zone, position: device.position };
            match tx.check_place(organization, &mut place).await {
                Err(StoreError::Invalid(why)) => fault(ImportField::Place, why),
                checked => checked?,
            }
            places.push(place);
        }
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        if dry_run {
            return Ok(Ok(Vec::new()));
        }
        let mut made = Vec::with_capacity(new.len());
        let mut venues = BTreeSet::new();
        // Lists are in the order of ids, and those of one moment have none: sorted, they are listed as they came.
        let ids = new.iter().map(|_| Ok(DeviceId::new(now, random::bytes()?)));
        let ids: BTreeSet<DeviceId> = ids.collect::<Result<_>>()?;
        for ((device, place), id) in new.iter().zip(&places).zip(ids) {
            let (secret, hash) = self.mint(Purpose::Device)?;
            tx.insert_device(organization, id, None, device, &hash, now).await?;
            if let Some(venue) = place.venue {
                tx.put_place(organization, id, EVER, place).await?;
                if device.kind.is_infrastructure() {
                    venues.insert(venue);
                }
            }
            made.push(Imported { id, secret, venue: place.venue });
        }
        for venue in venues {
            tx.touch_venue(organization, venue, now).await?;
            tx.count_revision(organization, venue).await?;
        }
        tx.commit().await?;
        Ok(Ok(made))
    }
}

impl Tx {
    /// Whether a device of the installation has the identifier.
    async fn is_taken(&mut self, identifier: &str) -> Result<bool> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM devices WHERE identifier = $1 AND deleted_at IS NULL)";
        Ok(within!(self, |db| sqlx::query_scalar(SQL).bind(identifier).fetch_one(db).await?))
    }
}
