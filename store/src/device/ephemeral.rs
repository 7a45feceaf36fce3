//! The keys with which the identifiers of beacons and tags change. The key arrives sealed.

use std::fmt;

use protocol::beacon::Rotation;
use protocol::{DeviceId, DeviceKind, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::Tx;
use crate::error::{Result, StoreError};

/// A key to be kept with a device.
#[derive(Clone, PartialEq)]
pub struct NewEphemeral {
    /// The identity key, sealed.
    pub sealed: Vec<u8>,
    /// The same for the same key, and nobody can tell the key from it: one key is one device's.
    pub fingerprint: Vec<u8>,
    /// The identifier changes every 2^this seconds: 0 to 15.
    pub rotation_exponent: u8,
    /// The device's counter of seconds now.
    pub counter: u32,
}

/// The identity key of a device, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey(pub Vec<u8>);

impl fmt::Debug for NewEphemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEphemeral")
            .field("rotation_exponent", &self.rotation_exponent)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl NewEphemeral {
    /// Refuses what no device of that kind can have.
    pub(super) fn check(&self, kind: DeviceKind) -> Result<()> {
        if !kind.transmits() {
            return Err(StoreError::Invalid(
                "ephemeral: a beacon, a tag, a gateway or a kiosk has it".into(),
            ));
        }
        match Rotation::new(self.rotation_exponent, self.counter, Timestamp(0)) {
            Some(_) => Ok(()),
            None => Err(StoreError::Invalid("ephemeral: the rotation exponent is 0 to 15".into())),
        }
    }
}

impl Tx {
    /// Gives a device another key, or takes its key away. A conflict over `ephemeral` when it is another device's.
    pub(super) async fn set_ephemeral(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
        new: Option<&NewEphemeral>,
        now: Timestamp,
    ) -> Result<()> {
        const DELETE: &str = "DELETE FROM ephemeral_keys WHERE device = $1 AND organization = $2";
        const INSERT: &str = "INSERT INTO ephemeral_keys
                (device, organization, key, fingerprint, rotation_exponent, counter, registered_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        within!(self, |db| sqlx::query(DELETE)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        let Some(new) = new else { return Ok(()) };
        within!(self, |db| sqlx::query(INSERT)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .bind(&new.sealed)
            .bind(&new.fingerprint)
            .bind(i64::from(new.rotation_exponent))
            .bind(i64::from(new.counter))
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("ephemeral"))
    }

    /// The sealed keys of one device, or of all.
    pub(crate) async fn sealed_keys(&mut self, device: Option<Uuid>) -> Result<Vec<(Uuid, SealedKey)>> {
        const ONE: &str = "SELECT device, key FROM ephemeral_keys WHERE device = $1";
        const ALL: &str = "SELECT device, key FROM ephemeral_keys";
        let rows: Vec<KeyRow> = match device {
            Some(device) => {
                within!(self, |db| sqlx::query_as(ONE).bind(device).fetch_all(db).await?)
            }
            None => within!(self, |db| sqlx::query_as(ALL).fetch_all(db).await?),
        };
        Ok(rows.into_iter().map(|row| (row.device, SealedKey(row.key))).collect())
    }
}

/// How often the identifier changes, from its columns.
pub(super) fn rotation(columns: Option<(i64, i64, i64)>) -> Result<Option<Rotation>> {
    let Some((exponent, counter, at)) = columns else { return Ok(None) };
    let read = || Rotation::new(exponent.try_into().ok()?, counter.try_into().ok()?, Timestamp(at));
    read().map(Some).ok_or(StoreError::Corrupt("rotation of an identifier"))
}

#[derive(FromRow)]
struct KeyRow {
    device: Uuid,
    key: Vec<u8>,
}
