//! The changes of one group, each thing once: later ones replace earlier ones or cancel them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use protocol::OrganizationId;
use store::{SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedSubscription, SessionChanges};
use tokio::sync::oneshot;

use crate::connection::Reply;
use crate::message::Message;
use crate::session::{Outgoing, Stage};

/// How much a group takes before publishers wait: the memory that a store which does not keep up can cost.
const BYTES: usize = 8 * 1024 * 1024;
/// Places in queues, subscriptions and retained topics that one commit changes; with more it would take longer than others should wait for the store.
const ROWS: usize = 2000;

/// A group that is being collected.
#[derive(Debug, Default)]
pub(super) struct Pending {
    sessions: HashMap<u64, SavedSession>,
    ended: HashSet<u64>,
    subscriptions: HashMap<(u64, Box<str>), Option<SavedSubscription>>,
    queue: HashMap<(u64, u64), Queued>,
    received: HashMap<(u64, u16), bool>,
    retained: HashMap<(OrganizationId, Box<str>), Option<Message>>,
    replies: Replies,
    /// What the new messages, filters and topics hold.
    bytes: usize,
}

/// Whom to tell when a group is committed.
#[derive(Debug, Default)]
pub(super) struct Replies {
    answers: Vec<(Reply, u8)>,
    tasks: Vec<oneshot::Sender<()>>,
}

/// What becomes of a place in a queue.
#[derive(Debug)]
enum Queued {
    New(SavedEntry, Message),
    Released,
    Gone { message: u64 },
}

impl Pending {
    pub(super) fn session(&mut self, row: SavedSession) {
        self.sessions.insert(row.id, row);
    }

    pub(super) fn ended(&mut self, session: u64) {
        self.sessions.remove(&session);
        self.ended.insert(session);
    }

    pub(super) fn subscribed(&mut self, subscription: SavedSubscription) {
        let key = (subscription.session, subscription.filter.as_str().into());
        self.note_subscription(key, Some(subscription));
    }

    pub(super) fn unsubscribed(&mut self, session: u64, filter: &str) {
        self.note_subscription((session, filter.into()), None);
    }

    fn note_subscription(&mut self, key: (u64, Box<str>), subscription: Option<SavedSubscription>) {
        let bytes = key.1.len();
        if self.subscriptions.insert(key, subscription).is_none() {
            self.bytes += bytes;
        }
    }

    pub(super) fn queued(&mut self, session: u64, position: u64, outgoing: &Outgoing) {
        let entry = SavedEntry {
            session,
            position,
            message: outgoing.stored,
            qos: outgoing.qos as u8,
            retain: outgoing.retain,
            released: outgoing.stage == Stage::Released,
            identifiers: outgoing.identifiers.clone(),
        };
        self.bytes += outgoing.message.size();
        self.queue.insert((session, position), Queued::New(entry, outgoing.message.clone()));
    }

    pub(super) fn released(&mut self, session: u64, position: u64) {
        match self.queue.entry((session, position)) {
            Entry::Occupied(mut known) => {
                if let Queued::New(entry, _) = known.get_mut() {
                    entry.released = true;
                }
            }
            Entry::Vacant(place) => {
                place.insert(Queued::Released);
            }
        }
    }

    pub(super) fn dequeued(&mut self, session: u64, position: u64, message: u64) {
        let key = (session, position);
        match self.queue.remove(&key) {
            // It came and went before anybody wrote it down.
            Some(Queued::New(_, message)) => self.bytes -= message.size(),
            _ => {
                self.queue.insert(key, Queued::Gone { message });
            }
        }
    }

    pub(super) fn received(&mut self, session: u64, id: u16, held: bool) {
        self.received.insert((session, id), held);
    }

    pub(super) fn retained(&mut self, organization: OrganizationId, topic: &str, message: Option<&Message>) {
        let bytes = |message: Option<&Message>| topic.len() + message.map_or(0, Message::size);
        self.bytes += bytes(message);
        if let Some(old) = self.retained.insert((organization, topic.into()), message.cloned()) {
            self.bytes -= bytes(old.as_ref());
        }
    }

    pub(super) fn after(&mut self, reply: Reply, code: u8) {
        self.replies.answers.push((reply, code));
    }

    pub(super) fn tell(&mut self, told: oneshot::Sender<()>) {
        self.replies.tasks.push(told);
    }

    /// Whether the next commit would be too large with more: in bytes, or in rows.
    pub(super) fn is_full(&self) -> bool {
        let rows = self.queue.len() + self.subscriptions.len() + self.retained.len();
        self.bytes >= BYTES || rows >= ROWS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.ended.is_empty()
            && self.subscriptions.is_empty()
            && self.queue.is_empty()
            && self.received.is_empty()
            && self.retained.is_empty()
            && self.replies.answers.is_empty()
            && self.replies.tasks.is_empty()
    }

    /// The rows to write, and whom to tell then.
    pub(super) fn into_changes(self) -> (SessionChanges, Replies) {
        let mut changes = SessionChanges::default();
        let mut bodies: HashMap<u64, Message> = HashMap::new();
        // Nothing is written for a session that ends in the same group.
        let lives = |session: u64| !self.ended.contains(&session);
        changes.sessions = self.sessions.into_values().collect();
        for ((session, filter), subscription) in self.subscriptions {
            match subscription {
                _ if !lives(session) => {}
                Some(subscription) => changes.subscribed.push(subscription),
                None => changes.unsubscribed.push((session, filter.into())),
            }
        }
        for ((session, position), queued) in self.queue {
            match queued {
                _ if !lives(session) => {}
                Queued::New(entry, message) => {
                    bodies.entry(entry.message).or_insert(message);
                    changes.queued.push(entry);
                }
                Queued::Released => changes.released.push((session, position)),
                Queued::Gone { message } => changes.dequeued.push((session, position, message)),
            }
        }
        for ((session, id), held) in self.received {
            match held {
                _ if !lives(session) => {}
                true => changes.received.push((session, id)),
                false => changes.completed.push((session, id)),
            }
        }
        for ((organization, topic), message) in self.retained {
            match message {
                Some(message) => changes.retained.push(SavedRetained {
                    organization,
                    topic: topic.into(),
                    expires_at: message.expires_at(),
                    body: message.into_frame().to_vec(),
                }),
                None => changes.forgotten.push((organization, topic.into())),
            }
        }
        let bodies = bodies.into_iter();
        changes.messages =
            bodies.map(|(id, message)| SavedMessage { id, body: message.into_frame() }).collect();
        changes.ended = self.ended.into_iter().collect();
        (changes, self.replies)
    }
}

impl Replies {
    /// Tells everybody that the commit is done.
    pub(super) fn send(self) {
        for (reply, code) in self.answers {
            reply.settle(code);
        }
        for told in self.tasks {
            let _ = told.send(()); // whoever does not wait any more need not know
        }
    }
}
