//! The statements behind subscriptions.

use uuid::Uuid;

use super::changes::last;
use super::{SavedSubscription, digest};
use crate::columns::{CHUNK, Rows, portions};
use crate::engine::Tx;
use crate::error::Result;

impl Tx {
    pub(super) async fn put_subscriptions(&mut self, subscriptions: &[SavedSubscription]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO session_subscriptions
                (session, key, organization, filter, options, identifier)
            SELECT s.id, unhex(row.value ->> 1), s.organization, CAST(unhex(row.value ->> 2) AS TEXT),
                row.value ->> 3, row.value ->> 4
            FROM json_each($1) AS row CROSS JOIN sessions s ON s.id = row.value ->> 0 WHERE true
            ON CONFLICT (session, key) DO UPDATE SET options = excluded.options, identifier = excluded.identifier";
        const POSTGRES: &str = "INSERT INTO session_subscriptions
                (session, key, organization, filter, options, identifier)
            SELECT s.id, row.key, s.organization, row.filter, row.options, row.identifier
            FROM UNNEST($1::BIGINT[], $2::UUID[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
                AS row (session, key, filter, options, identifier)
            JOIN sessions s ON s.id = row.session
            ON CONFLICT (session, key) DO UPDATE SET options = excluded.options, identifier = excluded.identifier";
        let subscriptions = last(subscriptions, |row| (row.session, row.filter.clone()));
        for subscriptions in portions(&subscriptions, |row| row.filter.len()) {
            let keys = subscriptions.iter().map(|row| digest(&[row.filter.as_bytes()]));
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for (subscription, key) in subscriptions.iter().zip(keys) {
                        rows.push(|row| {
                            row.number(subscription.session as i64).uuid(key);
                            row.bytes(subscription.filter.as_bytes());
                            row.number(i64::from(subscription.options));
                            row.optional(subscription.identifier.map(i64::from));
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let keys: Vec<Uuid> = keys.collect();
                    let sessions: Vec<i64> = subscriptions.iter().map(|row| row.session as i64).collect();
                    let filters: Vec<&str> = subscriptions.iter().map(|row| row.filter.as_str()).collect();
                    let options: Vec<i64> = subscriptions.iter().map(|row| i64::from(row.options)).collect();
                    let identifiers: Vec<Option<i64>> =
                        subscriptions.iter().map(|row| row.identifier.map(i64::from)).collect();
                    let query = sqlx::query(POSTGRES).bind(sessions).bind(keys).bind(filters);
                    query.bind(options).bind(identifiers).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn delete_subscriptions(&mut self, unsubscribed: &[(u64, String)]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM session_subscriptions WHERE (session, key) IN
            (SELECT value ->> 0, unhex(value ->> 1) FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM session_subscriptions WHERE (session, key) IN
            (SELECT * FROM UNNEST($1::BIGINT[], $2::UUID[]))";
        for unsubscribed in unsubscribed.chunks(CHUNK) {
            let keys = unsubscribed.iter().map(|(_, filter)| digest(&[filter.as_bytes()]));
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for ((session, _), key) in unsubscribed.iter().zip(keys) {
                        rows.push(|row| {
                            row.number(*session as i64).uuid(key);
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let keys: Vec<Uuid> = keys.collect();
                    let sessions: Vec<i64> =
                        unsubscribed.iter().map(|(session, _)| *session as i64).collect();
                    sqlx::query(POSTGRES).bind(sessions).bind(keys).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}
