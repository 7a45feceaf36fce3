//! What the broker must not forget of its sessions: whose they are, what they subscribed to, and what waits for them.
//!
//! The broker keeps all of it in memory and mirrors it here, a group of changes at a time; it reads everything once, at its
//! start. Nothing in here knows MQTT: bodies are opaque, and what runs out when is the broker's affair.

mod changes;
mod load;
mod queue;
mod received;
mod retained;
mod rows;
mod subscriptions;

use bytes::Bytes;
use protocol::{DeviceId, GrantId, KeyId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

pub use changes::SessionChanges;

/// Who a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A device.
    Device(DeviceId),
    /// A service that signed in with an API key.
    Key(KeyId),
    /// A client of the `OAuth2` server that signed in with an access token.
    Grant(GrantId),
    /// Whoever does not say who they are.
    Anonymous,
}

/// A session. No other one has its holder and client id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSession {
    /// Its id, which the broker chooses and never gives to another.
    pub id: u64,
    /// The holder's organization; nil for [`Holder::Anonymous`].
    pub organization: OrganizationId,
    /// Whose it is.
    pub holder: Holder,
    /// What its client calls itself.
    pub client_id: String,
    /// For how long it outlives its connection, in seconds.
    pub expiry_s: u32,
    /// When it ends; none while its client is connected, so that after a crash its time begins anew.
    pub expires_at: Option<Timestamp>,
    /// The position up to which everything was sent to its client at least once; none where that is not known, as while it
    /// is connected.
    pub sent_through: Option<u64>,
    /// What is published for it when its client is lost.
    pub will: Option<SavedWill>,
}

/// A message to be published when a client is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedWill {
    /// The message.
    pub body: Vec<u8>,
    /// How long after the loss, in seconds.
    pub delay_s: u32,
}

/// A filter that a session subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSubscription {
    /// The session.
    pub session: u64,
    /// The filter; a session has each once.
    pub filter: String,
    /// How it is served.
    pub options: u8,
    /// What the client calls it.
    pub identifier: Option<u32>,
}

/// A message that waits for one session or many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedMessage {
    /// Its id, which the broker chooses and never gives to another.
    pub id: u64,
    /// The message.
    pub body: Bytes,
}

/// A place in the queue of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedEntry {
    /// The session.
    pub session: u64,
    /// Where in its queue; the broker counts.
    pub position: u64,
    /// The [`SavedMessage`].
    pub message: u64,
    /// How surely it is delivered.
    pub qos: u8,
    /// Whether it is told to be a retained one.
    pub retain: bool,
    /// Whether the client has it already and only its release is due.
    pub released: bool,
    /// What the client calls the subscriptions that it comes from.
    pub identifiers: Vec<u32>,
}

/// The message that a topic keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedRetained {
    /// Whose topic it is; nil where topics are nobody's.
    pub organization: OrganizationId,
    /// The topic.
    pub topic: String,
    /// The message.
    pub body: Vec<u8>,
    /// When it goes; none for never.
    pub expires_at: Option<Timestamp>,
}

/// Everything that is saved, as it was at one moment. What refers to a session or a message that is not there is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedState {
    /// By id.
    pub sessions: Vec<SavedSession>,
    /// By session.
    pub subscriptions: Vec<SavedSubscription>,
    /// By id.
    pub messages: Vec<SavedMessage>,
    /// By session and position.
    pub queued: Vec<SavedEntry>,
    /// Sessions with the packet ids that their clients have used and not yet released, by both.
    pub received: Vec<(u64, u16)>,
    /// By organization.
    pub retained: Vec<SavedRetained>,
}

impl Store {
    /// Saves a group of changes: all of them or, with an error, none. Saving the same group again changes nothing, so one
    /// whose fate is unknown is simply saved once more. Groups are saved one after the other.
    ///
    /// What is said of a session that is not there (it has ended) is left out.
    pub async fn save_sessions(&self, changes: &SessionChanges) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        changes.check()?;
        let (sessions, replaced) = changes.last_sessions();
        let mut tx = self.begin().await?;
        tx.take_turn().await?;
        let mut ending: Vec<i64> = changes.ended.iter().map(|id| *id as i64).chain(replaced).collect();
        ending.extend(tx.sessions_replaced_by(&sessions).await?);
        let mut let_go = tx.end_sessions(&ending).await?;
        tx.put_sessions(&sessions).await?;
        tx.delete_subscriptions(&changes.unsubscribed).await?;
        tx.put_subscriptions(&changes.subscribed).await?;
        // A message belongs to the organization of the queues that hold it, so these come first.
        tx.insert_entries(&changes.queued).await?;
        tx.insert_messages(&changes.messages).await?;
        tx.release(&changes.released).await?;
        tx.delete_entries(&changes.dequeued).await?;
        let_go.extend(changes.dequeued.iter().map(|(_, _, message)| *message as i64));
        tx.delete_unheld(&let_go).await?;
        tx.delete_received(&changes.completed).await?;
        tx.insert_received(&changes.received).await?;
        tx.put_retained(&changes.retained).await?;
        tx.delete_retained(&changes.forgotten).await?;
        tx.commit().await
    }

    /// Everything that is saved, of the whole installation.
    ///
    /// A server that was killed may have left a group behind that the database is still working on: that is waited for.
    pub async fn load_sessions(&self) -> Result<SavedState> {
        // In a transaction of its own: a snapshot shows what was committed before its first statement, which would be the
        // one that waits.
        let mut turn = self.begin().await?;
        turn.take_turn().await?;
        turn.commit().await?;
        self.snapshot().await?.load_sessions().await
    }
}

impl Tx {
    /// Waits until every earlier group is saved or given up: a connection that broke in the middle of a group may leave it
    /// running on the server while the broker saves it again.
    ///
    /// Queues fill and empty faster than the planner hears of it, and a plan for an empty table reads all of a full one;
    /// here the rows to touch are always named, so that there is only one good plan: by index.
    async fn take_turn(&mut self) -> Result<()> {
        const SQL: &str =
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
                set_config('enable_mergejoin', 'off', true), set_config('enable_material', 'off', true),
                pg_advisory_xact_lock($1)";
        if let Self::Postgres(tx) = self {
            sqlx::query(SQL).bind(crate::engine::SESSIONS_LOCK).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

impl Holder {
    /// The word for it and its id, as columns.
    fn columns(self) -> (&'static str, Option<Uuid>) {
        match self {
            Self::Device(device) => ("device", Some(device.as_uuid())),
            Self::Key(key) => ("key", Some(key.as_uuid())),
            Self::Grant(grant) => ("grant", Some(grant.as_uuid())),
            Self::Anonymous => ("anonymous", None),
        }
    }

    fn read(word: &str, id: Option<Uuid>) -> Result<Self> {
        match (word, id) {
            ("device", Some(id)) => Ok(Self::Device(DeviceId::from_uuid(id))),
            ("key", Some(id)) => Ok(Self::Key(KeyId::from_uuid(id))),
            ("grant", Some(id)) => Ok(Self::Grant(GrantId::from_uuid(id))),
            ("anonymous", None) => Ok(Self::Anonymous),
            _ => Err(StoreError::Corrupt("holder of a session")),
        }
    }
}

impl SavedSession {
    /// What no other session has.
    fn key(&self) -> Uuid {
        let (word, id) = self.holder.columns();
        digest(&[word.as_bytes(), id.unwrap_or_default().as_bytes(), self.client_id.as_bytes()])
    }
}

/// Stands for a text of any length in an index: the first half of a BLAKE3 hash. `parts` but the last are of known length.
fn digest(parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Uuid::from_bytes(half)
}
