//! Phones: devices that people register for themselves. Nobody is told a secret of theirs, they sign in with access tokens of
//! their person.

use protocol::{AccountId, DeviceId, DeviceKind, OrganizationId, Timestamp};

use crate::device::{Device, DeviceRow, NewDevice, Owner, select_devices};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;
use crate::secret::Purpose;
use crate::venue;

/// Phones that an account may have, in all organizations together.
pub const MAX_PHONES: usize = 50;

impl Store {
    /// Registers a phone of a person in the organization whose application they use. Not found when the organization has no
    /// such application. A conflict over `phones` when there are
    /// [`MAX_PHONES`].
    pub async fn register_phone(
        &self,
        organization: OrganizationId,
        owner: Owner,
        name: &str,
        now: Timestamp,
    ) -> Result<Device> {
        venue::name(name)?;
        let id = DeviceId::new(now, random::bytes()?);
        // A secret that nobody knows.
        let (_, hash) = self.mint(Purpose::Device)?;
        let new = NewDevice::new(DeviceKind::Phone, name);
        let mut tx = self.change(organization).await?;
        tx.lock_client(organization, owner.client).await?;
        // One registration of a person after the other, so that the count holds.
        tx.lock_account(owner.account).await?;
        if tx.phones(owner.account).await?.len() >= MAX_PHONES {
            return Err(StoreError::Conflict("phones"));
        }
        tx.insert_device(organization, id, Some(owner), &new, &hash, now).await?;
        let device = tx.device(organization, id).await?;
        tx.commit().await?;
        Ok(device)
    }

    /// The phones of a person in all organizations, in the order they were registered.
    pub async fn phones(&self, account: AccountId) -> Result<Vec<Device>> {
        self.snapshot().await?.phones(account).await
    }

    /// A phone of a person, whatever its organization.
    pub async fn phone(&self, account: AccountId, id: DeviceId) -> Result<Device> {
        let phones = self.phones(account).await?;
        phones.into_iter().find(|phone| phone.id == id).ok_or(StoreError::NotFound)
    }
}

impl Tx {
    async fn phones(&mut self, account: AccountId) -> Result<Vec<Device>> {
        const SQL: &str = select_devices!("WHERE d.account = $1 AND d.deleted_at IS NULL ORDER BY d.id");
        let rows: Vec<DeviceRow> =
            within!(self, |db| sqlx::query_as(SQL).bind(account.as_uuid()).fetch_all(db).await?);
        rows.iter().map(DeviceRow::read).collect()
    }

    /// Tells pollers that something of the phones of a person changed.
    pub(crate) async fn touch_phones(&mut self, account: AccountId, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE devices SET updated_at = $2 WHERE account = $1 AND deleted_at IS NULL";
        within!(self, |db| sqlx::query(SQL).bind(account.as_uuid()).bind(now.0).execute(db).await.map(drop))?;
        Ok(())
    }
}
