//! What changed since the last group was saved.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use protocol::OrganizationId;
use uuid::Uuid;

use super::{SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedSubscription};
use crate::error::{Result, StoreError};

/// A group of changes, saved in one transaction, in the order of the fields whatever the order they happened in: of two
/// things that undo each other (subscribing and unsubscribing, retaining and forgetting) name the last one only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionChanges {
    /// These sessions end, with all that hangs on them.
    pub ended: Vec<u64>,
    /// These sessions are like this now. Another session of the same holder and client id ends.
    pub sessions: Vec<SavedSession>,
    /// (session, filter): no longer subscribed to.
    pub unsubscribed: Vec<(u64, String)>,
    /// These subscriptions are like this now.
    pub subscribed: Vec<SavedSubscription>,
    /// The bodies of entries in `queued`, those that are saved already may be left out. One that no queue holds at the
    /// end is not kept.
    pub messages: Vec<SavedMessage>,
    /// These wait now; what is in that position already stays.
    pub queued: Vec<SavedEntry>,
    /// (session, position): the client has it, and only its release is due.
    pub released: Vec<(u64, u64)>,
    /// (session, position, message): waits no more. The message goes with the last queue that holds it.
    pub dequeued: Vec<(u64, u64, u64)>,
    /// (session, packet id): released by the client. Before `received`: a client may use an id again at once.
    pub completed: Vec<(u64, u16)>,
    /// (session, packet id): used by the client and not yet released.
    pub received: Vec<(u64, u16)>,
    /// These topics keep this now.
    pub retained: Vec<SavedRetained>,
    /// These topics keep nothing.
    pub forgotten: Vec<(OrganizationId, String)>,
}

impl SessionChanges {
    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        let Self { ended, sessions, unsubscribed, subscribed, messages, queued, .. } = self;
        let Self { released, dequeued, completed, received, retained, forgotten, .. } = self;
        let first =
            ended.is_empty() && sessions.is_empty() && unsubscribed.is_empty() && subscribed.is_empty();
        let queues = messages.is_empty() && queued.is_empty() && released.is_empty() && dequeued.is_empty();
        let last = completed.is_empty() && received.is_empty() && retained.is_empty() && forgotten.is_empty();
        first && queues && last
    }

    /// `PostgreSQL` keeps no text with U+0000 (<https://www.postgresql.org/docs/current/datatype-character.html>); MQTT
    /// has none either.
    pub(super) fn check(&self) -> Result<()> {
        let sessions = self.sessions.iter().map(|session| &session.client_id);
        let filters = self.subscribed.iter().map(|subscription| &subscription.filter);
        let topics = self.retained.iter().map(|retained| &retained.topic);
        if sessions.chain(filters).chain(topics).any(|text| text.contains('\0')) {
            return Err(StoreError::Invalid("a client id, filter or topic has U+0000 in it".into()));
        }
        Ok(())
    }

    /// The sessions as they are in the end, and the ids that lost their key to a later one of this group.
    pub(super) fn last_sessions(&self) -> (Vec<(Uuid, &SavedSession)>, Vec<i64>) {
        let last: Vec<_> = last(&self.sessions, |session| session.id)
            .into_iter()
            .map(|session| (session.key(), session))
            .collect();
        let owners: HashMap<Uuid, u64> = last.iter().map(|(key, session)| (*key, session.id)).collect();
        let (kept, replaced): (Vec<_>, Vec<_>) =
            last.into_iter().partition(|(key, session)| owners[key] == session.id);
        (kept, replaced.into_iter().map(|(_, session)| session.id as i64).collect())
    }
}

/// The last row of each key: one statement cannot change a row twice.
pub(super) fn last<T, K: Eq + Hash>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut seen = HashSet::with_capacity(rows.len());
    let mut last: Vec<&T> = rows.iter().rev().filter(|row| seen.insert(key(row))).collect();
    last.reverse();
    last
}
