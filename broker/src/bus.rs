//! The in-process bus: rumqttd's router carries messages from whoever publishes to the shards that deliver.
//!
//! Each shard owns a part of the sessions and subscribes to one fixed topic of its own; the client's topic, QoS and
//! properties travel in the payload. Publishers hold credit below the size of the router's log, because a reader that
//! falls behind that log would silently lose messages.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Packet, Publish};
use rumqttd::{Notification, Router, RouterConfig};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::codec::Qos;
use crate::message::Message;
use crate::session::Session;
use crate::subscriptions::Subscriptions;

/// One segment of the router's log for a shard, and how many it keeps: 8 MiB in all.
const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENTS: usize = 16;
/// What publishers may have on the way to one shard: half the log, so that its oldest segment is always read.
const CREDIT: usize = SEGMENT_BYTES * SEGMENTS / 2;
/// The router counts a message's own bookkeeping too.
const OVERHEAD: usize = 64;

/// A subscription as a shard keeps it.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) session: Arc<Session>,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
}

#[derive(Debug)]
struct Shard {
    topic: String,
    subscriptions: RwLock<Subscriptions<Subscription>>,
    subscribed: AtomicUsize,
    credit: Semaphore,
}

/// The bus: publish on one side, subscriptions on the other.
pub(crate) struct Bus {
    shards: Vec<Arc<Shard>>,
    publisher: Mutex<LinkTx>,
}

impl Bus {
    /// Starts the router's thread and a task for each shard; the tasks end with `shutdown`.
    pub(crate) fn start(shards: usize, shutdown: &CancellationToken) -> Result<Arc<Self>, Box<LinkError>> {
        let router = Router::new(
            0,
            RouterConfig {
                max_connections: shards + 1,
                max_outgoing_packet_count: 1000,
                max_segment_size: SEGMENT_BYTES,
                max_segment_count: SEGMENTS,
                ..RouterConfig::default()
            },
        )
        .spawn();
        let (publisher, _receiver, _) =
            LinkBuilder::new("publisher", router.clone()).build().map_err(Box::new)?;
        let mut bus = Self { shards: Vec::new(), publisher: Mutex::new(publisher) };
        for index in 0..shards {
            let shard = Arc::new(Shard {
                topic: format!("shard/{index}"),
                subscriptions: RwLock::default(),
                subscribed: AtomicUsize::new(0),
                credit: Semaphore::new(CREDIT),
            });
            let (mut tx, rx, _) =
                LinkBuilder::new(&format!("shard-{index}"), router.clone()).build().map_err(Box::new)?;
            tx.subscribe(shard.topic.clone()).map_err(Box::new)?;
            tokio::spawn(Arc::clone(&shard).deliver(tx, rx, shutdown.clone()));
            bus.shards.push(shard);
        }
        Ok(Arc::new(bus))
    }

    /// Publishes to every shard that has a subscription at all; waits while a shard is behind.
    ///
    /// What one caller publishes one after the other arrives in that order.
    pub(crate) async fn publish(&self, message: &Message) {
        let bytes = (message.size() + OVERHEAD).min(CREDIT) as u32;
        for shard in &self.shards {
            if shard.subscribed.load(Ordering::Acquire) == 0 {
                continue;
            }
            let Ok(permit) = shard.credit.acquire_many(bytes).await else { continue };
            permit.forget(); // given back by the shard once it has delivered
            self.push(&shard.topic, message.clone().into_frame());
        }
    }

    /// A buffer that is not empty has a wake-up of the router on its way, which will find this message too.
    fn push(&self, topic: &str, frame: Bytes) {
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
        }
    }

    /// Adds or replaces a subscription.
    pub(crate) fn subscribe(&self, filter: &str, subscription: Subscription) {
        let shard = self.shard(subscription.session.id);
        let mut tree = shard.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        tree.insert(filter, subscription.session.id, subscription);
        shard.subscribed.store(tree.len(), Ordering::Release);
    }

    /// Takes a subscription away; nothing happens if there is none.
    pub(crate) fn unsubscribe(&self, filter: &str, session: u64) {
        let shard = self.shard(session);
        let mut tree = shard.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        tree.remove(filter, session);
        shard.subscribed.store(tree.len(), Ordering::Release);
    }

    fn shard(&self, session: u64) -> &Shard {
        &self.shards[session as usize % self.shards.len()]
    }
}

impl Shard {
    async fn deliver(self: Arc<Self>, _tx: LinkTx, mut rx: LinkRx, shutdown: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = rx.next() => next,
                () = shutdown.cancelled() => return,
            };
            match next {
                Ok(Some(Notification::Forward(forward))) => self.hand_out(forward.publish.payload),
                // The router stops at its outgoing limit until the reader says that it has read.
                Ok(Some(Notification::Unschedule)) => {
                    if rx.wake().await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "a shard lost the bus");
                    return;
                }
            }
        }
    }

    fn hand_out(&self, frame: Bytes) {
        self.credit.add_permits((frame.len() + OVERHEAD).min(CREDIT));
        let Some(message) = Message::from_frame(frame) else { return };
        // A session with several matching filters gets the message once, with the highest QoS (MQTT-3.3.4-2).
        let mut targets: Vec<(u64, &Subscription, Qos, bool)> = Vec::new();
        let tree = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
        tree.matching(message.topic(), &mut |id, subscription| {
            if !(subscription.no_local && id == message.publisher()) {
                let retain = subscription.retain_as_published && message.retain();
                targets.push((id, subscription, subscription.qos, retain));
            }
        });
        targets.sort_by_key(|(id, _, qos, _)| (*id, std::cmp::Reverse(*qos)));
        targets.dedup_by_key(|(id, ..)| *id);
        for (_, subscription, qos, retain) in targets {
            subscription.session.deliver(message.clone(), qos, retain);
        }
    }
}
