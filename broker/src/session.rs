//! Sessions: what the server remembers of a client from CONNECT to the end of its session, connected or not.

mod outgoing;
mod pressure;
mod unfinished;
mod usage;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{OrganizationId, Timestamp};
use store::{SavedEntry, SavedSession, SavedWill};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::access::Identity;
use crate::codec::Qos;
use crate::connection::Link;
use crate::filter;
use crate::journal::Journal;
use crate::message::Message;

pub(crate) use outgoing::{Delivered, How, Outgoing, Sent, Stage};
pub(crate) use pressure::Pressure;
pub(crate) use unfinished::Unfinished;
pub(crate) use usage::{Bounds, Usage};

/// What a session is known by: nobody reaches the session of another identity, whatever client id they choose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionKey {
    pub(crate) identity: Identity,
    pub(crate) client_id: Arc<str>,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Unique in this installation, never 0.
    pub(crate) id: u64,
    pub(crate) key: SessionKey,
    /// Whose topics it publishes and subscribes to.
    pub(crate) organization: OrganizationId,
    /// Whether it was made to outlive its connection: then the store has it too.
    pub(crate) durable: bool,
    /// Topics it never gets, however wide its filters.
    hidden: Arc<[Box<str>]>,
    usage: Arc<Usage>,
    journal: Arc<Journal>,
    state: Mutex<State>,
}

/// What changes while a session lives.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) subscriptions: Vec<Subscribed>,
    /// Waiting to be written.
    pending: VecDeque<Outgoing>,
    /// Written with QoS 1 or 2 and not yet done with, in the order of sending.
    inflight: VecDeque<Outgoing>,
    /// What `pending` and `inflight` hold together.
    bytes: usize,
    /// No message that waits is over before this.
    nothing_over_before: Timestamp,
    /// Something may be waiting with QoS 0.
    has_unpromised: bool,
    /// The position of the newest message with QoS 1 or 2.
    last_position: u64,
    /// Positions up to this one have packet ids that nothing older holds.
    free_until: u64,
    /// Packet ids of QoS 2 messages from the client that it has not released yet, with the connection they came on.
    received: BTreeMap<u16, u64>,
    /// How many of them came on this connection: an older one's do not count against what it may send (section 4.9).
    received_here: usize,
    /// Bytes of filters and of the will, which count as what waits does.
    beside: usize,
    /// Cancelled once the client has taken most of what waits; there while publishers are to wait for that.
    relief: Option<CancellationToken>,
    /// The client did not take enough when publishers waited: they wait no more until it does.
    slow: bool,
    /// The connection that serves the session now.
    pub(crate) link: Option<Arc<Link>>,
    /// The generation of which it is known that it came: only then does it get what the platform has for a device, so that what
    /// waits comes before what is new.
    pub(crate) greeted: u64,
    /// Bumped with each connection, so that an old end does not undo a new beginning.
    pub(crate) generation: u64,
    /// How long the session lives without a connection, in seconds.
    pub(crate) expiry_s: u32,
    /// What is published when the client goes without a word, as the store keeps it.
    pub(crate) will: Option<Will>,
    /// Told when the client comes back or the session ends while its will waits for its delay.
    pub(crate) will_waits: Option<Arc<Notify>>,
    /// No longer in the table.
    pub(crate) ended: bool,
}

/// What a subscription costs beside the bytes of its filter, and each level of it in the trees.
const SUBSCRIPTION: usize = 128;
const LEVEL: usize = 128;

/// A subscription of a session.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed {
    /// As the client wrote it, `$share/…` included.
    pub(crate) filter: Box<str>,
    /// The options byte of MQTT 5 (section 3.8.3.1).
    pub(crate) options: u8,
    pub(crate) identifier: Option<u32>,
}

impl Subscribed {
    /// What a subscription to `filter` holds, in the session and in the trees.
    pub(crate) fn size(filter: &str) -> usize {
        SUBSCRIPTION + 2 * filter.len() + LEVEL * filter::levels(filter)
    }
}

/// The message to publish for a client that goes without saying so, and how long to wait for it to come back.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    /// Its time to expire counts from its publication.
    pub(crate) message: Message,
    /// Seconds (section 3.1.3.2.2).
    pub(crate) delay_s: u32,
}

/// What a new session is made with.
pub(crate) struct Birth {
    pub(crate) id: u64,
    pub(crate) key: SessionKey,
    pub(crate) organization: OrganizationId,
    pub(crate) durable: bool,
    pub(crate) hidden: Arc<[Box<str>]>,
    pub(crate) usage: Arc<Usage>,
}

impl Session {
    pub(crate) fn new(birth: Birth, journal: Arc<Journal>) -> Self {
        let Birth { id, key, organization, durable, hidden, usage } = birth;
        Self { id, key, organization, durable, hidden, usage, journal, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row the store keeps of it; `expires_at` is none while it has a connection.
    pub(crate) fn row(&self, state: &State, expires_at: Option<Timestamp>) -> SavedSession {
        SavedSession {
            id: self.id,
            organization: self.organization,
            holder: self.key.identity.holder(),
            client_id: self.key.client_id.to_string(),
            expiry_s: state.expiry_s,
            expires_at,
            sent_through: expires_at.map(|_| state.sent_through()),
            will: state
                .will
                .clone()
                .map(|will| SavedWill { body: will.message.into_frame().to_vec(), delay_s: will.delay_s }),
        }
    }

    /// A QoS 2 message of the client came, and is held until it is released (section 4.3.3). False where the connection was
    /// taken over: what it still had to say is not heard.
    pub(crate) fn take_in(&self, generation: u64, id: u16) -> bool {
        let mut state = self.state();
        if state.generation != generation {
            return false;
        }
        let before = state.received.insert(id, generation);
        // A batch of pings comes again on a new connection: held before, and from now on held there.
        state.received_here += usize::from(before != Some(generation));
        if before.is_none() && self.durable {
            self.journal.received(self.id, id);
        }
        true
    }

    /// The client released a QoS 2 message, or it was refused: its packet id is free. False if nothing was held under it.
    pub(crate) fn release(&self, id: u16) -> bool {
        let mut state = self.state();
        let Some(generation) = state.received.remove(&id) else { return false };
        state.received_here -= usize::from(generation == state.generation);
        if self.durable {
            self.journal.completed(self.id, id);
        }
        true
    }

    /// Whether a QoS 2 message of the client is held under the packet id.
    pub(crate) fn holds(&self, id: u16) -> bool {
        self.state().received.contains_key(&id)
    }

    /// How many QoS 2 messages of this connection's client are not released yet.
    pub(crate) fn held(&self) -> usize {
        self.state().received_here
    }

    /// Whether so much more may be kept of the session, of its filters or its will.
    pub(crate) fn has_room(&self, state: &State, more: usize) -> bool {
        state.beside + more <= self.usage.bounds.session_bytes && self.usage.has_room(more)
    }

    /// What is published when its client is lost, or nothing.
    pub(crate) fn set_will(&self, state: &mut State, will: Option<Will>) {
        let bytes = |will: &Option<Will>| will.as_ref().map_or(0, |will| will.message.size());
        self.keep_beside(state, bytes(&will));
        self.drop_beside(state, bytes(&state.will));
        state.will = will;
    }

    /// Something is kept beside what waits.
    pub(crate) fn keep_beside(&self, state: &mut State, bytes: usize) {
        state.beside += bytes;
        self.usage.add_beside(bytes);
    }

    /// It is kept no longer.
    pub(crate) fn drop_beside(&self, state: &mut State, bytes: usize) {
        state.beside -= bytes;
        self.usage.remove_beside(bytes);
    }

    /// Takes back what the store kept, in order. What lies beyond the position `sent_through` was not sent before the end;
    /// where that is not known, saying that everything was is what a client can rely on.
    pub(crate) fn restore(
        &self,
        entries: Vec<(SavedEntry, Message)>,
        received: impl IntoIterator<Item = u16>,
        sent_through: Option<u64>,
        now: Timestamp,
    ) {
        let mut state = self.state();
        state.last_position = sent_through.unwrap_or_default();
        state.received.extend(received.into_iter().map(|id| (id, 0)));
        for (entry, message) in entries {
            state.last_position = state.last_position.max(entry.position);
            // Nobody waits for it any more, and whether it was begun is not known (section 3.3.2.3.3).
            if sent_through.is_none() && entry.qos == 1 && message.expires_at().is_some_and(|at| at <= now) {
                self.usage.expired.inc();
                self.journal.dequeued(self.id, entry.position, entry.message);
                continue;
            }
            let how_far = match sent_through {
                _ if entry.released => Stage::Released,
                Some(through) if entry.position > through => Stage::Queued,
                _ => Stage::Again,
            };
            if let Some(at) = message.expires_at() {
                state.nothing_over_before = state.nothing_over_before.min(at);
            }
            let outgoing = Outgoing {
                message,
                stored: entry.message,
                position: entry.position,
                qos: Qos::of(entry.qos),
                retain: entry.retain,
                stage: how_far,
                identifiers: entry.identifiers,
                group: None,
            };
            state.bytes += outgoing.size();
            self.usage.add(outgoing.size());
            state.pending.push_back(outgoing);
        }
    }
}

#[cfg(test)]
mod tests;
