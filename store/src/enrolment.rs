//! Devices without credentials that ask to come in, and wait until somebody, or a claim key, lets them.
//!
//! The shape is the device grant's (RFC 8628): a secret to poll with, a short code for a person. Without a claim key a request
//! is of no organization until somebody decides who has the code in front of them; that is what tells one's own device from a
//! stranger's.

mod decide;
mod poll;
mod rows;

use protocol::{ClaimKeyId, DeviceId, DeviceKind, EnrolmentId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::claim_key::{ClaimApproval, ClaimKey, ClaimRefusal, LastRefusal};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;
use crate::secret::{Purpose, Secret};
use crate::text;
use crate::typed::{TypedCode, TypedPurpose};

pub use decide::{Approval, EnrolmentName};
pub use poll::{Collectable, EnrolmentPoll};

/// Requests without a claim key that may wait in the whole installation: each is a row that anybody can make.
pub const MAX_STRANGERS: u32 = 1_000;
/// Requests that may wait for a person with one claim key.
const MAX_CLAIMED: u32 = 1_000;

words! {
    /// How far a request is.
    pub enum EnrolmentStatus {
        /// Nobody has said anything.
        Pending = "pending",
        /// It may come in, and has not fetched its credentials yet.
        Approved = "approved",
        /// Somebody refused.
        Denied = "denied",
        /// It has its credentials.
        Used = "used",
    }
}

/// A device that asks to come in. What it says of itself nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// Where it comes in; none until somebody decides about one without a claim key.
    pub organization: Option<OrganizationId>,
    /// What it asked with.
    pub claim_key: Option<ClaimKeyId>,
    /// What it says that it is.
    pub kind: DeviceKind,
    /// Its serial number.
    pub serial: Option<String>,
    /// What it is sold as.
    pub model: Option<String>,
    /// Whether it wants a certificate and not a secret.
    pub wants_certificate: bool,
    /// Where the request came from.
    pub address: Option<String>,
    /// How far it is.
    pub status: EnrolmentStatus,
    /// What it became; none while nobody has approved.
    pub device: Option<DeviceId>,
    /// When it asked.
    pub created_at: Timestamp,
    /// From when on it is over.
    pub expires_at: Timestamp,
}

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEnrolment {
    /// See [`Enrolment::kind`].
    pub kind: DeviceKind,
    /// See [`Enrolment::serial`]: 1 to 100 characters.
    pub serial: Option<String>,
    /// See [`Enrolment::model`]: 1 to 100 characters.
    pub model: Option<String>,
    /// The request to sign, as PEM; a device without one gets a secret.
    pub csr: Option<String>,
    /// See [`Enrolment::address`].
    pub address: Option<String>,
    /// See [`Enrolment::expires_at`].
    pub expires_at: Timestamp,
    /// It may poll every so many seconds.
    pub interval_s: u32,
}

/// The codes of a request: what the device polls with, and what a person types.
#[derive(Debug, Clone)]
pub struct EnrolmentCodes {
    /// What the device polls with.
    pub device_code: Secret,
    /// What a person types.
    pub user_code: TypedCode,
    /// The request.
    pub enrolment: Enrolment,
}

impl Store {
    /// Makes a request without a claim key; its codes are returned here and never again. Full of `enrolments` when
    /// [`MAX_STRANGERS`] wait.
    pub async fn begin_enrolment(&self, new: &NewEnrolment, now: Timestamp) -> Result<EnrolmentCodes> {
        const SQL: &str = "SELECT count(*) FROM enrolments WHERE organization IS NULL AND status = 'pending' AND expires_at > $1";
        new.check()?;
        let mut tx = self.begin().await?;
        let waiting: i64 = within!(&mut tx, |db| sqlx::query_scalar(SQL).bind(now.0).fetch_one(db).await?);
        if waiting >= i64::from(MAX_STRANGERS) {
            return Err(StoreError::Full("enrolments"));
        }
        let codes = tx.insert_enrolment(self, None, new, now).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Makes a request with a claim key. Where the key approves by itself, the device is made at once and its credentials wait
    /// to be fetched; a device that asks again before it fetched them is not counted again. The inner error is the key's own refusal,
    /// which is counted with it.
    pub async fn claim_enrolment(
        &self,
        presented: &str,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<Result<EnrolmentCodes, ClaimRefusal>> {
        new.check()?;
        let Some((organization, id)) = self.claim_key_owner(presented).await? else {
            return Ok(Err(ClaimRefusal::Unknown));
        };
        // Changes of an organization come one after the other, and so do the uses of its keys.
        let mut tx = self.change(organization).await?;
        let key = tx.claim_key(organization, id).await?;
        let earlier = match key.approval {
            ClaimApproval::Automatic => tx.uncollected(&key, new, now).await?,
            // Somebody approved one device, and not whatever says the same serial number after it.
            ClaimApproval::Manual => None,
        };
        match key.refusal(new.kind, now) {
            // It has its place already.
            Some(ClaimRefusal::UsedUp) if earlier.is_some() => {}
            Some(why) => {
                let refusal = LastRefusal { why, at: now, address: new.address.clone() };
                tx.refuse_claim_key(organization, id, &refusal).await?;
                tx.commit().await?;
                return Ok(Err(why));
            }
            None => {}
        }
        if key.approval == ClaimApproval::Manual {
            tx.make_way(&key, new, now).await?;
        }
        let mut codes = tx.insert_enrolment(self, Some(&key), new, now).await?;
        if let Some(earlier) = earlier {
            let approval = Approval { replaces: Some(earlier), ..Approval::default() };
            codes.enrolment = tx.admit(self, organization, codes.enrolment, &approval, now).await?.0;
        } else if key.approval == ClaimApproval::Automatic {
            let name =
                new.serial.clone().unwrap_or_else(|| format!("{} {}", new.kind, codes.user_code.text()));
            let approval = Approval { name: Some(name), ..Approval::default() };
            codes.enrolment = tx.approve(self, organization, codes.enrolment, &approval, now).await?.0;
        }
        tx.commit().await?;
        Ok(Ok(codes))
    }
}

impl NewEnrolment {
    fn check(&self) -> Result<()> {
        for (what, given) in [("a serial number", &self.serial), ("a model", &self.model)] {
            if let Some(given) = given {
                text::check(what, given, 100)?;
            }
        }
        text::check_optional("a certificate signing request", self.csr.as_deref(), 16_384)?;
        text::check_optional("an address", self.address.as_deref(), 100)
    }
}

impl Tx {
    /// A device that was switched off and on asks anew: what it asked before no longer waits. Full of `enrolments` when too many
    /// others do.
    async fn make_way(&mut self, key: &ClaimKey, new: &NewEnrolment, now: Timestamp) -> Result<()> {
        const AGAIN: &str = "UPDATE enrolments SET status = 'denied'
            WHERE claim_key = $1 AND organization = $2 AND serial = $3 AND status = 'pending'";
        const WAITING: &str = "SELECT count(*) FROM enrolments
            WHERE claim_key = $1 AND organization = $2 AND status = 'pending' AND expires_at > $3";
        let (id, organization) = (key.id.as_uuid(), key.organization.as_uuid());
        within!(self, |db| sqlx::query(AGAIN)
            .bind(id)
            .bind(organization)
            .bind(&new.serial)
            .execute(db)
            .await
            .map(drop))?;
        let waiting: i64 = within!(self, |db| sqlx::query_scalar(WAITING)
            .bind(id)
            .bind(organization)
            .bind(now.0)
            .fetch_one(db)
            .await?);
        if waiting >= i64::from(MAX_CLAIMED) { Err(StoreError::Full("enrolments")) } else { Ok(()) }
    }

    /// What a device with a serial number became that was switched off before it fetched its credentials: it is that device still,
    /// and a fleet that restarts for ever uses up no quota.
    async fn uncollected(
        &mut self,
        key: &ClaimKey,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<Option<DeviceId>> {
        const SQL: &str = "SELECT e.device FROM enrolments e JOIN devices d ON d.id = e.device
            WHERE e.claim_key = $1 AND e.organization = $2 AND e.serial = $3 AND e.kind = $4 AND e.status = 'approved'
                AND e.expires_at > $5 AND d.deleted_at IS NULL
            ORDER BY e.id DESC LIMIT 1";
        let found: Option<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(key.id.as_uuid())
            .bind(key.organization.as_uuid())
            .bind(&new.serial)
            .bind(new.kind.as_str())
            .bind(now.0)
            .fetch_optional(db)
            .await?);
        Ok(found.map(DeviceId::from_uuid))
    }

    async fn insert_enrolment(
        &mut self,
        store: &Store,
        key: Option<&ClaimKey>,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<EnrolmentCodes> {
        const SQL: &str =
            "INSERT INTO enrolments (id, hash, user_code_hash, organization, claim_key, kind, serial, model,
                csr, address, created_at, expires_at, interval_s, status)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let id = EnrolmentId::new(now, random::bytes()?);
        let (device_code, hash) = store.mint(Purpose::Enrolment)?;
        // Of 25 thousand million codes one that is taken is hardly ever met, and is a conflict then.
        let user_code = TypedCode::generate(TypedPurpose::Enrolment)?;
        let user_hash = user_code.hash(store);
        let enrolment = Enrolment {
            id,
            organization: key.map(|key| key.organization),
            claim_key: key.map(|key| key.id),
            kind: new.kind,
            serial: new.serial.clone(),
            model: new.model.clone(),
            wants_certificate: new.csr.is_some(),
            address: new.address.clone(),
            status: EnrolmentStatus::Pending,
            device: None,
            created_at: now,
            expires_at: new.expires_at,
        };
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(hash.as_slice())
            .bind(user_hash.as_slice())
            .bind(enrolment.organization.map(|organization| organization.as_uuid()))
            .bind(enrolment.claim_key.map(|key| key.as_uuid()))
            .bind(new.kind.as_str())
            .bind(&new.serial)
            .bind(&new.model)
            .bind(&new.csr)
            .bind(&new.address)
            .bind(now.0)
            .bind(new.expires_at.0)
            .bind(i64::from(new.interval_s))
            .bind(enrolment.status.as_str())
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("user code"))?;
        Ok(EnrolmentCodes { device_code, user_code, enrolment })
    }
}
