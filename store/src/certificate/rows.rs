//! The statements behind certificates.

use protocol::{DeviceId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Certificate, MAX_CERTIFICATES, NewCertificate, Replayed};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

macro_rules! select_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT fingerprint, organization, device, serial, not_before, not_after, issued_at, revoked_at, renewed_with,
                replays, last_replayed_at, last_replayed_from
            FROM certificates ",
            $rest
        )
    };
}
pub(super) use select_certificates;

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
                (fingerprint, organization, device, serial, not_before, not_after, issued_at, key_hash, renewed_with)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        new.check()?;
        if self.is_key_of_another(device, &new.key, now).await? {
            return Err(StoreError::Conflict("key"));
        }
        if let Some(before) = &new.renewed_with
            && !self.is_good_certificate(organization, device, before, now).await?
        {
            return Err(StoreError::NotFound);
        }
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
            .bind(new.key.as_slice())
            .bind(new.renewed_with.as_ref().map(<[u8; 32]>::as_slice))
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("fingerprint"))?;
        let NewCertificate { fingerprint, serial, not_before, not_after, renewed_with, .. } = new.clone();
        Ok(Certificate {
            fingerprint,
            organization,
            device,
            serial,
            not_before,
            not_after,
            issued_at: now,
            revoked_at: None,
            renewed_with,
            replayed: None,
        })
    }

    /// Whether another device signs in with the key.
    async fn is_key_of_another(&mut self, device: DeviceId, key: &[u8; 32], now: Timestamp) -> Result<bool> {
        const SQL: &str = "SELECT count(*) FROM certificates
            WHERE key_hash = $1 AND device <> $2 AND revoked_at IS NULL AND not_after >= $3";
        let others: i64 = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(key.as_slice())
            .bind(device.as_uuid())
            .bind(now.0)
            .fetch_one(db)
            .await?);
        Ok(others > 0)
    }

    /// Whether a device signs in with a certificate.
    async fn is_good_certificate(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "SELECT count(*) FROM certificates
            WHERE fingerprint = $1 AND device = $2 AND organization = $3 AND revoked_at IS NULL AND not_after >= $4";
        let found: i64 = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(fingerprint.as_slice())
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .fetch_one(db)
            .await?);
        Ok(found > 0)
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

#[derive(FromRow)]
pub(super) struct CertificateRow {
    fingerprint: Vec<u8>,
    organization: Uuid,
    device: Uuid,
    serial: String,
    not_before: i64,
    not_after: i64,
    issued_at: i64,
    revoked_at: Option<i64>,
    renewed_with: Option<Vec<u8>>,
    replays: i64,
    last_replayed_at: Option<i64>,
    last_replayed_from: Option<String>,
}

impl TryFrom<CertificateRow> for Certificate {
    type Error = StoreError;

    fn try_from(row: CertificateRow) -> Result<Self> {
        let fingerprint = |bytes: Vec<u8>| bytes.try_into().map_err(|_| StoreError::Corrupt("fingerprint"));
        let replayed = row.last_replayed_at.map(|last_at| Replayed {
            count: row.replays as u64,
            last_at: Timestamp(last_at),
            last_from: row.last_replayed_from,
        });
        Ok(Self {
            fingerprint: fingerprint(row.fingerprint)?,
            organization: OrganizationId::from_uuid(row.organization),
            device: DeviceId::from_uuid(row.device),
            serial: row.serial,
            not_before: Timestamp(row.not_before),
            not_after: Timestamp(row.not_after),
            issued_at: Timestamp(row.issued_at),
            revoked_at: row.revoked_at.map(Timestamp),
            renewed_with: row.renewed_with.map(fingerprint).transpose()?,
            replayed,
        })
    }
}
