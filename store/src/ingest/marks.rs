//! The statements behind the marks of a boot.

use protocol::{Boot, DeviceId, OrganizationId, Timestamp};
use uuid::Uuid;

use super::{BootMarks, BootRow, HashChunk, Numbers};
use crate::columns::Rows;
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

impl Store {
    /// What was saved of a boot; none when nothing was.
    pub async fn boot(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        boot: Boot,
    ) -> Result<Option<BootMarks>> {
        const NUMBERS: &str =
            "SELECT numbers FROM boots WHERE device = $1 AND boot = $2 AND organization = $3";
        const HASHES: &str = "SELECT chunk, hashes FROM batch_hashes
            WHERE device = $1 AND boot = $2 AND organization = $3 ORDER BY chunk";
        let mut tx = self.snapshot().await?;
        let numbers: Option<Vec<u8>> = within!(&mut tx, |db| sqlx::query_scalar(NUMBERS)
            .bind(device.as_uuid())
            .bind(boot.as_str())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let Some(numbers) = numbers else { return Ok(None) };
        let hashes: Vec<(i64, Vec<u8>)> = within!(&mut tx, |db| sqlx::query_as(HASHES)
            .bind(device.as_uuid())
            .bind(boot.as_str())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        let chunk = |(number, bytes): (i64, Vec<u8>)| {
            HashChunk::from_bytes(number as u64, &bytes).ok_or(StoreError::Corrupt("batch hashes"))
        };
        Ok(Some(BootMarks {
            numbers: Numbers::decode(&numbers).ok_or(StoreError::Corrupt("batch numbers"))?,
            chunks: hashes.into_iter().map(chunk).collect::<Result<_>>()?,
        }))
    }
}

impl Tx {
    pub(super) async fn put_boots(&mut self, boots: &[BootRow], now: Timestamp) -> Result<()> {
        const SQLITE: &str = "INSERT INTO boots (device, boot, organization, numbers, updated_at)
            SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2), unhex(value ->> 3), $2 FROM json_each($1)
            WHERE true ON CONFLICT (device, boot) DO UPDATE SET numbers = excluded.numbers, updated_at = excluded.updated_at
            WHERE boots.organization = excluded.organization";
        const POSTGRES: &str = "INSERT INTO boots (device, boot, organization, numbers, updated_at)
            SELECT device, boot, organization, numbers, $5 FROM
                UNNEST($1::UUID[], $2::TEXT[], $3::UUID[], $4::BYTEA[]) AS row (device, boot, organization, numbers)
            ON CONFLICT (device, boot) DO UPDATE SET numbers = excluded.numbers, updated_at = excluded.updated_at
            WHERE boots.organization = excluded.organization";
        if boots.is_empty() {
            return Ok(());
        }
        let written = match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for row in boots {
                    rows.push(|to| {
                        to.uuid(row.device.as_uuid()).word(row.boot.as_str());
                        to.uuid(row.organization.as_uuid()).bytes(&row.numbers.encode());
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).bind(now.0).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                let devices: Vec<Uuid> = boots.iter().map(|row| row.device.as_uuid()).collect();
                let names: Vec<&str> = boots.iter().map(|row| row.boot.as_str()).collect();
                let organizations: Vec<Uuid> = boots.iter().map(|row| row.organization.as_uuid()).collect();
                let numbers: Vec<Vec<u8>> = boots.iter().map(|row| row.numbers.encode()).collect();
                let query = sqlx::query(POSTGRES).bind(devices).bind(names).bind(organizations).bind(numbers);
                query.bind(now.0).execute(&mut **tx).await?.rows_affected()
            }
        };
        if written == boots.len() as u64 { Ok(()) } else { Err(StoreError::Conflict("organization")) }
    }

    pub(super) async fn put_hashes(&mut self, boots: &[BootRow]) -> Result<()> {
        // These rows are most of what is written for a batch, and as JSON they would be most of what it costs: they are
        // records of one length instead, which the statement cuts out of one value.
        const SQLITE: &str = "WITH RECURSIVE record (at) AS
                (SELECT 1 UNION ALL SELECT at + 580 FROM record WHERE at + 580 < length($1))
            INSERT INTO batch_hashes (device, boot, chunk, organization, hashes)
            SELECT substr($1, at, 16), rtrim(CAST(substr($1, at + 16, 16) AS TEXT)),
                CAST(CAST(substr($1, at + 32, 20) AS TEXT) AS INTEGER), substr($1, at + 52, 16), substr($1, at + 68, 512)
            FROM record WHERE true
            ON CONFLICT (device, boot, chunk) DO UPDATE SET hashes = excluded.hashes";
        const POSTGRES: &str = "INSERT INTO batch_hashes (device, boot, chunk, organization, hashes)
            SELECT * FROM UNNEST($1::UUID[], $2::TEXT[], $3::BIGINT[], $4::UUID[], $5::BYTEA[])
            ON CONFLICT (device, boot, chunk) DO UPDATE SET hashes = excluded.hashes";
        let chunks = || boots.iter().flat_map(|row| row.chunks.iter().map(move |chunk| (row, chunk)));
        if chunks().next().is_none() {
            return Ok(());
        }
        match self {
            Self::Sqlite(tx) => {
                let mut records = Vec::with_capacity(580 * boots.len());
                chunks().for_each(|(row, chunk)| write_record(&mut records, row, chunk));
                sqlx::query(SQLITE).bind(records).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let devices: Vec<Uuid> = chunks().map(|(row, _)| row.device.as_uuid()).collect();
                let names: Vec<&str> = chunks().map(|(row, _)| row.boot.as_str()).collect();
                let numbers: Vec<i64> = chunks().map(|(_, chunk)| chunk.number as i64).collect();
                let organizations: Vec<Uuid> = chunks().map(|(row, _)| row.organization.as_uuid()).collect();
                let hashes: Vec<Vec<u8>> = chunks().map(|(_, chunk)| chunk.to_bytes()).collect();
                let query = sqlx::query(POSTGRES).bind(devices).bind(names).bind(numbers);
                query.bind(organizations).bind(hashes).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn drop_hashes(&mut self, boots: &[BootRow]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM batch_hashes WHERE (device, boot, chunk) IN
            (SELECT h.device, h.boot, h.chunk FROM json_each($1) AS row
            CROSS JOIN batch_hashes h ON h.device = unhex(row.value ->> 0) AND h.boot = row.value ->> 1
                AND h.chunk < row.value ->> 2 AND h.organization = unhex(row.value ->> 3))";
        const POSTGRES: &str = "DELETE FROM batch_hashes h
            USING UNNEST($1::UUID[], $2::TEXT[], $3::BIGINT[], $4::UUID[]) AS row (device, boot, below, organization)
            WHERE h.device = row.device AND h.boot = row.boot AND h.chunk < row.below
                AND h.organization = row.organization";
        let dropping: Vec<(&BootRow, u64)> =
            boots.iter().filter_map(|row| Some((row, row.drop_chunks_below?))).collect();
        if dropping.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (row, below) in dropping {
                    rows.push(|to| {
                        to.uuid(row.device.as_uuid()).word(row.boot.as_str()).number(below as i64);
                        to.uuid(row.organization.as_uuid());
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let devices: Vec<Uuid> = dropping.iter().map(|(row, _)| row.device.as_uuid()).collect();
                let names: Vec<&str> = dropping.iter().map(|(row, _)| row.boot.as_str()).collect();
                let below: Vec<i64> = dropping.iter().map(|(_, below)| *below as i64).collect();
                let organizations: Vec<Uuid> =
                    dropping.iter().map(|(row, _)| row.organization.as_uuid()).collect();
                let query = sqlx::query(POSTGRES).bind(devices).bind(names).bind(below).bind(organizations);
                query.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

/// 580 bytes: device, boot padded with spaces, number in decimal, organization, hashes.
fn write_record(records: &mut Vec<u8>, row: &BootRow, chunk: &HashChunk) {
    records.extend_from_slice(row.device.as_uuid().as_bytes());
    records.extend_from_slice(format!("{:<16}{:020}", row.boot, chunk.number).as_bytes());
    records.extend_from_slice(row.organization.as_uuid().as_bytes());
    chunk.write(records);
}
