//! The certificates that devices sign in with.

use protocol::{DeviceId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

/// Certificates that a device may have at a time, beside those that ran out or were revoked: far more than it takes to
/// replace one by the next.
pub const MAX_CERTIFICATES: usize = 100;

/// A certificate that was issued to a device; the certificate itself is with the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER form.
    pub fingerprint: [u8; 32],
    /// The device's organization.
    pub organization: OrganizationId,
    /// Whose it is.
    pub device: DeviceId,
    /// Its serial number, as whoever issued it writes it.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid, that moment included (RFC 5280 section 4.1.2.5).
    pub not_after: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it was revoked; none while it is not.
    pub revoked_at: Option<Timestamp>,
}

/// A certificate to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// See [`Certificate::fingerprint`].
    pub fingerprint: [u8; 32],
    /// See [`Certificate::serial`]: 1 to 100 characters.
    pub serial: String,
    /// See [`Certificate::not_before`].
    pub not_before: Timestamp,
    /// See [`Certificate::not_after`]: not before `not_before`.
    pub not_after: Timestamp,
}

macro_rules! select_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT fingerprint, organization, device, serial, not_before, not_after, issued_at, revoked_at
            FROM certificates ",
            $rest
        )
    };
}

impl Store {
    /// Keeps a certificate of a device; the others it has stay valid. A conflict over `fingerprint` when it is kept already,
    /// and over `certificates` when the device has [`MAX_CERTIFICATES`].
    pub async fn issue_certificate(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<Certificate> {
        let mut tx = self.change(organization).await?;
        tx.touch_device(organization, device, now).await?;
        let certificate = tx.insert_certificate(organization, device, new, now).await?;
        tx.commit().await?;
        Ok(certificate)
    }

    /// The certificates of a device in the order of issue, those that ran out or were revoked included.
    pub async fn certificates(
        &self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Vec<Certificate>> {
        const SQL: &str =
            select_certificates!("WHERE device = $1 AND organization = $2 ORDER BY issued_at, fingerprint");
        let rows: Vec<CertificateRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        rows.into_iter().map(Certificate::try_from).collect()
    }

    /// The certificate with this fingerprint, whatever its organization and also when it ran out or was revoked; none when
    /// it is not kept. For sign-in, which says why it refuses.
    pub async fn certificate(&self, fingerprint: &[u8; 32]) -> Result<Option<Certificate>> {
        const SQL: &str = select_certificates!("WHERE fingerprint = $1");
        let row: Option<CertificateRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(fingerprint.as_slice()).fetch_optional(db).await?);
        row.map(Certificate::try_from).transpose()
    }

    /// Revokes a certificate, for good. One that is revoked already keeps the time when it was.
    pub async fn revoke_certificate(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE certificates SET revoked_at = coalesce(revoked_at, $4)
            WHERE fingerprint = $1 AND device = $2 AND organization = $3";
        let mut tx = self.change(organization).await?;
        let found = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(fingerprint.as_slice())
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await?
            .rows_affected());
        if found == 0 {
            return Err(StoreError::NotFound);
        }
        match tx.touch_device(organization, device, now).await {
            // The certificates of a deleted device were revoked with it.
            Err(StoreError::NotFound) => {}
            touched => touched?,
        }
        tx.commit().await
    }
}

impl Tx {
    /// See [`Store::issue_certificate`].
    pub(crate) async fn insert_certificate(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<Certificate> {
        const SQL: &str = "INSERT INTO certificates
                (fingerprint, organization, device, serial, not_before, not_after, issued_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        new.check()?;
        if self.count_certificates(organization, device, now).await? >= MAX_CERTIFICATES as i64 {
            return Err(StoreError::Conflict("certificates"));
        }
        within!(self, |db| sqlx::query(SQL)
            .bind(new.fingerprint.as_slice())
            .bind(organization.as_uuid())
            .bind(device.as_uuid())
            .bind(&new.serial)
            .bind(new.not_before.0)
            .bind(new.not_after.0)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("fingerprint"))?;
        let NewCertificate { fingerprint, serial, not_before, not_after } = new.clone();
        let (issued_at, revoked_at) = (now, None);
        Ok(Certificate {
            fingerprint,
            organization,
            device,
            serial,
            not_before,
            not_after,
            issued_at,
            revoked_at,
        })
    }

    /// How many certificates of a device are neither revoked nor over.
    async fn count_certificates(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<i64> {
        const SQL: &str = "SELECT count(*) FROM certificates
            WHERE device = $1 AND organization = $2 AND revoked_at IS NULL AND not_after >= $3";
        Ok(within!(self, |db| sqlx::query_scalar(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .fetch_one(db)
            .await?))
    }

    /// Revokes every certificate of a device.
    pub(crate) async fn revoke_certificates(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE certificates SET revoked_at = $3
            WHERE device = $1 AND organization = $2 AND revoked_at IS NULL";
        within!(self, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

impl NewCertificate {
    fn check(&self) -> Result<()> {
        if !(1..=100).contains(&self.serial.chars().count()) || self.serial.contains('\0') {
            return Err(StoreError::Invalid("a serial number has 1 to 100 characters".into()));
        }
        if self.not_after < self.not_before {
            return Err(StoreError::Invalid("the certificate ends before it begins".into()));
        }
        Ok(())
    }
}

#[derive(FromRow)]
struct CertificateRow {
    fingerprint: Vec<u8>,
    organization: Uuid,
    device: Uuid,
    serial: String,
    not_before: i64,
    not_after: i64,
    issued_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<CertificateRow> for Certificate {
    type Error = StoreError;

    fn try_from(row: CertificateRow) -> Result<Self> {
        Ok(Self {
            fingerprint: row.fingerprint.try_into().map_err(|_| StoreError::Corrupt("fingerprint"))?,
            organization: OrganizationId::from_uuid(row.organization),
            device: DeviceId::from_uuid(row.device),
            serial: row.serial,
            not_before: Timestamp(row.not_before),
            not_after: Timestamp(row.not_after),
            issued_at: Timestamp(row.issued_at),
            revoked_at: row.revoked_at.map(Timestamp),
        })
    }
}
