//! The statements behind retained messages.

use protocol::OrganizationId;
use uuid::Uuid;

use super::changes::last;
use super::{SavedRetained, digest};
use crate::columns::{CHUNK, Rows, portions};
use crate::engine::Tx;
use crate::error::Result;

impl Tx {
    pub(super) async fn put_retained(&mut self, retained: &[SavedRetained]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO retained (organization, key, topic, expires_at, body)
            SELECT unhex(value ->> 0), unhex(value ->> 1), CAST(unhex(value ->> 2) AS TEXT), value ->> 3,
                substr($2, value ->> 4, value ->> 5)
            FROM json_each($1) WHERE true
            ON CONFLICT (organization, key) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at";
        const POSTGRES: &str = "INSERT INTO retained (organization, key, topic, expires_at, body)
            SELECT * FROM UNNEST($1::UUID[], $2::UUID[], $3::TEXT[], $4::BIGINT[], $5::BYTEA[])
            ON CONFLICT (organization, key) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at";
        let retained = last(retained, |row| (row.organization, row.topic.clone()));
        for retained in portions(&retained, |row| row.topic.len() + row.body.len()) {
            let keys = retained.iter().map(|row| digest(&[row.topic.as_bytes()]));
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    // Of an empty value `substr` gives null, so this one is never empty.
                    let mut bodies = vec![0];
                    for (retained, key) in retained.iter().zip(keys) {
                        rows.push(|row| {
                            row.uuid(retained.organization.as_uuid()).uuid(key);
                            row.bytes(retained.topic.as_bytes());
                            row.optional(retained.expires_at.map(|at| at.0));
                            row.number(bodies.len() as i64 + 1).number(retained.body.len() as i64);
                        });
                        bodies.extend_from_slice(&retained.body);
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).bind(bodies).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let keys: Vec<Uuid> = keys.collect();
                    let organizations: Vec<Uuid> =
                        retained.iter().map(|row| row.organization.as_uuid()).collect();
                    let topics: Vec<&str> = retained.iter().map(|row| row.topic.as_str()).collect();
                    let expiries: Vec<Option<i64>> =
                        retained.iter().map(|row| row.expires_at.map(|at| at.0)).collect();
                    let bodies: Vec<&[u8]> = retained.iter().map(|row| row.body.as_slice()).collect();
                    let query = sqlx::query(POSTGRES).bind(organizations).bind(keys).bind(topics);
                    query.bind(expiries).bind(bodies).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn delete_retained(&mut self, forgotten: &[(OrganizationId, String)]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM retained WHERE (organization, key) IN
            (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM retained WHERE (organization, key) IN
            (SELECT * FROM UNNEST($1::UUID[], $2::UUID[]))";
        for forgotten in forgotten.chunks(CHUNK) {
            let keys = forgotten.iter().map(|(_, topic)| digest(&[topic.as_bytes()]));
            let organizations = forgotten.iter().map(|(organization, _)| organization.as_uuid());
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for (organization, key) in organizations.zip(keys) {
                        rows.push(|row| {
                            row.uuid(organization).uuid(key);
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let (organizations, keys): (Vec<Uuid>, Vec<Uuid>) = organizations.zip(keys).unzip();
                    sqlx::query(POSTGRES).bind(organizations).bind(keys).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}
