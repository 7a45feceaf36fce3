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

/// How many phones of a person, removed ones included, are looked at in one go.
pub const PHONES_AT_ONCE: u32 = 500;

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

    /// The phones of a person in all organizations, newest first and at most [`PHONES_AT_ONCE`], each with whether it is there still:
    /// those that were removed had pseudonyms too.
    pub async fn phones_ever(&self, account: AccountId) -> Result<Vec<(Device, bool)>> {
        const SQL: &str = select_devices!("WHERE d.account = $1 ORDER BY d.id DESC LIMIT $2");
        let rows: Vec<DeviceRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(account.as_uuid())
            .bind(i64::from(PHONES_AT_ONCE))
            .fetch_all(db)
            .await?);
        rows.iter().map(|row| Ok((row.read()?, !row.is_deleted()))).collect()
    }

    /// Makes the removed phones of a person nobody's whose ids lie in a range, under a name that says nothing; answers how many.
    pub async fn disown_phones(
        &self,
        account: AccountId,
        (first, last): (DeviceId, DeviceId),
        now: Timestamp,
    ) -> Result<u64> {
        const SQL: &str = "UPDATE devices SET account = NULL, client = NULL, name = 'erased', updated_at = $2
            WHERE account = $1 AND deleted_at IS NOT NULL AND id >= $3 AND id <= $4";
        let mut tx = self.begin().await?;
        let disowned = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(account.as_uuid())
            .bind(now.0)
            .bind(first.as_uuid())
            .bind(last.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(disowned)
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
