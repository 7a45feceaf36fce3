//! What was last seen of each device: a JSON document that only the broker and its readers look into.

use std::collections::BTreeMap;

use protocol::{DeviceId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::columns::{Rows, portions};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

impl Store {
    /// Saves the facts of devices, all or none; those before are written over, and of one device given twice the last
    /// count. Facts of a device that is not in that organization, or is deleted, are left out.
    pub async fn save_facts(
        &self,
        facts: &[(OrganizationId, DeviceId, String)],
        now: Timestamp,
    ) -> Result<()> {
        if facts.iter().any(|(_, _, facts)| facts.contains('\0')) {
            return Err(StoreError::Invalid("U+0000 is no part of a JSON document".into()));
        }
        // One statement cannot change a row twice.
        let last: BTreeMap<(OrganizationId, DeviceId), &str> =
            facts.iter().map(|(organization, device, facts)| ((*organization, *device), &**facts)).collect();
        let facts: Vec<_> = last.into_iter().collect();
        if facts.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for facts in portions(&facts, |(_, facts)| facts.len()) {
            tx.put_facts(facts, now).await?;
        }
        tx.commit().await
    }

    /// The facts of a device and when they were saved; none when they never were.
    pub async fn facts(
        &self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Option<(String, Timestamp)>> {
        const SQL: &str =
            "SELECT facts, updated_at FROM device_facts WHERE device = $1 AND organization = $2";
        let row: Option<(String, i64)> = on!(self, |db| sqlx::query_as(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        Ok(row.map(|(facts, updated_at)| (facts, Timestamp(updated_at))))
    }
}

impl Tx {
    async fn put_facts(
        &mut self,
        facts: &[((OrganizationId, DeviceId), &str)],
        now: Timestamp,
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO device_facts (device, organization, facts, updated_at)
            SELECT d.id, d.organization, CAST(unhex(row.value ->> 2) AS TEXT), $2 FROM json_each($1) AS row
            CROSS JOIN devices d ON d.id = unhex(row.value ->> 0) AND d.organization = unhex(row.value ->> 1)
            WHERE d.deleted_at IS NULL
            ON CONFLICT (device) DO UPDATE SET facts = excluded.facts, updated_at = excluded.updated_at";
        // A device that is just being deleted is waited for, or waits: its facts go with it.
        const POSTGRES: &str = "INSERT INTO device_facts (device, organization, facts, updated_at)
            SELECT d.id, d.organization, row.facts, $4
            FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[]) AS row (device, organization, facts)
            JOIN devices d ON d.id = row.device AND d.organization = row.organization
            WHERE d.deleted_at IS NULL FOR SHARE OF d
            ON CONFLICT (device) DO UPDATE SET facts = excluded.facts, updated_at = excluded.updated_at";
        match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for ((organization, device), facts) in facts {
                    rows.push(|row| {
                        row.uuid(device.as_uuid()).uuid(organization.as_uuid()).bytes(facts.as_bytes());
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).bind(now.0).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let devices: Vec<Uuid> = facts.iter().map(|((_, device), _)| device.as_uuid()).collect();
                let organizations: Vec<Uuid> =
                    facts.iter().map(|((organization, _), _)| organization.as_uuid()).collect();
                let texts: Vec<&str> = facts.iter().map(|(_, facts)| *facts).collect();
                let query = sqlx::query(POSTGRES).bind(devices).bind(organizations).bind(texts);
                query.bind(now.0).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Forgets what was seen of a device that is deleted.
    pub(crate) async fn delete_facts(
        &mut self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<()> {
        const SQL: &str = "DELETE FROM device_facts WHERE device = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}
