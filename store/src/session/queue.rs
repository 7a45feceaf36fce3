//! The statements behind what waits for sessions. This is the busy part: a group may have thousands of rows.

use super::{SavedEntry, SavedMessage};
use crate::columns::{CHUNK, Rows, list, portions};
use crate::engine::Tx;
use crate::error::Result;

impl Tx {
    pub(super) async fn insert_entries(&mut self, entries: &[SavedEntry]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO session_queue
                (session, position, organization, message, qos, retain, released, identifiers)
            SELECT s.id, row.value ->> 1, s.organization, row.value ->> 2, row.value ->> 3, row.value ->> 4,
                row.value ->> 5, unhex(row.value ->> 6)
            FROM json_each($1) AS row CROSS JOIN sessions s ON s.id = row.value ->> 0 WHERE true
            ON CONFLICT (session, position) DO NOTHING";
        const POSTGRES: &str = "INSERT INTO session_queue
                (session, position, organization, message, qos, retain, released, identifiers)
            SELECT s.id, row.position, s.organization, row.message, row.qos, row.retain, row.released,
                row.identifiers
            FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BOOLEAN[], $6::BOOLEAN[],
                $7::BYTEA[]) AS row (session, position, message, qos, retain, released, identifiers)
            JOIN sessions s ON s.id = row.session
            ON CONFLICT (session, position) DO NOTHING";
        for entries in entries.chunks(CHUNK) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for entry in entries {
                        rows.push(|row| {
                            row.number(entry.session as i64).number(entry.position as i64);
                            row.number(entry.message as i64).number(i64::from(entry.qos));
                            row.number(i64::from(entry.retain)).number(i64::from(entry.released));
                            row.bytes(&bytes(&entry.identifiers));
                        });
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES);
                    let query = query.bind(column(entries, |entry| entry.session as i64));
                    let query = query.bind(column(entries, |entry| entry.position as i64));
                    let query = query.bind(column(entries, |entry| entry.message as i64));
                    let query = query.bind(column(entries, |entry| i64::from(entry.qos)));
                    let query = query.bind(column(entries, |entry| entry.retain));
                    let query = query.bind(column(entries, |entry| entry.released));
                    query.bind(column(entries, |entry| bytes(&entry.identifiers))).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    /// Inserts the messages that a queue holds; its organization is theirs.
    pub(super) async fn insert_messages(&mut self, messages: &[SavedMessage]) -> Result<()> {
        // The bodies are one value that the statement cuts, because as JSON they would be most of what it costs. A message
        // that nobody holds has no organization, and IGNORE leaves it out.
        const SQLITE: &str = "INSERT OR IGNORE INTO messages (id, organization, body)
            SELECT value ->> 0, (SELECT organization FROM session_queue WHERE message = value ->> 0 LIMIT 1),
                substr($2, value ->> 1, value ->> 2)
            FROM json_each($1)";
        const POSTGRES: &str = "INSERT INTO messages (id, organization, body)
            SELECT row.id, held.organization, row.body FROM UNNEST($1::BIGINT[], $2::BYTEA[]) AS row (id, body)
            CROSS JOIN LATERAL
                (SELECT organization FROM session_queue WHERE message = row.id LIMIT 1) AS held
            ON CONFLICT (id) DO NOTHING";
        for messages in portions(messages, |message| message.body.len()) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    // Of an empty value `substr` gives null, so this one is never empty.
                    let mut bodies = vec![0];
                    for message in messages {
                        rows.push(|row| {
                            row.number(message.id as i64).number(bodies.len() as i64 + 1);
                            row.number(message.body.len() as i64);
                        });
                        bodies.extend_from_slice(&message.body);
                    }
                    sqlx::query(SQLITE).bind(rows.finish()).bind(bodies).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let ids: Vec<i64> = messages.iter().map(|message| message.id as i64).collect();
                    let bodies: Vec<&[u8]> = messages.iter().map(|message| &*message.body).collect();
                    sqlx::query(POSTGRES).bind(ids).bind(bodies).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn release(&mut self, released: &[(u64, u64)]) -> Result<()> {
        const SQLITE: &str = "UPDATE session_queue SET released = 1 WHERE (session, position) IN
            (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
        const POSTGRES: &str = "UPDATE session_queue q SET released = true
            FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS row (session, position)
            WHERE q.session = row.session AND q.position = row.position";
        let pairs: Vec<_> = released.iter().map(|(session, at)| (*session as i64, *at as i64)).collect();
        self.with_pairs(SQLITE, POSTGRES, &pairs).await
    }

    pub(super) async fn delete_entries(&mut self, dequeued: &[(u64, u64, u64)]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM session_queue WHERE (session, position) IN
            (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM session_queue q
            USING UNNEST($1::BIGINT[], $2::BIGINT[]) AS row (session, position)
            WHERE q.session = row.session AND q.position = row.position";
        let pairs: Vec<_> = dequeued.iter().map(|(session, at, _)| (*session as i64, *at as i64)).collect();
        self.with_pairs(SQLITE, POSTGRES, &pairs).await
    }

    /// Deletes those of these messages that no queue holds any more.
    pub(super) async fn delete_unheld(&mut self, messages: &[i64]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM messages WHERE id IN (SELECT value FROM json_each($1))
            AND NOT EXISTS (SELECT 1 FROM session_queue WHERE message = messages.id)";
        const POSTGRES: &str = "DELETE FROM messages WHERE id = ANY($1)
            AND NOT EXISTS (SELECT 1 FROM session_queue WHERE message = messages.id)";
        for messages in messages.chunks(CHUNK) {
            match self {
                Self::Sqlite(tx) => {
                    sqlx::query(SQLITE).bind(list(messages)).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    sqlx::query(POSTGRES).bind(messages).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    /// Runs a statement on rows of two numbers.
    pub(super) async fn with_pairs(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        pairs: &[(i64, i64)],
    ) -> Result<()> {
        for pairs in pairs.chunks(CHUNK) {
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for (left, right) in pairs {
                        rows.push(|row| {
                            row.number(*left).number(*right);
                        });
                    }
                    sqlx::query(sqlite).bind(rows.finish()).execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let (left, right): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
                    sqlx::query(postgres).bind(left).bind(right).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

/// Subscription identifiers as a column.
fn bytes(identifiers: &[u32]) -> Vec<u8> {
    identifiers.iter().flat_map(|identifier| identifier.to_le_bytes()).collect()
}

/// The identifiers in a column; none when it is not one.
pub(super) fn identifiers(bytes: &[u8]) -> Option<Vec<u32>> {
    let (identifiers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| identifiers.iter().copied().map(u32::from_le_bytes).collect())
}

fn column<T>(entries: &[SavedEntry], value: impl Fn(&SavedEntry) -> T) -> Vec<T> {
    entries.iter().map(value).collect()
}
