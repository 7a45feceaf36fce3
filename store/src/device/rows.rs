//! The statements behind devices.

use protocol::{AccountId, ClientId, DeviceId, OrganizationId, Profile, Timestamp, VenueId, ZoneId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Device, DeviceFilter, DevicePatch, NewDevice, Owner, ephemeral, taken};
use crate::command::rows::hex_list;
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::page::Page;
use crate::placement::Place;

/// Devices with their newest placement, and what the person of a phone last agreed to (`crate::consent::PRESENCE`).
macro_rules! select_devices {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.organization, d.account, d.client, d.kind, d.name, d.identifier, d.profile, d.secret_hash, d.created_at, d.updated_at,
                d.deleted_at, e.rotation_exponent, e.counter, e.registered_at, p.effective_from, p.venue, p.zone, p.position,
                (SELECT c.version FROM consents c
                    WHERE c.account = d.account AND c.organization = d.organization AND c.purpose = 'presence'
                        AND c.withdrawn_at IS NULL
                    ORDER BY c.given_at DESC, c.version DESC LIMIT 1) AS agreed
            FROM devices d LEFT JOIN ephemeral_keys e ON e.device = d.id
            LEFT JOIN placements p ON p.device = d.id AND p.effective_from =
                (SELECT max(effective_from) FROM placements WHERE device = d.id) ",
            $rest
        )
    };
}
pub(crate) use select_devices;

impl Tx {
    pub(crate) async fn device(&mut self, organization: OrganizationId, id: DeviceId) -> Result<Device> {
        const SQL: &str = select_devices!("WHERE d.organization = $1 AND d.id = $2 AND d.deleted_at IS NULL");
        let row: Option<DeviceRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(|row| row.read()).ok_or(StoreError::NotFound)?
    }

    pub(super) async fn devices(
        &mut self,
        organization: OrganizationId,
        filter: DeviceFilter,
        page: Page,
    ) -> Result<Vec<Device>> {
        const SQL: &str = select_devices!(
            "WHERE d.organization = $1 AND d.id > $2 AND d.deleted_at IS NULL
                AND ($3 IS NULL OR p.venue = $3) AND ($4 IS NULL OR d.kind = $4)
            ORDER BY d.id LIMIT $5"
        );
        let rows: Vec<DeviceRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(filter.venue.map(|venue| venue.as_uuid()))
            .bind(filter.kind.map(protocol::DeviceKind::as_str))
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        rows.iter().map(DeviceRow::read).collect()
    }

    pub(super) async fn devices_among(
        &mut self,
        organization: OrganizationId,
        devices: &[Uuid],
    ) -> Result<Vec<Device>> {
        const SQLITE: &str = select_devices!(
            "WHERE d.organization = $1 AND d.deleted_at IS NULL
                AND d.id IN (SELECT unhex(value ->> 0) FROM json_each($2)) ORDER BY d.id"
        );
        const POSTGRES: &str = select_devices!(
            "WHERE d.organization = $1 AND d.deleted_at IS NULL AND d.id = ANY($2) ORDER BY d.id"
        );
        let organization = organization.as_uuid();
        let rows: Vec<DeviceRow> = match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE).bind(organization).bind(hex_list(devices)).fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                sqlx::query_as(POSTGRES).bind(organization).bind(devices).fetch_all(&mut **tx).await?
            }
        };
        rows.iter().map(DeviceRow::read).collect()
    }

    pub(crate) async fn insert_device(
        &mut self,
        organization: OrganizationId,
        id: DeviceId,
        owner: Option<Owner>,
        new: &NewDevice,
        secret_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO devices
                (id, organization, kind, name, identifier, secret_hash, created_at, updated_at, account, client, profile)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10)";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(new.kind.as_str())
            .bind(&new.name)
            .bind(new.identifier.as_ref().map(ToString::to_string))
            .bind(secret_hash.as_slice())
            .bind(now.0)
            .bind(owner.map(|owner| owner.account.as_uuid()))
            .bind(owner.map(|owner| owner.client.as_uuid()))
            .bind(new.profile.as_ref().map(Json))
            .execute(db)
            .await
            .map(drop))
        .map_err(taken)?;
        let Some(ephemeral) = &new.ephemeral else { return Ok(()) };
        ephemeral.check(new.kind)?;
        self.set_ephemeral(organization, id, Some(ephemeral), now).await
    }

    pub(crate) async fn update_device(
        &mut self,
        organization: OrganizationId,
        device: &Device,
        patch: &DevicePatch,
    ) -> Result<()> {
        const SQL: &str = "UPDATE devices SET name = $3, identifier = $4, profile = $5
            WHERE id = $1 AND organization = $2";
        let identifier = patch.identifier.as_ref().unwrap_or(&device.identifier);
        let profile = patch.profile.as_ref().unwrap_or(&device.profile);
        within!(self, |db| sqlx::query(SQL)
            .bind(device.id.as_uuid())
            .bind(organization.as_uuid())
            .bind(patch.name.as_ref().unwrap_or(&device.name))
            .bind(identifier.as_ref().map(ToString::to_string))
            .bind(profile.as_ref().map(Json))
            .execute(db)
            .await
            .map(drop))
        .map_err(taken)
    }

    pub(super) async fn mark_device_deleted(
        &mut self,
        organization: OrganizationId,
        id: DeviceId,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE devices SET deleted_at = $3 WHERE id = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
pub(crate) struct DeviceRow {
    pub(crate) id: Uuid,
    organization: Uuid,
    account: Option<Uuid>,
    client: Option<Uuid>,
    kind: String,
    name: String,
    identifier: Option<String>,
    profile: Option<Json<Profile>>,
    secret_hash: Vec<u8>,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
    rotation_exponent: Option<i64>,
    counter: Option<i64>,
    registered_at: Option<i64>,
    effective_from: Option<i64>,
    venue: Option<Uuid>,
    zone: Option<Uuid>,
    position: Option<Json<[f64; 3]>>,
    pub(crate) agreed: Option<String>,
}

impl DeviceRow {
    pub(crate) fn read(&self) -> Result<Device> {
        let identifier = self.identifier.as_deref().map(str::parse).transpose();
        let place = Place {
            venue: self.venue.map(VenueId::from_uuid),
            zone: self.zone.map(ZoneId::from_uuid),
            position: self.position.as_ref().map(|Json(position)| *position),
        };
        Ok(Device {
            id: DeviceId::from_uuid(self.id),
            organization: OrganizationId::from_uuid(self.organization),
            owner: self.account.zip(self.client).map(|(account, client)| Owner {
                account: AccountId::from_uuid(account),
                client: ClientId::from_uuid(client),
            }),
            kind: self.kind.parse().map_err(|_| StoreError::Corrupt("device kind"))?,
            name: self.name.clone(),
            identifier: identifier.map_err(|_| StoreError::Corrupt("identifier"))?,
            ephemeral: ephemeral::rotation(
                self.rotation_exponent
                    .zip(self.counter)
                    .zip(self.registered_at)
                    .map(|((exponent, counter), at)| (exponent, counter, at)),
            )?,
            profile: self.profile.as_ref().map(|Json(profile)| profile.clone()),
            placement: self.effective_from.and_then(|at| place.placement(Timestamp(at))),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }

    pub(crate) fn secret_hash(&self) -> Result<[u8; 32]> {
        self.secret_hash.as_slice().try_into().map_err(|_| StoreError::Corrupt("secret hash"))
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }
}
