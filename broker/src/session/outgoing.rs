//! What waits for a client: queued, sent, acknowledged.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;

use protocol::Timestamp;

use super::{Pressure, Session, State};
use crate::codec::Qos;
use crate::dispatch::Group;
use crate::filter;
use crate::message::Message;

/// What a waiting message costs beside its bytes.
const OVERHEAD: usize = 96;
const PACKET_IDS: u64 = u16::MAX as u64;

/// A message for this session.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    /// What the store knows the message by.
    pub(crate) stored: u64,
    /// Its place among the messages of the session that have a packet id; 0 with QoS 0.
    pub(super) position: u64,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) stage: Stage,
    /// Subscription identifiers.
    pub(crate) identifiers: Vec<u32>,
    /// The group that it came through; not known any more after a restart.
    pub(crate) group: Option<Arc<Group>>,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not sent yet.
    Queued,
    /// Sent on an earlier connection: it goes out again, marked as a duplicate (MQTT-3.3.1-1).
    Again,
    /// QoS 2 and with the client: what is missing is PUBREL and PUBCOMP.
    Released,
}

/// How a session gets a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// The highest QoS of the subscriptions it matched.
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Vec<u32>,
    /// The group whose member the session is chosen as.
    pub(crate) group: Option<Arc<Group>>,
}

/// What became of a message for a session.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// False where it was given up.
    pub(crate) taken: bool,
    /// The publisher should wait for the client.
    pub(crate) pressure: Option<Pressure>,
}

/// What became of an attempt to write a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Written,
    /// The client takes no packets of that size: it counts as delivered (MQTT-3.1.2-25).
    TooLarge,
    /// No room in the write buffer.
    Later,
}

impl Outgoing {
    /// The packet identifier. It follows from the position, so that a restart changes none; a session holds fewer messages
    /// than there are identifiers.
    pub(crate) fn packet_id(&self) -> u16 {
        if self.position == 0 { 0 } else { packet_id(self.position) }
    }

    pub(super) fn size(&self) -> usize {
        self.message.size() + OVERHEAD
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // What was sent once is finished whatever the time (section 3.3.2.3.3).
        self.stage == Stage::Queued && self.message.expires_at().is_some_and(|at| at <= now)
    }
}

fn packet_id(position: u64) -> u16 {
    ((position - 1) % PACKET_IDS) as u16 + 1
}

impl Session {
    /// Queues a message with the lower of its own and the subscription's QoS (MQTT-3.8.4-8) and wakes the connection.
    /// `stored` names the message in the store.
    ///
    /// Without a connection QoS 0 does not wait.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        message: &Message,
        stored: u64,
        how: How,
        now: Timestamp,
    ) -> Delivered {
        let qos = how.qos.min(message.qos());
        let mut state = self.state();
        if state.ended
            || (state.link.is_none() && qos == Qos::AtMostOnce)
            || self.hidden.iter().any(|filter| filter::matches(filter, message.topic()))
        {
            return Delivered::default();
        }
        let mut outgoing = Outgoing {
            message: message.clone(),
            stored,
            position: 0,
            qos,
            retain: how.retain,
            stage: Stage::Queued,
            identifiers: how.identifiers,
            group: how.group,
        };
        if !self.make_room(&mut state, &outgoing, now) {
            self.usage.dropped.inc();
            return Delivered::default();
        }
        if qos != Qos::AtMostOnce {
            outgoing.position = state.next_position();
            if self.durable {
                self.journal.queued(self.id, outgoing.position, &outgoing);
            }
        }
        state.has_unpromised |= qos == Qos::AtMostOnce;
        if let Some(at) = message.expires_at() {
            state.nothing_over_before = state.nothing_over_before.min(at);
        }
        state.bytes += outgoing.size();
        self.usage.add(outgoing.size());
        state.pending.push_back(outgoing);
        if let Some(link) = &state.link {
            link.wake();
        }
        Delivered { taken: true, pressure: self.pressure(&mut state) }
    }

    /// Hands what waits to `write`, in order, until it has enough; no more than `window` messages of QoS 1 and 2 are under
    /// way at once (MQTT-3.3.4-9). Nothing is handed to a connection that was taken over.
    pub(crate) fn send(
        &self,
        generation: u64,
        window: usize,
        now: Timestamp,
        mut write: impl FnMut(&Outgoing) -> Sent,
    ) {
        let mut state = self.state();
        self.hand(&mut state, generation, window, now, &mut write);
        self.relieve(&mut state);
    }

    fn hand(
        &self,
        state: &mut State,
        generation: u64,
        window: usize,
        now: Timestamp,
        write: &mut impl FnMut(&Outgoing) -> Sent,
    ) {
        while state.generation == generation
            && let Some(head) = state.pending.front()
        {
            if head.is_over(now) {
                self.usage.expired.inc();
                self.take_out(state, 0);
                continue;
            }
            if head.qos != Qos::AtMostOnce && head.stage != Stage::Released && state.inflight.len() >= window
            {
                return;
            }
            match write(head) {
                Sent::Later => return,
                Sent::TooLarge => {
                    self.usage.dropped.inc();
                    self.take_out(state, 0);
                }
                Sent::Written if head.qos == Qos::AtMostOnce => self.take_out(state, 0),
                Sent::Written => {
                    let sent = state.pending.pop_front();
                    state.inflight.extend(sent);
                }
            }
        }
    }

    /// The client has the message `id` for good (PUBACK, PUBCOMP, or PUBREC with an error); false where nothing waited.
    pub(crate) fn acknowledge(&self, id: u16) -> bool {
        let mut state = self.state();
        let found = state.inflight.iter().position(|outgoing| outgoing.packet_id() == id);
        let Some(outgoing) = found.and_then(|index| state.inflight.remove(index)) else { return false };
        self.let_go(&mut state, &outgoing);
        true
    }

    /// The client has the QoS 2 message `id` (PUBREC); false where there is none.
    pub(crate) fn has_received(&self, id: u16) -> bool {
        let mut state = self.state();
        let Some(outgoing) =
            state.inflight.iter_mut().find(|o| o.qos == Qos::ExactlyOnce && o.packet_id() == id)
        else {
            return false;
        };
        if outgoing.stage != Stage::Released {
            outgoing.stage = Stage::Released;
            if self.durable {
                self.journal.released(self.id, outgoing.position);
            }
        }
        true
    }

    /// Forgets what QoS 0 promised to nobody, when the connection ends.
    pub(crate) fn drop_unpromised(&self, state: &mut State) {
        let before: usize = state.pending.iter().map(Outgoing::size).sum();
        state.pending.retain(|outgoing| outgoing.qos != Qos::AtMostOnce);
        let freed = before - state.pending.iter().map(Outgoing::size).sum::<usize>();
        state.bytes -= freed;
        self.usage.remove(freed);
    }

    /// Gives up everything that waits; answers how many messages that were.
    pub(crate) fn empty(&self, state: &mut State) -> usize {
        let given_up: Vec<Outgoing> = state.inflight.drain(..).collect();
        let given_up = given_up.into_iter().chain(std::mem::take(&mut state.pending));
        given_up.map(|outgoing| self.let_go(state, &outgoing)).count()
    }

    /// Finds room for a message by the rule of [`super::usage`]; false where there is none.
    fn make_room(&self, state: &mut State, new: &Outgoing, now: Timestamp) -> bool {
        let fits = |state: &State| {
            state.bytes + new.size() <= self.usage.bounds.session_bytes
                && state.waiting() < self.usage.bounds.session_messages
                && self.usage.has_room(new.size())
        };
        if fits(state) {
            return true;
        }
        // A client that takes nothing must not have its whole queue looked through for each message.
        if state.nothing_over_before <= now {
            self.give_up(state, |outgoing| outgoing.is_over(now));
            let expiries = state.pending.iter().filter_map(|outgoing| outgoing.message.expires_at());
            state.nothing_over_before = expiries.filter(|at| *at > now).min().unwrap_or(Timestamp(i64::MAX));
            if fits(state) {
                return true;
            }
        }
        if new.qos == Qos::AtMostOnce || !std::mem::take(&mut state.has_unpromised) {
            return false;
        }
        self.give_up(state, |outgoing| outgoing.qos == Qos::AtMostOnce);
        fits(state)
    }

    fn give_up(&self, state: &mut State, which: impl Fn(&Outgoing) -> bool) {
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut state.pending).into_iter().partition(|outgoing| which(outgoing));
        state.pending = kept;
        self.usage.dropped.inc_by(gone.len() as u64);
        for outgoing in &gone {
            self.let_go(state, outgoing);
        }
    }

    fn take_out(&self, state: &mut State, index: usize) {
        if let Some(outgoing) = state.pending.remove(index) {
            self.let_go(state, &outgoing);
        }
    }

    fn let_go(&self, state: &mut State, outgoing: &Outgoing) {
        state.bytes -= outgoing.size();
        self.usage.remove(outgoing.size());
        if self.durable && outgoing.position != 0 {
            self.journal.dequeued(self.id, outgoing.position, outgoing.stored);
        }
    }
}

impl State {
    /// How many messages are not done with.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() + self.inflight.len()
    }

    /// A new connection begins.
    pub(crate) fn begin(&mut self) {
        self.received_here = 0;
        self.send_again();
    }

    /// The position up to which everything was sent once. What waits is sent in the order of its positions.
    pub(super) fn sent_through(&self) -> u64 {
        let first = self.pending.iter().find(|it| it.position != 0 && it.stage == Stage::Queued);
        first.map_or(self.last_position, |it| it.position - 1)
    }

    /// What was sent and is not done with goes out again before anything else, in its first order (MQTT-4.4.0-1,
    /// MQTT-4.6.0-1), and no more of it at once than the new connection takes.
    pub(super) fn send_again(&mut self) {
        while let Some(mut outgoing) = self.inflight.pop_back() {
            if outgoing.stage == Stage::Queued {
                outgoing.stage = Stage::Again;
            }
            self.pending.push_front(outgoing);
        }
    }

    /// The next position whose packet id no other message holds. Positions only grow, so an id can be taken only by a
    /// message that is a whole round of ids older; looking for one is needed once a round.
    fn next_position(&mut self) -> u64 {
        self.last_position += 1;
        if self.last_position > self.free_until {
            let held = || self.pending.iter().chain(&self.inflight).filter_map(|o| NonZero::new(o.position));
            while held().any(|other| packet_id(other.get()) == packet_id(self.last_position)) {
                self.last_position += 1;
            }
            let oldest = held().min().map_or(self.last_position, NonZero::get);
            self.free_until = self.last_position.max(oldest + PACKET_IDS - 1);
        }
        self.last_position
    }
}
