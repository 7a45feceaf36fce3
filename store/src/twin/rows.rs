//! The statements behind twins.

use protocol::{DeviceId, OrganizationId, Timestamp};
use serde_json::{Map, Value};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{CHANGES_KEPT, Twin, TwinChange, TwinSide};
use crate::columns::{Rows, portions};
use crate::command::rows::{column, hex_list};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

macro_rules! select_twins {
    ($rest:literal) => {
        concat!(
            "SELECT device, organization, desired, desired_version, desired_at, desired_due, reported, reported_version,
                reported_at FROM twins ",
            $rest
        )
    };
}
pub(crate) use select_twins;

impl Tx {
    /// The twins of some devices, whatever their organization.
    pub(super) async fn twins(&mut self, devices: &[Uuid]) -> Result<Vec<Twin>> {
        const SQLITE: &str =
            select_twins!("WHERE device IN (SELECT unhex(value ->> 0) FROM json_each($1)) ORDER BY device");
        const POSTGRES: &str = select_twins!("WHERE device = ANY($1) ORDER BY device");
        let rows: Vec<TwinRow> = match self {
            Self::Sqlite(tx) => sqlx::query_as(SQLITE).bind(hex_list(devices)).fetch_all(&mut **tx).await?,
            Self::Postgres(tx) => sqlx::query_as(POSTGRES).bind(devices).fetch_all(&mut **tx).await?,
        };
        Ok(rows.into_iter().map(TwinRow::read).collect())
    }

    /// The twins of some devices, whatever their organization; kept from others until the end.
    pub(crate) async fn lock_twins(&mut self, devices: &[Uuid]) -> Result<Vec<Twin>> {
        const POSTGRES: &str = select_twins!("WHERE device = ANY($1) ORDER BY device FOR UPDATE");
        let rows: Vec<TwinRow> = match self {
            Self::Sqlite(_) => return self.twins(devices).await,
            Self::Postgres(tx) => sqlx::query_as(POSTGRES).bind(devices).fetch_all(&mut **tx).await?,
        };
        Ok(rows.into_iter().map(TwinRow::read).collect())
    }

    /// Writes twins that are locked, or new.
    pub(crate) async fn put_twins(&mut self, twins: &[&Twin]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO twins (device, organization, desired, desired_version, desired_at,
                desired_due, reported, reported_version, reported_at)
            SELECT unhex(value ->> 0), unhex(value ->> 1), CAST(unhex(value ->> 2) AS TEXT), value ->> 3, value ->> 4,
                value ->> 5, CAST(unhex(value ->> 6) AS TEXT), value ->> 7, value ->> 8
            FROM json_each($1) WHERE true
            ON CONFLICT (device) DO UPDATE SET desired = excluded.desired,
                desired_version = excluded.desired_version, desired_at = excluded.desired_at,
                desired_due = excluded.desired_due, reported = excluded.reported,
                reported_version = excluded.reported_version, reported_at = excluded.reported_at";
        const POSTGRES: &str = "INSERT INTO twins (device, organization, desired, desired_version, desired_at,
                desired_due, reported, reported_version, reported_at)
            SELECT row.device, row.organization, row.desired::JSONB, row.desired_version, row.desired_at, row.desired_due,
                row.reported::JSONB, row.reported_version, row.reported_at
            FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::TEXT[],
                $8::BIGINT[], $9::BIGINT[])
                AS row (device, organization, desired, desired_version, desired_at, desired_due, reported,
                    reported_version, reported_at)
            ON CONFLICT (device) DO UPDATE SET desired = excluded.desired,
                desired_version = excluded.desired_version, desired_at = excluded.desired_at,
                desired_due = excluded.desired_due, reported = excluded.reported,
                reported_version = excluded.reported_version, reported_at = excluded.reported_at";
        for twins in
            portions(twins, |twin| text(&twin.desired.state).len() + text(&twin.reported.state).len())
        {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for Twin { device, organization, desired, reported, desired_due } in twins {
                        rows.push(|row| {
                            row.uuid(device.as_uuid()).uuid(organization.as_uuid());
                            row.bytes(text(&desired.state).as_bytes()).number(desired.version as i64);
                            row.optional(desired.changed_at.map(|at| at.0));
                            row.optional(desired_due.map(|at| at.0));
                            row.bytes(text(&reported.state).as_bytes()).number(reported.version as i64);
                            row.optional(reported.changed_at.map(|at| at.0));
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(column(twins, |twin| twin.device.as_uuid()));
                    let query = query.bind(column(twins, |twin| twin.organization.as_uuid()));
                    let query = query.bind(column(twins, |twin| text(&twin.desired.state)));
                    let query = query.bind(column(twins, |twin| twin.desired.version as i64));
                    let query = query.bind(column(twins, |twin| twin.desired.changed_at.map(|at| at.0)));
                    let query = query.bind(column(twins, |twin| twin.desired_due.map(|at| at.0)));
                    let query = query.bind(column(twins, |twin| text(&twin.reported.state)));
                    let query = query.bind(column(twins, |twin| twin.reported.version as i64));
                    let query = query.bind(column(twins, |twin| twin.reported.changed_at.map(|at| at.0)));
                    query.execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes down changes, and forgets those that are older than what is kept of each side.
    pub(crate) async fn put_twin_changes(
        &mut self,
        changes: &[(OrganizationId, DeviceId, TwinChange)],
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO twin_changes (device, organization, side, version, patch, author, at)
            SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, CAST(unhex(value ->> 4) AS TEXT),
                value ->> 5, value ->> 6
            FROM json_each($1)";
        const POSTGRES: &str = "INSERT INTO twin_changes (device, organization, side, version, patch, author, at)
            SELECT row.device, row.organization, row.side, row.version, row.patch::JSONB, row.author, row.at
            FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[], $7::BIGINT[])
                AS row (device, organization, side, version, patch, author, at)";
        for changes in portions(changes, |(_, _, change)| text(&change.patch).len()) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for (organization, device, change) in changes {
                        rows.push(|row| {
                            row.uuid(device.as_uuid()).uuid(organization.as_uuid());
                            row.word(change.side.as_str()).number(change.version as i64);
                            row.bytes(text(&change.patch).as_bytes());
                            row.word(&change.author.to_string()).number(change.at.0);
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(column(changes, |change| change.1.as_uuid()));
                    let query = query.bind(column(changes, |change| change.0.as_uuid()));
                    let query = query.bind(column(changes, |change| change.2.side.as_str()));
                    let query = query.bind(column(changes, |change| change.2.version as i64));
                    let query = query.bind(column(changes, |change| text(&change.2.patch)));
                    let query = query.bind(column(changes, |change| change.2.author.to_string()));
                    query.bind(column(changes, |change| change.2.at.0)).execute(&mut **tx).await?;
                }
            }
        }
        // Now and then: rows beyond the newest hundred do no harm for a while.
        for (_, device, change) in changes.iter().filter(|(.., change)| change.version % CHANGES_KEPT == 0) {
            const OLD: &str = "DELETE FROM twin_changes WHERE device = $1 AND side = $2 AND version <= $3";
            within!(&mut *self, |db| sqlx::query(OLD)
                .bind(device.as_uuid())
                .bind(change.side.as_str())
                .bind((change.version - CHANGES_KEPT) as i64)
                .execute(db)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}

impl Tx {
    /// Forgets the twin of a device that is deleted, and its changes.
    pub(crate) async fn delete_twin(&mut self, organization: OrganizationId, device: DeviceId) -> Result<()> {
        const CHANGES: &str = "DELETE FROM twin_changes WHERE device = $1 AND organization = $2";
        const TWIN: &str = "DELETE FROM twins WHERE device = $1 AND organization = $2";
        for statement in [CHANGES, TWIN] {
            within!(&mut *self, |db| sqlx::query(statement)
                .bind(device.as_uuid())
                .bind(organization.as_uuid())
                .execute(db)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}

fn text(state: &Map<String, Value>) -> String {
    serde_json::to_string(state).unwrap_or_default()
}

#[derive(FromRow)]
pub(crate) struct TwinRow {
    device: Uuid,
    organization: Uuid,
    desired: Json<Map<String, Value>>,
    desired_version: i64,
    desired_at: Option<i64>,
    desired_due: Option<i64>,
    reported: Json<Map<String, Value>>,
    reported_version: i64,
    reported_at: Option<i64>,
}

impl TwinRow {
    pub(crate) fn read(self) -> Twin {
        Twin {
            device: DeviceId::from_uuid(self.device),
            organization: OrganizationId::from_uuid(self.organization),
            desired: TwinSide {
                version: self.desired_version as u64,
                state: self.desired.0,
                changed_at: self.desired_at.map(Timestamp),
            },
            reported: TwinSide {
                version: self.reported_version as u64,
                state: self.reported.0,
                changed_at: self.reported_at.map(Timestamp),
            },
            desired_due: self.desired_due.map(Timestamp),
        }
    }
}

#[derive(FromRow)]
pub(super) struct ChangeRow {
    side: String,
    version: i64,
    patch: Json<Map<String, Value>>,
    author: String,
    at: i64,
}

impl ChangeRow {
    pub(super) fn read(self) -> Result<TwinChange> {
        Ok(TwinChange {
            side: self.side.parse().map_err(|_| StoreError::Corrupt("side of a twin"))?,
            version: self.version as u64,
            patch: self.patch.0,
            author: self.author.parse()?,
            at: Timestamp(self.at),
        })
    }
}
