//! Who gets what is published.
//!
//! Sessions that outlive their connection and shared groups are matched here, in the publisher's task, so that their rows
//! are committed before the publisher is told that its message is safe. All others get it from the bus, or past it where they
//! are few.

mod shared;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use store::Clock;

use crate::bus::Bus;
use crate::codec::Qos;
use crate::connection::Wait;
use crate::filter;
use crate::journal::Journal;
use crate::message::Message;
use crate::namespace::Namespace;
use crate::retained::Retained;
use crate::session::{Delivered, How, Pressure, Session, Subscribed};
use crate::subscriptions::Forest;

pub(crate) use shared::Group;

use shared::Shared;

/// The way from a publisher to subscribers.
pub(crate) struct Dispatch {
    bus: Arc<Bus>,
    durable: RwLock<Forest<Subscription>>,
    durable_count: AtomicUsize,
    shared: Shared,
    pub(crate) retained: Retained,
    journal: Arc<Journal>,
    clock: Clock,
    next_message: AtomicU64,
}

/// A subscription as the trees keep it.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) session: Arc<Session>,
    qos: Qos,
    no_local: bool,
    retain_as_published: bool,
    identifier: Option<u32>,
}

impl Dispatch {
    pub(crate) fn new(bus: Arc<Bus>, retained_bytes: usize, journal: Arc<Journal>, clock: Clock) -> Self {
        Self {
            bus,
            durable: RwLock::default(),
            durable_count: AtomicUsize::new(0),
            shared: Shared::default(),
            retained: Retained::new(retained_bytes, Arc::clone(&journal)),
            journal,
            clock,
            next_message: AtomicU64::new(1),
        }
    }

    /// Stored messages have numbers up to this one.
    pub(crate) fn count_on_from(&self, newest: u64) {
        self.next_message.fetch_max(newest + 1, Ordering::Relaxed);
    }

    /// A number for a message that may come to be stored.
    pub(crate) fn number(&self) -> u64 {
        self.next_message.fetch_add(1, Ordering::Relaxed)
    }

    /// What to wait for before a session subscribes: what was published until now is not for the new subscription.
    pub(crate) fn settle(&self, session: &Session) -> Option<Wait> {
        if session.durable { None } else { self.bus.flush(session.id) }
    }

    /// Adds or replaces a subscription; the filter was checked.
    pub(crate) fn subscribe(&self, session: &Arc<Session>, subscribed: &Subscribed) {
        let subscription = Subscription::new(Arc::clone(session), subscribed);
        let (share, filter) = filter::share(&subscribed.filter);
        let namespace = Namespace::of(session.organization, filter);
        match share {
            Some(share) => self.shared.join(namespace, share, subscription),
            None if session.durable => {
                let mut tree = self.durable.write().unwrap_or_else(PoisonError::into_inner);
                tree.insert(namespace, filter, session.id, subscription);
                self.durable_count.store(tree.len(), Ordering::Release);
            }
            None => self.bus.subscribe(namespace, filter, subscription),
        }
    }

    /// Takes a subscription away; nothing happens if there is none.
    pub(crate) fn unsubscribe(&self, session: &Session, path: &str) {
        let (share, filter) = filter::share(path);
        let namespace = Namespace::of(session.organization, filter);
        match share {
            Some(share) => self.shared.leave(namespace, share, session),
            None if session.durable => {
                let mut tree = self.durable.write().unwrap_or_else(PoisonError::into_inner);
                tree.remove(namespace, filter, session.id);
                self.durable_count.store(tree.len(), Ordering::Release);
            }
            None => self.bus.unsubscribe(namespace, filter, session.id),
        }
    }

    /// Keeps a retained message for whoever subscribes later.
    pub(crate) fn retain(&self, message: &Message) -> Result<(), RetainedFull> {
        if self.retained.set(message, self.clock.now()) { Ok(()) } else { Err(RetainedFull) }
    }

    /// What to wait for before more is asked of us, while the store is too far behind to take more that must be kept.
    pub(crate) fn room(&self) -> Option<Wait> {
        if self.journal.has_room() {
            return None;
        }
        let journal = Arc::clone(&self.journal);
        Some(Box::pin(async move { journal.room().await }))
    }

    /// Sends a message to all that subscribed to its topic. True where a session that is kept got it, so that the publisher
    /// must be told only after the next commit; and what to wait for before more is published, while the bus is behind.
    ///
    /// What one caller publishes one after the other, and waits for, arrives in that order.
    pub(crate) fn publish(&self, message: &Message) -> (bool, Option<Wait>) {
        let keeps = self.durable_count.load(Ordering::Acquire) > 0 || self.shared.any();
        let here = if keeps { self.deliver_here(message) } else { Delivered::default() };
        let there = self.bus.publish(message);
        (here.taken, there.or(here.pressure.map(Pressure::into_wait)))
    }

    /// Publishes and waits for whatever there is to wait for.
    pub(crate) async fn publish_patiently(&self, message: &Message) {
        if let Some(room) = self.room() {
            room.await;
        }
        if let (_, Some(wait)) = self.publish(message) {
            wait.await;
        }
    }

    /// How many subscriptions of durable sessions, and groups, there are.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn subscriptions(&self) -> usize {
        self.durable_count.load(Ordering::Acquire) + usize::from(self.shared.any())
    }

    /// Sends some of the retained messages that a new subscription asks for to its session, from the topic `from` on, as many as
    /// it takes; answers where to go on, none where that was all.
    pub(crate) fn send_retained(
        &self,
        session: &Arc<Session>,
        subscribed: &Subscribed,
        from: Option<&str>,
    ) -> Option<Box<str>> {
        let namespace = Namespace::of(session.organization, &subscribed.filter);
        let now = self.clock.now();
        self.retained.give(namespace, &subscribed.filter, from, now, |message| {
            let how = How {
                qos: Qos::of(subscribed.options),
                retain: true,
                identifiers: subscribed.identifier.into_iter().collect(),
                group: None,
            };
            session.deliver(message, self.number(), how, now);
            session.takes_more()
        })
    }

    /// Delivers to durable sessions and shared groups; taken where something may have been written down.
    fn deliver_here(&self, message: &Message) -> Delivered {
        let (number, now) = (self.number(), self.clock.now());
        let targets = {
            let tree = self.durable.read().unwrap_or_else(PoisonError::into_inner);
            Targets::of(&tree, message, usize::MAX)
        };
        let mut all =
            targets.map(|targets| targets.deliver(message, number, &self.clock)).unwrap_or_default();
        self.shared.pick(message, |subscription, how| {
            let Delivered { taken, pressure } = subscription.session.deliver(message, number, how, now);
            all.taken |= taken && subscription.session.durable;
            all.pressure = all.pressure.take().or(pressure);
            taken
        });
        all
    }

    /// Gives a message that a member of a group did not acknowledge before its session was over to another member
    /// (section 4.8.2); false where none takes it.
    pub(crate) fn hand_on(&self, group: &Arc<Group>, message: &Message) -> bool {
        let (number, now) = (self.number(), self.clock.now());
        let mut taken = false;
        group.offer(message, &mut |subscription, how| {
            taken = subscription.session.deliver(message, number, how, now).taken;
            taken
        });
        taken
    }
}

/// The retained messages of the organization use up their budget.
#[derive(Debug)]
pub(crate) struct RetainedFull;

/// The sessions that a message reaches, each once, however many of its subscriptions match (section 3.3.4): with the
/// highest QoS, and the identifiers of all.
pub(crate) struct Targets(Vec<(Arc<Session>, How)>);

impl Targets {
    /// None where there are more than `most`.
    pub(crate) fn of(tree: &Forest<Subscription>, message: &Message, most: usize) -> Option<Self> {
        let mut found: Vec<(Arc<Session>, How)> = Vec::new();
        let mut count = 0;
        tree.matching(message.namespace(), message.topic(), &mut |_, subscription| {
            count += 1;
            if count <= most
                && let Some(how) = subscription.how(message)
            {
                found.push((Arc::clone(&subscription.session), how));
            }
        });
        if count > most {
            return None;
        }
        if found.len() > 1 {
            found.sort_by_key(|(session, _)| session.id);
            found.dedup_by(|(session, how), (kept, known)| {
                let same = session.id == kept.id;
                if same {
                    known.qos = known.qos.max(how.qos);
                    known.retain |= how.retain;
                    known.identifiers.append(&mut how.identifiers);
                }
                same
            });
        }
        Some(Self(found))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Hands the message to each.
    pub(crate) fn deliver(self, message: &Message, number: u64, clock: &Clock) -> Delivered {
        let mut all = Delivered::default();
        if !self.0.is_empty() {
            let now = clock.now();
            for (session, how) in self.0 {
                let Delivered { taken, pressure } = session.deliver(message, number, how, now);
                all.taken |= taken;
                all.pressure = all.pressure.or(pressure);
            }
        }
        all
    }
}

impl Subscription {
    pub(crate) fn new(session: Arc<Session>, subscribed: &Subscribed) -> Self {
        Self {
            session,
            qos: Qos::of(subscribed.options),
            no_local: subscribed.options & 0x04 != 0,
            retain_as_published: subscribed.options & 0x08 != 0,
            identifier: subscribed.identifier,
        }
    }

    /// How the session gets a message through this subscription; none where it published it and does not want it back.
    pub(crate) fn how(&self, message: &Message) -> Option<How> {
        if self.no_local && self.session.id == message.publisher() {
            return None;
        }
        Some(How {
            qos: self.qos,
            retain: self.retain_as_published && message.retain(),
            identifiers: self.identifier.into_iter().collect(),
            group: None,
        })
    }
}
