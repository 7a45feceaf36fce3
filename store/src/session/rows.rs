//! The statements behind sessions, and the end of one.

use uuid::Uuid;

use super::SavedSession;
use crate::columns::{CHUNK, Rows, list, portions};
use crate::engine::Tx;
use crate::error::Result;

impl Tx {
    /// The ids of other sessions that have the keys of these.
    pub(super) async fn sessions_replaced_by(
        &mut self,
        sessions: &[(Uuid, &SavedSession)],
    ) -> Result<Vec<i64>> {
        const SQLITE: &str = "SELECT s.id FROM json_each($1) AS row
            CROSS JOIN sessions s ON s.key = unhex(row.value ->> 0) WHERE s.id <> row.value ->> 1";
        const POSTGRES: &str = "SELECT s.id FROM UNNEST($1::UUID[], $2::BIGINT[]) AS row (key, id)
            JOIN sessions s ON s.key = row.key WHERE s.id <> row.id";
        let mut replaced = Vec::new();
        for sessions in sessions.chunks(CHUNK) {
            replaced.extend::<Vec<i64>>(match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for (key, session) in sessions {
                        rows.push(|row| {
                            row.uuid(*key).number(session.id as i64);
                        });
                    }
                    sqlx::query_scalar(SQLITE).bind(rows.finish()).fetch_all(&mut **tx).await?
                }
                Self::Postgres(tx) => {
                    let keys: Vec<Uuid> = sessions.iter().map(|(key, _)| *key).collect();
                    let ids: Vec<i64> = sessions.iter().map(|(_, session)| session.id as i64).collect();
                    sqlx::query_scalar(POSTGRES).bind(keys).bind(ids).fetch_all(&mut **tx).await?
                }
            });
        }
        Ok(replaced)
    }

    /// Deletes sessions with all that hangs on them; gives the messages that waited for them.
    pub(super) async fn end_sessions(&mut self, ids: &[i64]) -> Result<Vec<i64>> {
        const SQLITE: [&str; 3] = [
            "DELETE FROM sessions WHERE id IN (SELECT value FROM json_each($1))",
            "DELETE FROM session_subscriptions WHERE session IN (SELECT value FROM json_each($1))",
            "DELETE FROM session_received WHERE session IN (SELECT value FROM json_each($1))",
        ];
        const SQLITE_QUEUE: &str =
            "DELETE FROM session_queue WHERE session IN (SELECT value FROM json_each($1)) RETURNING message";
        const POSTGRES: [&str; 3] = [
            "DELETE FROM sessions WHERE id = ANY($1)",
            "DELETE FROM session_subscriptions WHERE session = ANY($1)",
            "DELETE FROM session_received WHERE session = ANY($1)",
        ];
        const POSTGRES_QUEUE: &str = "DELETE FROM session_queue WHERE session = ANY($1) RETURNING message";
        let mut messages = Vec::new();
        for ids in ids.chunks(CHUNK) {
            messages.extend::<Vec<i64>>(match self {
                Self::Sqlite(tx) => {
                    let ids = list(ids);
                    for statement in SQLITE {
                        sqlx::query(statement).bind(&ids).execute(&mut **tx).await?;
                    }
                    sqlx::query_scalar(SQLITE_QUEUE).bind(&ids).fetch_all(&mut **tx).await?
                }
                Self::Postgres(tx) => {
                    for statement in POSTGRES {
                        sqlx::query(statement).bind(ids).execute(&mut **tx).await?;
                    }
                    sqlx::query_scalar(POSTGRES_QUEUE).bind(ids).fetch_all(&mut **tx).await?
                }
            });
        }
        Ok(messages)
    }

    pub(super) async fn put_sessions(&mut self, sessions: &[(Uuid, &SavedSession)]) -> Result<()> {
        let bytes = |(_, session): &(Uuid, &SavedSession)| {
            session.client_id.len() + session.will.as_ref().map_or(0, |will| will.body.len())
        };
        for sessions in portions(sessions, bytes) {
            self.put_some_sessions(sessions).await?;
        }
        Ok(())
    }

    async fn put_some_sessions(&mut self, sessions: &[(Uuid, &SavedSession)]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO sessions
                (id, organization, key, holder, holder_id, client_id, expiry_s, expires_at, will, will_delay_s,
                sent_through)
            SELECT value ->> 0, unhex(value ->> 1), unhex(value ->> 2), value ->> 3, unhex(value ->> 4),
                CAST(unhex(value ->> 5) AS TEXT), value ->> 6, value ->> 7, unhex(value ->> 8), value ->> 9,
                value ->> 10
            FROM json_each($1) WHERE true
            ON CONFLICT (id) DO UPDATE SET organization = excluded.organization, key = excluded.key,
                holder = excluded.holder, holder_id = excluded.holder_id, client_id = excluded.client_id,
                expiry_s = excluded.expiry_s, expires_at = excluded.expires_at, will = excluded.will,
                will_delay_s = excluded.will_delay_s, sent_through = excluded.sent_through";
        const POSTGRES: &str = "INSERT INTO sessions
                (id, organization, key, holder, holder_id, client_id, expiry_s, expires_at, will, will_delay_s,
                sent_through)
            SELECT * FROM UNNEST($1::BIGINT[], $2::UUID[], $3::UUID[], $4::TEXT[], $5::UUID[], $6::TEXT[],
                $7::BIGINT[], $8::BIGINT[], $9::BYTEA[], $10::BIGINT[], $11::BIGINT[])
            ON CONFLICT (id) DO UPDATE SET organization = excluded.organization, key = excluded.key,
                holder = excluded.holder, holder_id = excluded.holder_id, client_id = excluded.client_id,
                expiry_s = excluded.expiry_s, expires_at = excluded.expires_at, will = excluded.will,
                will_delay_s = excluded.will_delay_s, sent_through = excluded.sent_through";
        match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (key, session) in sessions {
                    let (holder, holder_id) = session.holder.columns();
                    let will = session.will.as_ref();
                    rows.push(|row| {
                        row.number(session.id as i64).uuid(session.organization.as_uuid()).uuid(*key);
                        row.word(holder)
                            .optional_bytes(holder_id.as_ref().map(|id| id.as_bytes().as_slice()));
                        row.bytes(session.client_id.as_bytes()).number(i64::from(session.expiry_s));
                        row.optional(session.expires_at.map(|at| at.0));
                        row.optional_bytes(will.map(|will| will.body.as_slice()));
                        row.optional(will.map(|will| i64::from(will.delay_s)));
                        row.optional(session.sent_through.map(|position| position as i64));
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let query = sqlx::query(POSTGRES);
                let query = query.bind(column(sessions, |session| session.id as i64));
                let query = query.bind(column(sessions, |session| session.organization.as_uuid()));
                let query = query.bind(sessions.iter().map(|(key, _)| *key).collect::<Vec<_>>());
                let query = query.bind(column(sessions, |session| session.holder.columns().0));
                let query = query.bind(column(sessions, |session| session.holder.columns().1));
                let query = query.bind(column(sessions, |session| session.client_id.as_str()));
                let query = query.bind(column(sessions, |session| i64::from(session.expiry_s)));
                let query = query.bind(column(sessions, |session| session.expires_at.map(|at| at.0)));
                let will = column(sessions, |session| session.will.as_ref().map(|will| will.body.as_slice()));
                let delay =
                    column(sessions, |session| session.will.as_ref().map(|will| i64::from(will.delay_s)));
                let sent = column(sessions, |session| session.sent_through.map(|position| position as i64));
                query.bind(will).bind(delay).bind(sent).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

fn column<'a, T>(sessions: &[(Uuid, &'a SavedSession)], value: impl Fn(&'a SavedSession) -> T) -> Vec<T> {
    sessions.iter().map(|(_, session)| value(session)).collect()
}
