//! JSON documents, one for each device, that only the broker and its readers look into.

use std::collections::BTreeMap;

use protocol::{DeviceId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::columns::{Rows, portions};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

/// The statements of one kind of document: each has a table of its own.
pub(crate) struct Documents {
    read: &'static str,
    delete: &'static str,
    put_sqlite: &'static str,
    put_postgres: &'static str,
}

macro_rules! documents {
    ($table:literal, $column:literal) => {
        $crate::document::Documents {
            read: concat!(
                "SELECT ",
                $column,
                ", updated_at FROM ",
                $table,
                " WHERE device = $1 AND organization = $2"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE device = $1 AND organization = $2"),
            put_sqlite: concat!(
                "INSERT INTO ",
                $table,
                " (device, organization, ",
                $column,
                ", updated_at)
                SELECT d.id, d.organization, CAST(unhex(row.value ->> 2) AS TEXT), $2 FROM json_each($1) AS row
                CROSS JOIN devices d ON d.id = unhex(row.value ->> 0) AND d.organization = unhex(row.value ->> 1)
                WHERE d.deleted_at IS NULL
                ON CONFLICT (device) DO UPDATE SET ",
                $column,
                " = excluded.",
                $column,
                ", updated_at = excluded.updated_at"
            ),
            // A device that is just being deleted is waited for, or waits: its documents go with it.
            put_postgres: concat!(
                "INSERT INTO ",
                $table,
                " (device, organization, ",
                $column,
                ", updated_at)
                SELECT d.id, d.organization, row.document, $4
                FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[]) AS row (device, organization, document)
                JOIN devices d ON d.id = row.device AND d.organization = row.organization
                WHERE d.deleted_at IS NULL FOR SHARE OF d
                ON CONFLICT (device) DO UPDATE SET ",
                $column,
                " = excluded.",
                $column,
                ", updated_at = excluded.updated_at"
            ),
        }
    };
}

/// What was last seen of a device.
pub(crate) const FACTS: Documents = documents!("device_facts", "facts");
/// Who hears a beacon.
pub(crate) const WATCH: Documents = documents!("beacon_watch", "watch");

impl Store {
    /// Saves documents, all or none; those before are written over, and of one device given twice the last counts. Those of a
    /// device that is not in that organization, or is deleted, are left out.
    pub(crate) async fn save_documents(
        &self,
        kind: &Documents,
        documents: &[(OrganizationId, DeviceId, String)],
        now: Timestamp,
    ) -> Result<()> {
        if documents.iter().any(|(_, _, document)| document.contains('\0')) {
            return Err(StoreError::Invalid("U+0000 is no part of a JSON document".into()));
        }
        // One statement cannot change a row twice.
        let last: BTreeMap<(OrganizationId, DeviceId), &str> = documents
            .iter()
            .map(|(organization, device, document)| ((*organization, *device), &**document))
            .collect();
        let documents: Vec<_> = last.into_iter().collect();
        if documents.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for documents in portions(&documents, |(_, document)| document.len()) {
            tx.put_documents(kind, documents, now).await?;
        }
        tx.commit().await
    }

    /// The document of a device and when it was saved; none when it never was.
    pub(crate) async fn document(
        &self,
        kind: &Documents,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Option<(String, Timestamp)>> {
        let row: Option<(String, i64)> = on!(self, |db| sqlx::query_as(kind.read)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        Ok(row.map(|(document, updated_at)| (document, Timestamp(updated_at))))
    }
}

impl Tx {
    async fn put_documents(
        &mut self,
        kind: &Documents,
        documents: &[((OrganizationId, DeviceId), &str)],
        now: Timestamp,
    ) -> Result<()> {
        match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for ((organization, device), document) in documents {
                    rows.push(|row| {
                        row.uuid(device.as_uuid()).uuid(organization.as_uuid()).bytes(document.as_bytes());
                    });
                }
                sqlx::query(kind.put_sqlite).bind(rows.finish()).bind(now.0).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let devices: Vec<Uuid> = documents.iter().map(|((_, device), _)| device.as_uuid()).collect();
                let organizations: Vec<Uuid> =
                    documents.iter().map(|((organization, _), _)| organization.as_uuid()).collect();
                let texts: Vec<&str> = documents.iter().map(|(_, document)| *document).collect();
                let query = sqlx::query(kind.put_postgres).bind(devices).bind(organizations).bind(texts);
                query.bind(now.0).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Forgets the document of a device.
    pub(crate) async fn delete_document(
        &mut self,
        kind: &Documents,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<()> {
        within!(self, |db| sqlx::query(kind.delete)
            .bind(device.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}
