//! Reading everything that is saved.

use std::collections::HashSet;

use protocol::{OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use super::queue::identifiers;
use super::{
    Holder, SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedState, SavedSubscription, SavedWill,
};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

impl Tx {
    pub(super) async fn load_sessions(&mut self) -> Result<SavedState> {
        const SESSIONS: &str =
            "SELECT id, organization, holder, holder_id, client_id, expiry_s, expires_at, will, will_delay_s,
                sent_through
            FROM sessions ORDER BY id";
        const SUBSCRIPTIONS: &str =
            "SELECT session, filter, options, identifier FROM session_subscriptions ORDER BY session, key";
        const MESSAGES: &str = "SELECT id, body FROM messages ORDER BY id";
        const QUEUED: &str = "SELECT session, position, message, qos, retain, released, identifiers
            FROM session_queue ORDER BY session, position";
        const RECEIVED: &str = "SELECT session, packet FROM session_received ORDER BY session, packet";
        const RETAINED: &str =
            "SELECT organization, topic, body, expires_at FROM retained ORDER BY organization, key";
        let sessions: Vec<SessionRow> = within!(self, |db| sqlx::query_as(SESSIONS).fetch_all(db).await?);
        let subscriptions: Vec<(i64, String, i64, Option<i64>)> =
            within!(self, |db| sqlx::query_as(SUBSCRIPTIONS).fetch_all(db).await?);
        let messages: Vec<(i64, Vec<u8>)> =
            within!(self, |db| sqlx::query_as(MESSAGES).fetch_all(db).await?);
        let queued: Vec<EntryRow> = within!(self, |db| sqlx::query_as(QUEUED).fetch_all(db).await?);
        let received: Vec<(i64, i64)> = within!(self, |db| sqlx::query_as(RECEIVED).fetch_all(db).await?);
        let retained: Vec<(Uuid, String, Vec<u8>, Option<i64>)> =
            within!(self, |db| sqlx::query_as(RETAINED).fetch_all(db).await?);

        let subscription =
            |(session, filter, options, identifier): (i64, String, i64, Option<i64>)| SavedSubscription {
                session: session as u64,
                filter,
                options: options as u8,
                identifier: identifier.map(|identifier| identifier as u32),
            };
        let retained_row =
            |(organization, topic, body, expires_at): (Uuid, String, Vec<u8>, Option<i64>)| SavedRetained {
                organization: OrganizationId::from_uuid(organization),
                topic,
                body,
                expires_at: expires_at.map(Timestamp),
            };
        let messages: Vec<SavedMessage> = messages
            .into_iter()
            .map(|(id, body)| SavedMessage { id: id as u64, body: body.into() })
            .collect();
        Ok(SavedState {
            sessions: sessions.into_iter().map(SavedSession::try_from).collect::<Result<_>>()?,
            subscriptions: subscriptions.into_iter().map(subscription).collect(),
            queued: with_messages(queued, &messages)?,
            messages,
            received: received.into_iter().map(|(session, packet)| (session as u64, packet as u16)).collect(),
            retained: retained.into_iter().map(retained_row).collect(),
        })
    }
}

/// The entries whose message is there. Only a broker that queued a message without ever giving its body leaves others.
fn with_messages(rows: Vec<EntryRow>, messages: &[SavedMessage]) -> Result<Vec<SavedEntry>> {
    let known: HashSet<u64> = messages.iter().map(|message| message.id).collect();
    let rows_read = rows.len();
    let known_rows = rows.into_iter().filter(|row| known.contains(&(row.message as u64)));
    let entries: Vec<SavedEntry> = known_rows.map(SavedEntry::try_from).collect::<Result<_>>()?;
    if entries.len() < rows_read {
        tracing::warn!(entries = rows_read - entries.len(), "queued messages without a body are left out");
    }
    Ok(entries)
}

#[derive(FromRow)]
struct SessionRow {
    id: i64,
    organization: Uuid,
    holder: String,
    holder_id: Option<Uuid>,
    client_id: String,
    expiry_s: i64,
    expires_at: Option<i64>,
    will: Option<Vec<u8>>,
    will_delay_s: Option<i64>,
    sent_through: Option<i64>,
}

impl TryFrom<SessionRow> for SavedSession {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self> {
        let will = row.will.zip(row.will_delay_s);
        Ok(Self {
            id: row.id as u64,
            organization: OrganizationId::from_uuid(row.organization),
            holder: Holder::read(&row.holder, row.holder_id)?,
            client_id: row.client_id,
            expiry_s: row.expiry_s as u32,
            expires_at: row.expires_at.map(Timestamp),
            sent_through: row.sent_through.map(|position| position as u64),
            will: will.map(|(body, delay)| SavedWill { body, delay_s: delay as u32 }),
        })
    }
}

#[derive(FromRow)]
struct EntryRow {
    session: i64,
    position: i64,
    message: i64,
    qos: i64,
    retain: bool,
    released: bool,
    identifiers: Vec<u8>,
}

impl TryFrom<EntryRow> for SavedEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self> {
        Ok(Self {
            session: row.session as u64,
            position: row.position as u64,
            message: row.message as u64,
            qos: row.qos as u8,
            retain: row.retain,
            released: row.released,
            identifiers: identifiers(&row.identifiers).ok_or(StoreError::Corrupt("queued message"))?,
        })
    }
}
