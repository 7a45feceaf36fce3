//! Claim keys: what a fleet's devices carry in their image to come in with.

mod rows;

use protocol::{ClaimKeyId, DeviceKind, OrganizationId, Timestamp, VenueId};
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::placement::Place;
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::venue;

use rows::{ClaimKeyRow, select_claim_keys};

/// The most devices that one claim key lets in.
pub const MAX_QUOTA: u32 = 100_000;

words! {
    /// Who says that a device with a claim key comes in.
    pub enum ClaimApproval {
        /// The key itself.
        Automatic = "automatic",
        /// A person, each time.
        Manual = "manual",
    }
}

words! {
    /// Why a claim key lets a device not even wait, or nobody decide about one. The words are for ever: devices rely on them.
    pub enum ClaimRefusal {
        /// Nobody made such a key.
        Unknown = "unknown",
        /// It is over.
        Expired = "expired",
        /// Somebody took it back.
        Revoked = "revoked",
        /// As many came in with it as may.
        UsedUp = "used_up",
        /// It is for devices of another kind.
        WrongKind = "wrong_kind",
        /// Somebody of another organization looked for a device that came with it. The device waits on.
        WrongOrganization = "wrong_organization",
    }
}

/// What is known of a claim key; its secret is known only to whoever made it, and to the devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimKey {
    /// Its id, which is no secret.
    pub id: ClaimKeyId,
    /// Whose devices come in with it.
    pub organization: OrganizationId,
    /// A name for people.
    pub name: String,
    /// What the devices are.
    pub kind: DeviceKind,
    /// Where they stand unless somebody says otherwise; none for nowhere.
    pub venue: Option<VenueId>,
    /// Who lets them in.
    pub approval: ClaimApproval,
    /// How many it lets in.
    pub quota: u32,
    /// How many it has let in, those included that took the place of others.
    pub used: u32,
    /// How often it was refused.
    pub refused: u64,
    /// The last time that it was refused.
    pub last_refusal: Option<LastRefusal>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is over; none for never.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// A refusal of a claim key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRefusal {
    /// Why.
    pub why: ClaimRefusal,
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub address: Option<String>,
}

/// A claim key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClaimKey {
    /// See [`ClaimKey::name`]: 1 to 200 characters.
    pub name: String,
    /// See [`ClaimKey::kind`].
    pub kind: DeviceKind,
    /// See [`ClaimKey::venue`].
    pub venue: Option<VenueId>,
    /// See [`ClaimKey::approval`].
    pub approval: ClaimApproval,
    /// See [`ClaimKey::quota`]: 1 to [`MAX_QUOTA`].
    pub quota: u32,
    /// See [`ClaimKey::expires_at`].
    pub expires_at: Option<Timestamp>,
}

/// What to change of a claim key; what is none stays as it is, an inner none clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimKeyPatch {
    /// See [`ClaimKey::name`].
    pub name: Option<String>,
    /// See [`ClaimKey::quota`]. Below [`ClaimKey::used`] it lets nobody in any more.
    pub quota: Option<u32>,
    /// See [`ClaimKey::expires_at`].
    pub expires_at: Option<Option<Timestamp>>,
}

impl ClaimKey {
    /// Why a device of this kind may not ask with it; none when it may.
    pub fn refusal(&self, kind: DeviceKind, now: Timestamp) -> Option<ClaimRefusal> {
        if self.revoked_at.is_some() {
            Some(ClaimRefusal::Revoked)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Some(ClaimRefusal::Expired)
        } else if self.kind != kind {
            Some(ClaimRefusal::WrongKind)
        } else if self.used >= self.quota {
            Some(ClaimRefusal::UsedUp)
        } else {
            None
        }
    }
}

impl Store {
    /// Makes a claim key; its secret is returned here and never again.
    pub async fn create_claim_key(
        &self,
        organization: OrganizationId,
        new: &NewClaimKey,
        now: Timestamp,
    ) -> Result<(ClaimKey, Secret)> {
        const SQL: &str = "INSERT INTO claim_keys
                (id, organization, hash, name, kind, venue, approval, quota, used, refused, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10)";
        venue::name(&new.name)?;
        check_quota(new.quota)?;
        let id = ClaimKeyId::new(now, random::bytes()?);
        let (secret, hash) = self.mint(Purpose::ClaimKey)?;
        let mut tx = self.change(organization).await?;
        tx.check_place(organization, &mut Place { venue: new.venue, ..Place::default() }).await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(hash.as_slice())
            .bind(&new.name)
            .bind(new.kind.as_str())
            .bind(new.venue.map(|venue| venue.as_uuid()))
            .bind(new.approval.as_str())
            .bind(i64::from(new.quota))
            .bind(now.0)
            .bind(new.expires_at.map(|at| at.0))
            .execute(db)
            .await
            .map(drop))?;
        let key = tx.claim_key(organization, id).await?;
        tx.commit().await?;
        Ok((key, secret))
    }

    /// The claim keys of an organization in the order they were made, those that are over or taken back too.
    pub async fn claim_keys(&self, organization: OrganizationId, page: Page) -> Result<Listed<ClaimKey>> {
        const SQL: &str = select_claim_keys!("WHERE organization = $1 AND id > $2 ORDER BY id LIMIT $3");
        let rows: Vec<ClaimKeyRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        let keys = rows.into_iter().map(ClaimKey::try_from).collect::<Result<_>>()?;
        Ok(Listed::cut(keys, page, |key: &ClaimKey| key.id.as_uuid()))
    }

    /// One claim key, also when it is over or was taken back.
    pub async fn claim_key(&self, organization: OrganizationId, id: ClaimKeyId) -> Result<ClaimKey> {
        self.snapshot().await?.claim_key(organization, id).await
    }

    /// One claim key, whatever its organization; none when there is none. For whoever has the data directory.
    pub async fn any_claim_key(&self, id: ClaimKeyId) -> Result<Option<ClaimKey>> {
        const SQL: &str = select_claim_keys!("WHERE id = $1");
        let row: Option<ClaimKeyRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        row.map(ClaimKey::try_from).transpose()
    }

    /// Changes a claim key. Not found also when it was taken back: that is for good.
    pub async fn patch_claim_key(
        &self,
        organization: OrganizationId,
        id: ClaimKeyId,
        patch: &ClaimKeyPatch,
    ) -> Result<ClaimKey> {
        const SQL: &str = "UPDATE claim_keys SET name = $3, quota = $4, expires_at = $5
            WHERE id = $1 AND organization = $2 AND revoked_at IS NULL";
        let mut tx = self.change(organization).await?;
        let key = tx.claim_key(organization, id).await?;
        let (name, quota) = (patch.name.as_ref().unwrap_or(&key.name), patch.quota.unwrap_or(key.quota));
        venue::name(name)?;
        check_quota(quota)?;
        let expires_at = patch.expires_at.unwrap_or(key.expires_at);
        let changed = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(name)
            .bind(i64::from(quota))
            .bind(expires_at.map(|at| at.0))
            .execute(db)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        let key = tx.claim_key(organization, id).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Takes a claim key back, for good: nobody asks with it any more. What came in with it stays. Not found also when it was
    /// taken back before.
    pub async fn revoke_claim_key(
        &self,
        organization: OrganizationId,
        id: ClaimKeyId,
        now: Timestamp,
    ) -> Result<ClaimKey> {
        const SQL: &str = "UPDATE claim_keys SET revoked_at = $3
            WHERE id = $1 AND organization = $2 AND revoked_at IS NULL";
        // Whoever asked with it and waits is not let in by mistake.
        const WAITING: &str = "UPDATE enrolments SET status = 'denied'
            WHERE claim_key = $1 AND organization = $2 AND status = 'pending'";
        let mut tx = self.change(organization).await?;
        let revoked = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if revoked == 0 {
            return Err(StoreError::NotFound);
        }
        within!(&mut tx, |db| sqlx::query(WAITING)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        let key = tx.claim_key(organization, id).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Whose the claim key is that was presented, and which it is.
    pub(crate) async fn claim_key_owner(
        &self,
        presented: &str,
    ) -> Result<Option<(OrganizationId, ClaimKeyId)>> {
        const SQL: &str = "SELECT organization, id FROM claim_keys WHERE hash = $1";
        let Some(hash) = self.hashed(Purpose::ClaimKey, presented) else { return Ok(None) };
        let row: Option<(Uuid, Uuid)> =
            on!(self, |db| sqlx::query_as(SQL).bind(hash.as_slice()).fetch_optional(db).await?);
        Ok(row.map(|(owner, id)| (OrganizationId::from_uuid(owner), ClaimKeyId::from_uuid(id))))
    }
}

fn check_quota(quota: u32) -> Result<()> {
    if (1..=MAX_QUOTA).contains(&quota) {
        Ok(())
    } else {
        Err(StoreError::Invalid(format!("a quota is 1 to {MAX_QUOTA}")))
    }
}
