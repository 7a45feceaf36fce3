//! Devices and their secrets.

mod ephemeral;
mod import;
mod patch;
mod rows;

use protocol::beacon::Rotation;
use protocol::{
    AccountId, ClientId, DeviceId, DeviceKind, Identifier, OrganizationId, Profile, Timestamp, VenueId,
    ZoneId,
};

use crate::command::Command;
use crate::document::{FACTS, WATCH};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::history::EVER;
use crate::page::{Listed, Page};
use crate::placement::{Place, Placement};
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::text;
use crate::venue;

pub use ephemeral::{NewEphemeral, SealedKey};
pub use import::{ImportFault, ImportField, Imported, MAX_IMPORT};
pub(crate) use rows::{DeviceRow, select_devices};

/// Anything with an identity here.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What it is.
    pub kind: DeviceKind,
    /// Whose it is; none where it is the organization's own.
    pub owner: Option<Owner>,
    /// A name for people.
    pub name: String,
    /// What its radio calls itself; unique in the whole installation.
    pub identifier: Option<Identifier>,
    /// How its identifier changes, where it does and the key is known here.
    pub ephemeral: Option<Rotation>,
    /// What it is to people and assistants; none until somebody says.
    pub profile: Option<Profile>,
    /// Its newest placement, which may still be to come; none when it stands nowhere.
    pub placement: Option<Placement>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it, its secret, its certificates or its placement last changed.
    pub updated_at: Timestamp,
}

/// The person whose phone a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The person.
    pub account: AccountId,
    /// The application that registered it for them: the only one that may speak for it.
    pub client: ClientId,
}

/// A device to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDevice {
    /// See [`Device::kind`].
    pub kind: DeviceKind,
    /// See [`Device::name`]: 1 to 200 characters.
    pub name: String,
    /// See [`Device::identifier`].
    pub identifier: Option<Identifier>,
    /// See [`Device::ephemeral`]; only what [transmits](DeviceKind::transmits) has one.
    pub ephemeral: Option<NewEphemeral>,
    /// See [`Device::profile`].
    pub profile: Option<Profile>,
    /// The venue it stands in.
    pub venue: Option<VenueId>,
    /// The zone it stands in; brings its venue when that is none.
    pub zone: Option<ZoneId>,
    /// See [`Placement::position`].
    pub position: Option<[f64; 3]>,
}

/// What to change of a device; what is none stays as it is, an inner none clears.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DevicePatch {
    /// See [`Device::name`].
    pub name: Option<String>,
    /// See [`Device::identifier`].
    pub identifier: Option<Option<Identifier>>,
    /// See [`NewDevice::ephemeral`].
    pub ephemeral: Option<Option<NewEphemeral>>,
    /// See [`Device::profile`].
    pub profile: Option<Option<Profile>>,
    /// Another venue takes zone and position away unless they are given too.
    pub venue: Option<Option<VenueId>>,
    /// The zone.
    pub zone: Option<Option<ZoneId>>,
    /// See [`Placement::position`].
    pub position: Option<Option<[f64; 3]>>,
    /// From when the placement holds, until the next one that is known; none for now.
    pub effective_from: Option<Timestamp>,
}

/// Which devices to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceFilter {
    /// Only those placed in this venue.
    pub venue: Option<VenueId>,
    /// Only those of this kind.
    pub kind: Option<DeviceKind>,
}

impl NewDevice {
    /// A device without identifier or place.
    pub fn new(kind: DeviceKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            identifier: None,
            ephemeral: None,
            profile: None,
            venue: None,
            zone: None,
            position: None,
        }
    }
}

impl Store {
    /// Makes a device; its secret is returned here and never again.
    pub async fn create_device(
        &self,
        organization: OrganizationId,
        new: &NewDevice,
        now: Timestamp,
    ) -> Result<(Device, Secret)> {
        let (secret, hash) = self.mint(Purpose::Device)?;
        let mut tx = self.change(organization).await?;
        let device = tx.make_device(organization, new, &hash, now).await?;
        tx.commit().await?;
        Ok((device, secret))
    }

    /// One device.
    pub async fn device(&self, organization: OrganizationId, id: DeviceId) -> Result<Device> {
        self.snapshot().await?.device(organization, id).await
    }

    /// The devices of an organization.
    pub async fn devices(
        &self,
        organization: OrganizationId,
        filter: DeviceFilter,
        page: Page,
    ) -> Result<Listed<Device>> {
        let devices = self.snapshot().await?.devices(organization, filter, page).await?;
        Ok(Listed::cut(devices, page, |device| device.id.as_uuid()))
    }

    /// Those of some devices that the organization has, in the order they were made.
    pub async fn devices_among(
        &self,
        organization: OrganizationId,
        devices: &[DeviceId],
    ) -> Result<Vec<Device>> {
        let ids: Vec<_> = devices.iter().map(DeviceId::as_uuid).collect();
        self.snapshot().await?.devices_among(organization, &ids).await
    }

    /// Deletes a device: its secret, its certificates and its identifier mean nothing any more, and its twin is gone. The pings that
    /// it reported stay. Answers with the commands that this ended.
    pub async fn delete_device(
        &self,
        organization: OrganizationId,
        id: DeviceId,
        now: Timestamp,
    ) -> Result<Vec<Command>> {
        let mut tx = self.change(organization).await?;
        tx.touch_device(organization, id, now).await?;
        let device = tx.device(organization, id).await?;
        if let Some(placement) = &device.placement {
            let before = if device.kind.is_infrastructure() {
                Some(tx.configuration(organization, placement.venue).await?)
            } else {
                None
            };
            tx.unplace(organization, id, now).await?;
            if let Some(before) = before {
                tx.touch_venue(organization, placement.venue, now).await?;
                tx.reconsider(organization, placement.venue, now, &before.timeline).await?;
            }
        }
        tx.revoke_certificates(organization, id, now).await?;
        tx.delete_document(&FACTS, organization, id).await?;
        tx.delete_document(&WATCH, organization, id).await?;
        tx.set_ephemeral(organization, id, None, now).await?;
        let ended = tx.end_commands_of(organization, id, now).await?;
        tx.delete_twin(organization, id).await?;
        tx.mark_device_deleted(organization, id, now).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Gives a device another secret; the one before is void at once.
    pub async fn rotate_secret(
        &self,
        organization: OrganizationId,
        id: DeviceId,
        now: Timestamp,
    ) -> Result<Secret> {
        let (secret, hash) = self.mint(Purpose::Device)?;
        let mut tx = self.change(organization).await?;
        tx.touch_device(organization, id, now).await?;
        tx.set_secret(organization, id, &hash).await?;
        tx.commit().await?;
        Ok(secret)
    }
}

impl Tx {
    /// Makes a device with its first place.
    pub(crate) async fn make_device(
        &mut self,
        organization: OrganizationId,
        new: &NewDevice,
        secret_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Device> {
        venue::name(&new.name)?;
        check_profile(new.kind, new.profile.as_ref())?;
        let id = DeviceId::new(now, random::bytes()?);
        let mut place = Place { venue: new.venue, zone: new.zone, position: new.position };
        self.check_place(organization, &mut place).await?;
        self.insert_device(organization, id, None, new, secret_hash, now).await?;
        if let Some(venue) = place.venue {
            self.put_place(organization, id, EVER, &place).await?;
            if new.kind.is_infrastructure() {
                self.touch_venue(organization, venue, now).await?;
                self.count_revision(organization, venue).await?;
            }
        }
        self.device(organization, id).await
    }

    /// Gives a device the secret with this hash; the one before is void, and so is one that waits to be fetched.
    pub(crate) async fn set_secret(
        &mut self,
        organization: OrganizationId,
        id: DeviceId,
        secret_hash: &[u8; 32],
    ) -> Result<()> {
        const SQL: &str = "UPDATE devices SET secret_hash = $3 WHERE id = $1 AND organization = $2";
        const WAITING: &str = "UPDATE enrolments SET status = 'denied'
            WHERE device = $1 AND organization = $2 AND status = 'approved'";
        within!(self, |db| sqlx::query(WAITING)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(secret_hash.as_slice())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

/// Refuses a profile that describes no device of that kind.
fn check_profile(kind: DeviceKind, profile: Option<&Profile>) -> Result<()> {
    let Some(profile) = profile else { return Ok(()) };
    text::check_json(&serde_json::to_value(profile).unwrap_or_default())?;
    profile.check_of(kind).map_err(|fault| StoreError::Invalid(format!("profile{fault}")))
}

/// The identifier is taken by another device of the installation.
fn taken(error: sqlx::Error) -> StoreError {
    StoreError::unique("identifier")(error)
}
