//! Sessions: what the server remembers of a client from CONNECT to the end of its session, connected or not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;

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
    /// Messages given up because too much was waiting, those of all sessions.
    dropped: Counter,
    state: Mutex<State>,
}

/// What changes while a session lives.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The filters subscribed to, with their options byte.
    pub(crate) filters: Vec<(Box<str>, u8)>,
    /// Waiting to be written.
    pending: VecDeque<Outgoing>,
    /// What `pending` and `inflight` hold together.
    bytes: usize,
    /// Written with QoS 1 and not yet acknowledged, in the order of sending.
    inflight: VecDeque<(u16, Outgoing)>,
    last_packet_id: u16,
    /// The connection that serves the session now.
    pub(crate) link: Option<Arc<Link>>,
    /// Bumped with each connection, so that an old end does not undo a new beginning.
    pub(crate) generation: u64,
}

/// A message for this session.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// The packet id it was sent with before: it goes out with the same, marked as a duplicate (MQTT-4.4.0-1).
    pub(crate) again: Option<u16>,
}

impl Session {
    pub(crate) fn new(id: u64, key: SessionKey, dropped: Counter) -> Self {
        Self { id, key, dropped, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message with the lower of its own and the subscription's QoS (MQTT-3.8.4-8) and wakes the connection.
    ///
    /// Without a connection only QoS 1 waits; above the queue's bounds the new message is dropped and counted. What was
    /// sent and not yet acknowledged counts as waiting.
    pub(crate) fn deliver(&self, message: Message, qos: Qos, retain: bool) {
        let mut state = self.state();
        let qos = qos.min(message.qos());
        let full = state.bytes + message.size() > QUEUE_BYTES
            || state.pending.len() + state.inflight.len() >= QUEUE_MESSAGES;
        if full || (state.link.is_none() && qos == Qos::AtMostOnce) {
            self.dropped.inc_by(u64::from(full));
            return;
        }
        state.bytes += message.size();
        state.pending.push_back(Outgoing { message, qos, retain, again: None });
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
        if outgoing.qos == Qos::AtMostOnce {
            self.bytes -= outgoing.message.size();
            return Some((0, outgoing));
        }
        let id = outgoing.again.unwrap_or_else(|| self.fresh_packet_id());
        self.inflight.push_back((id, outgoing.clone()));
        Some((id, outgoing))
    }

    /// What was sent and not acknowledged goes out again before anything else, in its first order (MQTT-4.6.0-1), and no
    /// more of it at once than the new connection takes (MQTT-3.3.4-9).
    pub(crate) fn send_again(&mut self) {
        while let Some((id, outgoing)) = self.inflight.pop_back() {
            self.pending.push_front(Outgoing { again: Some(id), ..outgoing });
        }
    }

    /// The client has message `id`; false where nothing with that id was waiting.
    pub(crate) fn acknowledge(&mut self, id: u16) -> bool {
        let found = self.inflight.iter().position(|(other, _)| *other == id);
        let Some((_, outgoing)) = found.and_then(|index| self.inflight.remove(index)) else { return false };
        self.bytes -= outgoing.message.size();
        true
    }

    /// Forgets what QoS 0 promised to nobody, when the connection ends.
    pub(crate) fn drop_unpromised(&mut self) {
        self.pending.retain(|outgoing| outgoing.qos == Qos::AtLeastOnce);
        let waiting = self.pending.iter().chain(self.inflight.iter().map(|(_, outgoing)| outgoing));
        self.bytes = waiting.map(|outgoing| outgoing.message.size()).sum();
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
        let session = Session::new(
            1,
            SessionKey { identity: Identity::Anonymous, client_id: "c".into() },
            Counter::default(),
        );
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
        // On a new connection the unacknowledged ones go again, as many as it takes, and only then what is new.
        state.send_again();
        let again: Vec<_> = std::iter::from_fn(|| state.next(1)).map(|(id, out)| (id, out.again)).collect();
        assert_eq!(again, [(2, Some(2))]);
        assert_eq!(state.next(2).map(|(id, _)| id), Some(3));
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
        assert_eq!(session.dropped.get(), 5);
        // What is on its way and not acknowledged is still held.
        let (id, _) = session.state().next(1).expect("a message");
        session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        assert_eq!(session.dropped.get(), 6);
        assert!(session.state().acknowledge(id));
        session.deliver(message(Qos::AtLeastOnce), Qos::AtLeastOnce, false);
        assert_eq!(session.dropped.get(), 6);
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
