//! The statements behind losses.

use std::collections::BTreeMap;

use protocol::{DeviceId, OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::{Builder, Uuid};

use super::Loss;
use crate::columns::{CHUNK, Rows};
use crate::engine::Tx;
use crate::error::{Result, StoreError};
use crate::random;

macro_rules! select_losses {
    ($rest:literal) => {
        concat!(
            "SELECT organization, device, boot, cause, from_seq, id, to_seq, batches, recovered, first_at, last_at
            FROM losses ",
            $rest
        )
    };
}
pub(super) use select_losses;

impl Tx {
    /// Writes losses as they are now.
    pub(crate) async fn put_losses(&mut self, losses: &[Loss]) -> Result<()> {
        // One statement cannot change a row twice: the last form of each counts.
        let key = |loss: &Loss| {
            let (boot, number) = loss.key();
            (loss.device, boot.to_owned(), loss.cause, number)
        };
        let last: BTreeMap<_, &Loss> = losses.iter().map(|loss| (key(loss), loss)).collect();
        let losses: Vec<&Loss> = last.into_values().collect();
        for losses in losses.chunks(CHUNK) {
            if self.put_some_losses(losses).await? < losses.len() as u64 {
                return Err(StoreError::Conflict("organization"));
            }
        }
        Ok(())
    }

    async fn put_some_losses(&mut self, losses: &[&Loss]) -> Result<u64> {
        const SQLITE: &str = "INSERT INTO losses (organization, device, boot, cause, from_seq, id, to_seq, batches,
                recovered, first_at, last_at)
            SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, unhex(value ->> 5),
                value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10
            FROM json_each($1) WHERE true
            ON CONFLICT (device, boot, cause, from_seq) DO UPDATE SET to_seq = excluded.to_seq,
                batches = excluded.batches, recovered = excluded.recovered, last_at = excluded.last_at
            WHERE losses.organization = excluded.organization";
        const POSTGRES: &str =
            "INSERT INTO losses (organization, device, boot, cause, from_seq, id, to_seq, batches,
                recovered, first_at, last_at)
            SELECT * FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::UUID[],
                $7::BIGINT[], $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[])
            ON CONFLICT (device, boot, cause, from_seq) DO UPDATE SET to_seq = excluded.to_seq,
                batches = excluded.batches, recovered = excluded.recovered, last_at = excluded.last_at
            WHERE losses.organization = excluded.organization";
        let mut ids = Vec::with_capacity(losses.len());
        for loss in losses {
            // An id of the time when it began, so that the order of ids is the order of lists.
            let began = u64::try_from(loss.first_at.0).unwrap_or(0);
            ids.push(Builder::from_unix_timestamp_millis(began, &random::bytes()?).into_uuid());
        }
        Ok(match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (loss, id) in losses.iter().zip(ids) {
                    let (boot, number) = loss.key();
                    rows.push(|row| {
                        row.uuid(loss.organization.as_uuid()).uuid(loss.device.as_uuid()).word(boot);
                        row.word(loss.cause.as_str()).number(number).uuid(id).number(loss.to as i64);
                        row.number(loss.batches as i64).number(loss.recovered as i64);
                        row.number(loss.first_at.0).number(loss.last_at.0);
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                let query = sqlx::query(POSTGRES);
                let query = query.bind(column(losses, |loss| loss.organization.as_uuid()));
                let query = query.bind(column(losses, |loss| loss.device.as_uuid()));
                let query = query.bind(column(losses, |loss| loss.key().0));
                let query = query.bind(column(losses, |loss| loss.cause.as_str()));
                let query = query.bind(column(losses, |loss| loss.key().1)).bind(ids);
                let query = query.bind(column(losses, |loss| loss.to as i64));
                let query = query.bind(column(losses, |loss| loss.batches as i64));
                let query = query.bind(column(losses, |loss| loss.recovered as i64));
                let query = query.bind(column(losses, |loss| loss.first_at.0));
                let query = query.bind(column(losses, |loss| loss.last_at.0));
                query.execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// Deletes those of these losses that did not grow meanwhile.
    pub(super) async fn delete_losses(&mut self, losses: &[(Uuid, Uuid)], before: Timestamp) -> Result<u64> {
        const SQLITE: &str = "DELETE FROM losses WHERE last_at < $2 AND (device, id) IN
            (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM losses WHERE last_at < $3 AND (device, id) IN
            (SELECT * FROM UNNEST($1::UUID[], $2::UUID[]))";
        Ok(match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (device, id) in losses {
                    rows.push(|row| {
                        row.uuid(*device).uuid(*id);
                    });
                }
                sqlx::query(SQLITE)
                    .bind(rows.finish())
                    .bind(before.0)
                    .execute(&mut **tx)
                    .await?
                    .rows_affected()
            }
            Self::Postgres(tx) => {
                let (devices, ids): (Vec<Uuid>, Vec<Uuid>) = losses.iter().copied().unzip();
                let query = sqlx::query(POSTGRES).bind(devices).bind(ids).bind(before.0);
                query.execute(&mut **tx).await?.rows_affected()
            }
        })
    }
}

fn column<'a, T>(losses: &[&'a Loss], value: impl Fn(&'a Loss) -> T) -> Vec<T> {
    losses.iter().map(|loss| value(loss)).collect()
}

#[derive(FromRow)]
pub(super) struct LossRow {
    organization: Uuid,
    device: Uuid,
    boot: String,
    cause: String,
    from_seq: i64,
    id: Uuid,
    to_seq: i64,
    batches: i64,
    recovered: i64,
    first_at: i64,
    last_at: i64,
}

impl LossRow {
    pub(super) fn id(&self) -> Uuid {
        self.id
    }
}

impl TryFrom<LossRow> for Loss {
    type Error = StoreError;

    fn try_from(row: LossRow) -> Result<Self> {
        let boot = (!row.boot.is_empty()).then(|| row.boot.parse()).transpose();
        let boot = boot.map_err(|_| StoreError::Corrupt("boot of a loss"))?;
        Ok(Self {
            organization: OrganizationId::from_uuid(row.organization),
            device: DeviceId::from_uuid(row.device),
            boot,
            cause: row.cause.parse().map_err(|_| StoreError::Corrupt("cause of a loss"))?,
            from: boot.map_or(0, |_| row.from_seq as u64),
            to: row.to_seq as u64,
            batches: row.batches as u64,
            recovered: row.recovered as u64,
            first_at: Timestamp(row.first_at),
            last_at: Timestamp(row.last_at),
        })
    }
}
