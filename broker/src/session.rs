//! Sessions: what the server remembers of a client from CONNECT to the end of its session, connected or not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::Identity;
use crate::codec::Qos;
use crate::connection::Link;
use crate::message::Message;

/// How much may wait for one session before further messages are dropped and counted.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
const QUEUE_MESSAGES: usize = 10_000;

/// What a session is known by: nobody reaches the session of another identity, whatever client id they choose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) identity: Identity,
    pub(crate) client_id: Box<str>,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Unique in this process, never 0.
    pub(crate) id: u64,
    pub(crate) key: SessionKey,
    state: Mutex<State>,
}

/// What changes while a session lives.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The filters subscribed to, with their options byte.
    pub(crate) filters: Vec<(Box<str>, u8)>,
    /// Waiting to be written.
    pending: VecDeque<Outgoing>,
    pending_bytes: usize,
    /// Written with QoS 1 and not yet acknowledged, in the order of sending.
    inflight: VecDeque<(u16, Outgoing)>,
    last_packet_id: u16,
    /// The connection that serves the session now.
    pub(crate) link: Option<Arc<Link>>,
    /// Bumped with each connection, so that an old end does not undo a new beginning.
    pub(crate) generation: u64,
    /// Messages given up because too much was waiting.
    pub(crate) dropped: u64,
}

/// A message for this session.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

impl Session {
    pub(crate) fn new(id: u64, key: SessionKey) -> Self {
        Self { id, key, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message with the lower of its own and the subscription's QoS (MQTT-3.8.4-8) and wakes the connection.
    ///
    /// Without a connection only QoS 1 waits; above the queue's bounds the new message is dropped and counted.
    pub(crate) fn deliver(&self, message: Message, qos: Qos, retain: bool) {
        let mut state = self.state();
        let qos = qos.min(message.qos());
        let full =
            state.pending_bytes + message.size() > QUEUE_BYTES || state.pending.len() >= QUEUE_MESSAGES;
        if full || (state.link.is_none() && qos == Qos::AtMostOnce) {
            state.dropped += u64::from(full);
            return;
        }
        state.pending_bytes += message.size();
        state.pending.push_back(Outgoing { message, qos, retain });
        if let Some(link) = &state.link {
            link.wake();
        }
    }
}

impl State {
    /// The next message that may be written now; QoS 1 waits while `window` are unacknowledged.
    pub(crate) fn next(&mut self, window: usize) -> Option<(u16, Outgoing)> {
        let head = self.pending.front()?;
        if head.qos == Qos::AtLeastOnce && self.inflight.len() >= window {
            return None;
        }
        let outgoing = self.pending.pop_front()?;
        self.pending_bytes -= outgoing.message.size();
        if outgoing.qos == Qos::AtMostOnce {
            return Some((0, outgoing));
        }
        let id = self.fresh_packet_id();
        self.inflight.push_back((id, outgoing.clone()));
        Some((id, outgoing))
    }

    /// What must be sent again when the session resumes, in its first order (MQTT-4.4.0-1, MQTT-4.6.0-1).
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = &(u16, Outgoing)> {
        self.inflight.iter()
    }

    /// The client has message `id`; false where nothing with that id was waiting.
    pub(crate) fn acknowledge(&mut self, id: u16) -> bool {
        let found = self.inflight.iter().position(|(other, _)| *other == id);
        found.is_some_and(|index| self.inflight.remove(index).is_some())
    }

    /// Forgets what QoS 0 promised to nobody, when the connection ends.
    pub(crate) fn drop_unpromised(&mut self) {
        self.pending.retain(|outgoing| outgoing.qos == Qos::AtLeastOnce);
        self.pending_bytes = self.pending.iter().map(|outgoing| outgoing.message.size()).sum();
    }

    fn fresh_packet_id(&mut self) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if self.inflight.iter().all(|(id, _)| *id != self.last_packet_id) {
                return self.last_packet_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let session = Session::new(1, SessionKey { identity: Identity::Anonymous, client_id: "c".into() });
        session.state().link = Some(Arc::default());
        session
    }

    fn message(qos: Qos) -> Message {
        Message::new("a/b", b"x", &[], qos, false, 0)
    }

    #[test]
    fn the_window_holds_back_qos_1_only() {
        let session = session();
        for _ in 0..3 {
            session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        }
        let mut state = session.state();
        assert_eq!(state.next(2).map(|(id, _)| id), Some(1));
        assert_eq!(state.next(2).map(|(id, _)| id), Some(2));
        assert!(state.next(2).is_none());
        assert!(state.acknowledge(1) && !state.acknowledge(1));
        assert_eq!(state.next(2).map(|(id, _)| id), Some(3));
        assert_eq!(state.unacknowledged().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_lower_qos_wins_and_qos_0_does_not_wait_for_the_absent() {
        let session = session();
        session.deliver(message(Qos::AtMostOnce), Qos::AtLeastOnce, false);
        assert_eq!(session.state().next(1).map(|(id, out)| (id, out.qos)), Some((0, Qos::AtMostOnce)));
        session.state().link = None;
        session.deliver(message(Qos::AtMostOnce), Qos::AtMostOnce, false);
        session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        assert_eq!(session.state().next(1).map(|(id, _)| id), Some(1));
        assert!(session.state().next(1).is_none());
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let session = session();
        for _ in 0..QUEUE_MESSAGES + 5 {
            session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        }
        assert_eq!(session.state().dropped, 5);
    }

    #[test]
    fn packet_ids_in_use_are_passed_over() {
        let session = session();
        session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        session.state().next(1);
        session.state().last_packet_id = u16::MAX;
        session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        assert_eq!(session.state().next(2).map(|(id, _)| id), Some(2));
    }
}
