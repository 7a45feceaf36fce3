//! The registry of the whole installation, for the broker, which serves every organization.

use std::collections::HashMap;

use protocol::{DeviceId, OrganizationId, Timestamp, VenueId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admission::Admission;
use crate::device::{Device, DeviceRow, SealedKey};
use crate::engine::{Store, Tx};
use crate::error::Result;
use crate::placement::{PlaceRow, Placement};
use crate::secret::{Purpose, Secret};

/// A device with what signs it in and where it stood when.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// The device.
    pub device: Device,
    /// What its secret hashes to.
    pub secret_hash: [u8; 32],
    /// The key that its identifier changes with.
    pub ephemeral_key: Option<SealedKey>,
    /// Which version of the text its person agreed to, last of all, so that it may be counted; none where nobody has, or has
    /// taken it back, and where it belongs to nobody.
    pub agreed_to_presence: Option<String>,
    /// Where it stood from when on, oldest first; none for nowhere. Empty when it was never placed.
    pub placements: Vec<(Timestamp, Option<Placement>)>,
}

/// Which identifiers a venue counts beyond the usual ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Admits {
    /// The venue.
    pub venue: VenueId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The prefixes.
    pub admits: Vec<Admission>,
}

impl Registered {
    /// Where the device stood at `at`; the first placement holds for all earlier time.
    pub fn placement_at(&self, at: Timestamp) -> Option<&Placement> {
        let index = self.placements.partition_point(|(from, _)| *from <= at);
        self.placements.get(index.saturating_sub(1))?.1.as_ref()
    }

    /// Whether `presented` is the device's secret; takes the same time for every wrong one.
    pub fn accepts(&self, presented: &str, installation_key: &[u8; 32]) -> bool {
        let secret = Secret::parse(Purpose::Device, presented);
        // Comparing these hashes takes constant time.
        secret
            .is_some_and(|secret| secret.hash(installation_key) == blake3::Hash::from_bytes(self.secret_hash))
    }
}

impl Store {
    /// Every device of the installation.
    pub async fn registry(&self) -> Result<Vec<Registered>> {
        const DEVICES: &str = crate::device::select_devices!("WHERE d.deleted_at IS NULL ORDER BY d.id");
        const PLACES: &str = "SELECT device, effective_from, venue, zone, position FROM placements ORDER BY device, effective_from";
        let mut tx = self.snapshot().await?;
        let rows: Vec<DeviceRow> = within!(&mut tx, |db| sqlx::query_as(DEVICES).fetch_all(db).await?);
        let places: Vec<PlaceRow> = within!(&mut tx, |db| sqlx::query_as(PLACES).fetch_all(db).await?);
        let mut keys: HashMap<Uuid, SealedKey> = tx.sealed_keys(None).await?.into_iter().collect();
        let mut by_device: HashMap<Uuid, Vec<PlaceRow>> = HashMap::new();
        for place in places {
            by_device.entry(place.device).or_default().push(place);
        }
        let registered = |row: &DeviceRow| {
            registered(row, by_device.remove(&row.id).unwrap_or_default(), keys.remove(&row.id))
        };
        rows.iter().map(registered).collect()
    }

    /// One device, whatever its organization; none when there is none or it is deleted.
    pub async fn registered(&self, id: DeviceId) -> Result<Option<Registered>> {
        const SQL: &str = crate::device::select_devices!("WHERE d.id = $1 AND d.deleted_at IS NULL");
        let mut tx = self.snapshot().await?;
        let row: Option<DeviceRow> =
            within!(&mut tx, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        match row {
            Some(row) => tx.registered(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether there was a device of that id, whatever its organization, and it is deleted.
    pub async fn was_deleted(&self, id: DeviceId) -> Result<bool> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM devices WHERE id = $1 AND deleted_at IS NOT NULL)";
        Ok(on!(self, |db| sqlx::query_scalar(SQL).bind(id.as_uuid()).fetch_one(db).await?))
    }

    /// The devices that changed at `since` or later, none for deleted ones. Transactions may commit in another order
    /// than their times: ask from a few seconds before the last answer.
    pub async fn devices_changed_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(DeviceId, Option<Registered>)>> {
        const SQL: &str =
            crate::device::select_devices!("WHERE d.updated_at >= $1 ORDER BY d.updated_at, d.id");
        let mut tx = self.snapshot().await?;
        let rows: Vec<DeviceRow> =
            within!(&mut tx, |db| sqlx::query_as(SQL).bind(since.0).fetch_all(db).await?);
        let mut changed = Vec::with_capacity(rows.len());
        for row in rows {
            let device = if row.is_deleted() { None } else { Some(tx.registered(&row).await?) };
            changed.push((DeviceId::from_uuid(row.id), device));
        }
        Ok(changed)
    }

    /// Every venue of the installation with what it admits.
    pub async fn venues_admitting(&self) -> Result<Vec<Admits>> {
        const SQL: &str = "SELECT v.id, v.organization, n.admits
            FROM venues v JOIN venue_versions n ON n.venue = v.id AND n.effective_from =
                (SELECT max(effective_from) FROM venue_versions WHERE venue = v.id)
            WHERE v.deleted_at IS NULL ORDER BY v.id";
        let rows: Vec<AdmitsRow> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        let admits = |row: AdmitsRow| Admits {
            venue: VenueId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            admits: row.admits.0,
        };
        Ok(rows.into_iter().map(admits).collect())
    }
}

impl Tx {
    async fn registered(&mut self, row: &DeviceRow) -> Result<Registered> {
        let key = self.sealed_keys(Some(row.id)).await?.pop().map(|(_, key)| key);
        registered(row, self.places(row.id).await?, key)
    }

    async fn places(&mut self, device: Uuid) -> Result<Vec<PlaceRow>> {
        const SQL: &str = "SELECT device, effective_from, venue, zone, position FROM placements
            WHERE device = $1 ORDER BY effective_from";
        Ok(within!(self, |db| sqlx::query_as(SQL).bind(device).fetch_all(db).await?))
    }
}

fn registered(
    row: &DeviceRow,
    places: Vec<PlaceRow>,
    ephemeral_key: Option<SealedKey>,
) -> Result<Registered> {
    let placement = |row: PlaceRow| {
        let at = Timestamp(row.effective_from);
        (at, row.place().placement(at))
    };
    Ok(Registered {
        device: row.read()?,
        secret_hash: row.secret_hash()?,
        ephemeral_key,
        agreed_to_presence: row.agreed.clone(),
        placements: places.into_iter().map(placement).collect(),
    })
}

#[derive(FromRow)]
struct AdmitsRow {
    id: Uuid,
    organization: Uuid,
    admits: Json<Vec<Admission>>,
}
