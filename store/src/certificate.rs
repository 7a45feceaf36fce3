//! The certificates that devices sign in with.

mod rows;

use protocol::{DeviceId, OrganizationId, Timestamp};

use crate::engine::Store;
use crate::error::{Result, StoreError};

use rows::{CertificateRow, select_certificates};

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
    /// The certificate whose connection asked for this one; none where it was not asked for so.
    pub renewed_with: Option<[u8; 32]>,
    /// Who asked to come in with its key, which is taken; none while nobody did.
    pub replayed: Option<Replayed>,
}

/// Requests to come in that were for the key of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// How many.
    pub count: u64,
    /// When the last one came.
    pub last_at: Timestamp,
    /// From which address.
    pub last_from: Option<String>,
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
    /// SHA-256 of the `SubjectPublicKeyInfo` that it is for (RFC 5280 section 4.1.2.7), in DER.
    pub key: [u8; 32],
    /// See [`Certificate::renewed_with`].
    pub renewed_with: Option<[u8; 32]>,
}

impl Store {
    /// Keeps a certificate of a device; the others it has stay valid. A conflict over `fingerprint` when it is kept already,
    /// over `key` when another device signs in with that key, and over `certificates` when the device has [`MAX_CERTIFICATES`].
    /// Not found also when what it is renewed with is no good certificate of the device.
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

    /// Whether a device signs in with a key, which nobody else may come in with then. If so, the try is noted.
    pub async fn note_replay(&self, key: &[u8; 32], address: Option<&str>, now: Timestamp) -> Result<bool> {
        const SQL: &str = "UPDATE certificates
            SET replays = replays + 1, last_replayed_at = $2, last_replayed_from = $3
            WHERE key_hash = $1 AND revoked_at IS NULL AND not_after >= $2";
        let mut tx = self.begin().await?;
        let noted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(key.as_slice())
            .bind(now.0)
            .bind(address)
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(noted > 0)
    }

    /// Revokes a certificate, for good, and all that were renewed with it: whoever stole it may have asked for the next one. One
    /// that is revoked already keeps the time when it was.
    pub async fn revoke_certificate(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "WITH RECURSIVE line (fingerprint) AS (
                SELECT fingerprint FROM certificates WHERE fingerprint = $1 AND device = $2 AND organization = $3
                UNION
                SELECT c.fingerprint FROM certificates c JOIN line ON c.renewed_with = line.fingerprint)
            UPDATE certificates SET revoked_at = coalesce(revoked_at, $4)
            WHERE device = $2 AND organization = $3 AND fingerprint IN (SELECT fingerprint FROM line)";
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
