//! Letting a device in, or not.

use protocol::{DeviceId, EnrolmentId, OrganizationId, Timestamp, VenueId, ZoneId};

use super::{Enrolment, EnrolmentStatus};
use crate::device::{Device, DevicePatch, NewDevice};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::secret::Purpose;
use crate::venue;

/// What is approved can be fetched for so long at least: the device polls every few seconds.
const FETCHED_WITHIN_MS: i64 = 10 * 60_000;

/// What a request is called: by whoever sees the device, or by whoever sees the list of their own organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentName<'a> {
    /// The code that the device shows, as a person typed it.
    Code(&'a str),
    /// Its id.
    Id(EnrolmentId),
}

/// What a device is let in as.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Approval {
    /// Its name for people. With none it is its serial number, or stays the name of what it replaces.
    pub name: Option<String>,
    /// Where it stands; the venue of its claim key unless given.
    pub venue: Option<VenueId>,
    /// The zone; brings its venue.
    pub zone: Option<ZoneId>,
    /// See [`crate::Placement::position`].
    pub position: Option<[f64; 3]>,
    /// The device whose hardware it is from now on, with its place, its history and its twin. The credentials of what was there
    /// before are void.
    pub replaces: Option<DeviceId>,
}

impl Store {
    /// Lets a device in; its credentials are made when it fetches them. Not found when nothing of that name waits; a conflict over
    /// `quota` when its claim key is used up, and over `hardware` when what it is to replace is of another kind or a person's.
    pub async fn approve_enrolment(
        &self,
        organization: OrganizationId,
        name: EnrolmentName<'_>,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<(Enrolment, Device)> {
        let mut tx = self.change(organization).await?;
        let enrolment = tx.enrolment(self, organization, name, now).await?;
        let approved = tx.approve(self, organization, enrolment, approval, now).await?;
        tx.commit().await?;
        Ok(approved)
    }

    /// Refuses a device. Not found when nothing of that name waits for a decision.
    pub async fn deny_enrolment(
        &self,
        organization: OrganizationId,
        name: EnrolmentName<'_>,
        now: Timestamp,
    ) -> Result<Enrolment> {
        let mut tx = self.change(organization).await?;
        let enrolment = tx.enrolment(self, organization, name, now).await?;
        let denied = tx.settle(organization, enrolment, EnrolmentStatus::Denied, now).await?;
        tx.commit().await?;
        Ok(denied)
    }
}

impl Tx {
    /// Makes the device of a request, or gives it that of another.
    pub(super) async fn approve(
        &mut self,
        store: &Store,
        organization: OrganizationId,
        enrolment: Enrolment,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<(Enrolment, Device)> {
        if let Some(key) = enrolment.claim_key
            && !self.use_claim_key(organization, key).await?
        {
            return Err(StoreError::Conflict("quota"));
        }
        self.admit(store, organization, enrolment, approval, now).await
    }

    /// See [`Tx::approve`], of a device that is counted already.
    pub(super) async fn admit(
        &mut self,
        store: &Store,
        organization: OrganizationId,
        enrolment: Enrolment,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<(Enrolment, Device)> {
        const SQL: &str = "UPDATE enrolments SET device = $3 WHERE id = $1 AND organization = $2";
        let mut enrolment = self.settle(organization, enrolment, EnrolmentStatus::Approved, now).await?;
        // Nobody knows it: nobody signs in before the device has fetched its credentials.
        let (_, nobodys) = store.mint(Purpose::Device)?;
        let device = if let Some(replaced) = approval.replaces {
            let name = approval.name.clone();
            self.replace_hardware(organization, replaced, &enrolment, name, &nobodys, now).await?
        } else {
            let new = self.new_device(organization, &enrolment, approval).await?;
            self.make_device(organization, &new, &nobodys, now).await?
        };
        within!(self, |db| sqlx::query(SQL)
            .bind(enrolment.id.as_uuid())
            .bind(organization.as_uuid())
            .bind(device.id.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        enrolment.device = Some(device.id);
        Ok((enrolment, device))
    }

    /// Decides about a request, once: of two organizations that have the code, whoever comes first.
    async fn settle(
        &mut self,
        organization: OrganizationId,
        enrolment: Enrolment,
        status: EnrolmentStatus,
        now: Timestamp,
    ) -> Result<Enrolment> {
        const SQL: &str = "UPDATE enrolments SET status = $4, organization = $2, expires_at = $5
            WHERE id = $1 AND (organization IS NULL OR organization = $2) AND expires_at > $3 AND status = 'pending'";
        let expires_at = enrolment.expires_at.max(now.plus(FETCHED_WITHIN_MS));
        let settled = within!(self, |db| sqlx::query(SQL)
            .bind(enrolment.id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .bind(status.as_str())
            .bind(expires_at.0)
            .execute(db)
            .await?
            .rows_affected());
        if settled == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(Enrolment { organization: Some(organization), status, expires_at, ..enrolment })
    }

    /// What a request becomes.
    async fn new_device(
        &mut self,
        organization: OrganizationId,
        enrolment: &Enrolment,
        approval: &Approval,
    ) -> Result<NewDevice> {
        let name = approval.name.clone().or_else(|| enrolment.serial.clone());
        let name = name.ok_or_else(|| StoreError::Invalid("a device needs a name".into()))?;
        let Approval { mut venue, zone, position, .. } = *approval;
        if let (None, None, Some(key)) = (venue, zone, enrolment.claim_key) {
            venue = self.claim_key(organization, key).await?.venue;
            // The fleet comes in all the same when its venue is gone, and stands nowhere.
            if let Some(gone) = venue {
                match self.venue(organization, gone).await {
                    Err(StoreError::NotFound) => venue = None,
                    found => drop(found?),
                }
            }
        }
        Ok(NewDevice { venue, zone, position, ..NewDevice::new(enrolment.kind, name) })
    }

    /// Gives a device another hardware: everything that the one before signs in with is void, and other hardware that was to become
    /// it and has not fetched its credentials gets none.
    async fn replace_hardware(
        &mut self,
        organization: OrganizationId,
        id: DeviceId,
        enrolment: &Enrolment,
        name: Option<String>,
        nobodys: &[u8; 32],
        now: Timestamp,
    ) -> Result<Device> {
        let device = match self.device(organization, id).await {
            Err(StoreError::NotFound) => {
                return Err(StoreError::Invalid(format!("there is no device {id} to replace")));
            }
            found => found?,
        };
        if device.kind != enrolment.kind || device.owner.is_some() {
            return Err(StoreError::Conflict("hardware"));
        }
        self.touch_device(organization, id, now).await?;
        if let Some(name) = name {
            venue::name(&name)?;
            let patch = DevicePatch { name: Some(name), ..DevicePatch::default() };
            self.update_device(organization, &device, &patch).await?;
        }
        self.set_secret(organization, id, nobodys).await?;
        self.revoke_certificates(organization, id, now).await?;
        self.device(organization, id).await
    }
}
