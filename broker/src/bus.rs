//! The in-process bus: rumqttd's router carries messages from whoever publishes to the shards that deliver; a message for
//! few sessions is handed to them by its publisher, as long as nothing is on the way that it would overtake.
//!
//! Each shard owns a part of the sessions and subscribes to one fixed topic of its own; the client's topic, QoS and
//! properties travel in the payload. Publishers hold credit below the size of the router's log, because a reader that
//! falls behind that log would silently lose messages.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Packet, Publish};
use rumqttd::{Notification, Router, RouterConfig};
use store::Clock;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use crate::connection::Wait;
use crate::dispatch::{Subscription, Targets};
use crate::event_loops::EventLoops;
use crate::message::Message;
use crate::namespace::Namespace;
use crate::session::{Delivered, Pressure};
use crate::subscriptions::Forest;

/// One segment of the router's log for a shard, and how many it keeps: 8 MiB in all.
const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENTS: usize = 16;
/// What publishers may have on the way to one shard: half the log, so that its oldest segment is always read.
const CREDIT: usize = SEGMENT_BYTES * SEGMENTS / 2;
/// Up to this many sessions of a shard get a message from its publisher's task.
const FEW: usize = if cfg!(any(test, fuzzing)) { 2 } else { 16 };
/// After so many deliveries the connections of the event loop have their turn: some milliseconds of work. With fewer, each of
/// a thousand subscribers has a message or two to write, and pays a system call for it.
const TURN: usize = 20_000;
/// The router counts a message's own bookkeeping too.
const OVERHEAD: usize = 64;

#[derive(Debug)]
struct Shard {
    topic: String,
    subscriptions: RwLock<Forest<Subscription>>,
    subscribed: AtomicUsize,
    credit: Semaphore,
    /// How many messages are on the way to it.
    under_way: AtomicUsize,
    /// Who waits for what is on the way; each has an empty frame in the log.
    markers: Mutex<VecDeque<oneshot::Sender<()>>>,
    clock: Clock,
}

/// The bus: publish on one side, subscriptions on the other.
pub(crate) struct Bus {
    shards: Vec<Arc<Shard>>,
    publisher: Mutex<LinkTx>,
    /// Cancelled when the router's thread has died.
    pub(crate) broken: CancellationToken,
}

impl Bus {
    /// Starts the router's thread, and a shard on each event loop; the shards end with `shutdown`.
    pub(crate) fn start(
        loops: &EventLoops,
        clock: &Clock,
        shutdown: &CancellationToken,
    ) -> Result<Arc<Self>, Box<LinkError>> {
        let router = Router::new(
            0,
            RouterConfig {
                max_connections: loops.all().len() + 1,
                max_outgoing_packet_count: 1000,
                max_segment_size: SEGMENT_BYTES,
                max_segment_count: SEGMENTS,
                ..RouterConfig::default()
            },
        )
        .spawn();
        let (publisher, _receiver, _) =
            LinkBuilder::new("publisher", router.clone()).build().map_err(Box::new)?;
        let broken = CancellationToken::new();
        let mut bus = Self { shards: Vec::new(), publisher: Mutex::new(publisher), broken: broken.clone() };
        for (index, there) in loops.all().iter().enumerate() {
            let shard = Arc::new(Shard {
                topic: format!("shard/{index}"),
                subscriptions: RwLock::default(),
                subscribed: AtomicUsize::new(0),
                credit: Semaphore::new(CREDIT),
                under_way: AtomicUsize::new(0),
                markers: Mutex::default(),
                clock: clock.clone(),
            });
            let (mut tx, rx, _) =
                LinkBuilder::new(&format!("shard-{index}"), router.clone()).build().map_err(Box::new)?;
            tx.subscribe(shard.topic.clone()).map_err(Box::new)?;
            let (shutdown, broken) = (shutdown.clone(), broken.clone());
            there.spawn(Arc::clone(&shard).deliver(tx, rx, shutdown, broken));
            bus.shards.push(shard);
        }
        Ok(Arc::new(bus))
    }

    /// Publishes to every shard that has a subscription at all; answers what to wait for where a shard
    /// or a client is behind.
    pub(crate) fn publish(self: &Arc<Self>, message: &Message) -> Option<Wait> {
        let credit = (message.size() + OVERHEAD).min(CREDIT) as u32;
        let (mut behind, mut pressure) = (Vec::new(), None);
        for (index, shard) in self.shards.iter().enumerate() {
            if shard.subscribed.load(Ordering::Acquire) == 0 {
                continue;
            }
            if let Some(delivered) = shard.hand_over(message) {
                pressure = pressure.or(delivered.pressure);
                continue;
            }
            match shard.credit.try_acquire_many(credit) {
                Ok(permit) => {
                    permit.forget(); // given back by the shard once it has delivered
                    self.push(shard, message.clone().into_frame());
                }
                Err(_) => behind.push(index),
            }
        }
        if behind.is_empty() {
            return pressure.map(Pressure::into_wait);
        }
        let (bus, frame) = (Arc::clone(self), message.clone().into_frame());
        Some(Box::pin(async move {
            for index in behind {
                let shard = &bus.shards[index];
                let permit = tokio::select! {
                    biased;
                    permit = shard.credit.acquire_many(credit) => permit,
                    () = bus.broken.cancelled() => return, // nobody gives credit back any more
                };
                if let Ok(permit) = permit {
                    permit.forget();
                    bus.push(shard, frame.clone());
                }
            }
        }))
    }

    /// What to wait for until all that was published so far has been handed to the sessions of the shard that `session` is in.
    ///
    /// A subscription made then gets no message that was published before it, but as a retained one.
    pub(crate) fn flush(&self, session: u64) -> Option<Wait> {
        let shard = self.shard(session);
        if shard.under_way.load(Ordering::Acquire) == 0 {
            return None;
        }
        let (marker, passed) = oneshot::channel();
        {
            let mut markers = shard.markers.lock().unwrap_or_else(PoisonError::into_inner);
            markers.push_back(marker);
            self.push(shard, Bytes::new());
        }
        let broken = self.broken.clone();
        Some(Box::pin(async move {
            tokio::select! {
                _ = passed => {}
                () = broken.cancelled() => {}
            }
        }))
    }

    /// A buffer that is not empty has a wake-up of the router on its way, which will find this message too.
    fn push(&self, shard: &Shard, frame: Bytes) {
        shard.under_way.fetch_add(1, Ordering::AcqRel);
        let topic = shard.topic.as_str();
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut buffer = publisher.buffer();
            if !buffer.is_empty() {
                buffer.push_back(Packet::Publish(
                    Publish::new(Bytes::copy_from_slice(topic.as_bytes()), frame, false),
                    None,
                ));
                return;
            }
        }
        if let Err(error) = publisher.publish(topic.to_owned(), frame) {
            tracing::error!(%error, "the bus is gone");
            self.broken.cancel();
        }
    }

    /// Adds or replaces a subscription.
    pub(crate) fn subscribe(&self, namespace: Namespace, filter: &str, subscription: Subscription) {
        let shard = self.shard(subscription.session.id);
        let mut tree = shard.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        tree.insert(namespace, filter, subscription.session.id, subscription);
        shard.subscribed.store(tree.len(), Ordering::Release);
    }

    /// Takes a subscription away; nothing happens if there is none.
    pub(crate) fn unsubscribe(&self, namespace: Namespace, filter: &str, session: u64) {
        let shard = self.shard(session);
        let mut tree = shard.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        tree.remove(namespace, filter, session);
        shard.subscribed.store(tree.len(), Ordering::Release);
    }

    /// Makes the router's thread panic, by what no client can make it read.
    #[cfg(test)]
    pub(crate) fn kill_router(&self) {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        publisher.publish("é", Bytes::new()).expect("it is still there");
    }

    /// How many subscriptions there are.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn subscriptions(&self) -> usize {
        self.shards.iter().map(|shard| shard.subscribed.load(Ordering::Acquire)).sum()
    }

    fn shard(&self, session: u64) -> &Shard {
        &self.shards[session as usize % self.shards.len()]
    }
}

impl Shard {
    async fn deliver(
        self: Arc<Self>,
        _tx: LinkTx,
        mut rx: LinkRx,
        shutdown: CancellationToken,
        broken: CancellationToken,
    ) {
        let mut reached = 0;
        loop {
            let next = tokio::select! {
                next = rx.next() => next,
                () = shutdown.cancelled() => return,
            };
            match next {
                Ok(Some(Notification::Forward(forward))) => {
                    reached += self.take(forward.publish.payload);
                    if reached >= TURN {
                        reached = 0;
                        yield_now().await; // the connections of this event loop write what they were given
                    }
                }
                // The router stops at its outgoing limit until the reader says that it has read.
                Ok(Some(Notification::Unschedule)) => {
                    if rx.wake().await.is_err() {
                        return broken.cancel();
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "a shard lost the bus");
                    return broken.cancel();
                }
            }
        }
    }

    /// Delivers from the publisher's task where the sessions are few, which saves the way through the router; none where they
    /// are many, and the shard shall have the work. Nothing overtakes what is still on the way.
    fn hand_over(&self, message: &Message) -> Option<Delivered> {
        if self.under_way.load(Ordering::Acquire) > 0 {
            return None;
        }
        let targets = {
            let tree = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
            Targets::of(&tree, message, FEW)
        };
        targets.map(|targets| targets.deliver(message, 0, &self.clock))
    }

    fn take(&self, frame: Bytes) -> usize {
        let reached = self.hand_out(frame);
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        reached + 1
    }

    /// Answers how many sessions it was for.
    fn hand_out(&self, frame: Bytes) -> usize {
        if frame.is_empty() {
            let marker = self.markers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            marker.map(|marker| marker.send(()));
            return 0;
        }
        self.credit.add_permits((frame.len() + OVERHEAD).min(CREDIT));
        let Some(message) = Message::from_frame(frame) else { return 0 };
        let targets = {
            let tree = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
            Targets::of(&tree, &message, usize::MAX)
        };
        targets.map_or(0, |targets| {
            let reached = targets.len();
            targets.deliver(&message, 0, &self.clock);
            reached
        })
    }
}
