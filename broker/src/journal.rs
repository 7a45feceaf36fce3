//! What sessions and retained messages must not lose, written in groups.
//!
//! Memory is the truth while the broker runs; the store has what a restart needs. Changes collect while a commit is under
//! way and go together in the next one, with no timer in between. What came and went inside one group is never written.
//! Whoever has to be told only after the commit leaves a [`Reply`].

mod pending;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use protocol::{OrganizationId, Timestamp};
use store::{SavedSession, SavedSubscription, SessionChanges, Store};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::Reply;
use crate::message::Message;
use crate::metrics::Metrics;
use crate::session::Outgoing;

use pending::{Pending, Replies};

/// How long to wait before a failed commit is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long the last commit may take while the store is away.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// The changes that wait for their commit.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pending: Mutex<Pending>,
    /// Held by whoever notes things that must not be told apart by a crash; a commit takes them when nobody does.
    gate: RwLock<()>,
    /// There is something to commit.
    changed: Notify,
    /// A commit took what was waiting.
    taken: Notify,
    /// The next commit is large enough.
    full: AtomicBool,
    /// Nothing is committed any more, or not in time.
    over: AtomicBool,
}

impl Journal {
    /// A session is new or changed.
    pub(crate) fn session(&self, row: SavedSession) {
        self.note(|pending| pending.session(row));
    }

    /// A session is over, and all that belongs to it.
    pub(crate) fn ended(&self, session: u64) {
        self.note(|pending| pending.ended(session));
    }

    pub(crate) fn subscribed(&self, subscription: SavedSubscription) {
        self.note(|pending| pending.subscribed(subscription));
    }

    pub(crate) fn unsubscribed(&self, session: u64, filter: &str) {
        self.note(|pending| pending.unsubscribed(session, filter));
    }

    /// A message waits in a session at `position`.
    pub(crate) fn queued(&self, session: u64, position: u64, outgoing: &Outgoing) {
        self.note(|pending| pending.queued(session, position, outgoing));
    }

    /// The client has a QoS 2 message; its packet id does not.
    pub(crate) fn released(&self, session: u64, position: u64) {
        self.note(|pending| pending.released(session, position));
    }

    /// A message waits no longer.
    pub(crate) fn dequeued(&self, session: u64, position: u64, message: u64) {
        self.note(|pending| pending.dequeued(session, position, message));
    }

    /// A QoS 2 message of the client was taken in under the packet id.
    pub(crate) fn received(&self, session: u64, id: u16) {
        self.note(|pending| pending.received(session, id, true));
    }

    /// The packet id of a QoS 2 message of the client is free again.
    pub(crate) fn completed(&self, session: u64, id: u16) {
        self.note(|pending| pending.received(session, id, false));
    }

    /// The retained message of a topic is another, or none.
    pub(crate) fn retained(&self, organization: OrganizationId, topic: &str, message: Option<&Message>) {
        self.note(|pending| pending.retained(organization, topic, message));
    }

    /// Tells `reply` once everything noted so far is committed.
    pub(crate) fn after(&self, reply: Reply, code: u8) {
        self.note(|pending| pending.after(reply, code));
    }

    /// What is noted until this is dropped goes into the same commit. Not to be held while anything is waited for.
    pub(crate) fn together(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready once everything noted so far is committed; false where that will not be.
    pub(crate) fn committed(&self) -> impl Future<Output = bool> + use<> {
        let (told, committed) = oneshot::channel();
        self.note(|pending| pending.tell(told));
        async move { committed.await.is_ok() }
    }

    /// Whether more may be noted that is to be kept.
    pub(crate) fn has_room(&self) -> bool {
        !self.full.load(Ordering::Acquire) || self.over.load(Ordering::Acquire)
    }

    /// Waits while too much is waiting for the store.
    pub(crate) async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.has_room() {
                return;
            }
            taken.await;
        }
    }

    /// Nobody waits for room any more; what is noted from now on may be lost.
    pub(crate) fn give_up(&self) {
        self.over.store(true, Ordering::Release);
        self.taken.notify_waiters();
    }

    /// Commits until `shutdown`, and then what is left.
    pub(crate) async fn run(self: Arc<Self>, store: Store, metrics: Metrics, shutdown: CancellationToken) {
        self.commit_until(&store, &metrics, &shutdown).await;
        self.give_up();
    }

    async fn commit_until(&self, store: &Store, metrics: &Metrics, shutdown: &CancellationToken) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = shutdown.cancelled() => break,
            }
            tokio::select! {
                biased;
                () = self.commit(store, metrics) => {}
                // A store that is away must not keep the broker from stopping.
                () = async { shutdown.cancelled().await; sleep(LAST_CHANCE).await } => {
                    tracing::error!("sessions could not be saved before the end");
                    return;
                }
            }
        }
        if timeout(LAST_CHANCE, self.commit(store, metrics)).await.is_err() {
            tracing::error!("sessions could not be saved before the end");
        }
    }

    async fn commit(&self, store: &Store, metrics: &Metrics) {
        let (changes, replies) = self.take_pending();
        if !changes.is_empty() {
            while let Err(error) = store.save_sessions(&changes).await {
                metrics.commit_failures.inc();
                tracing::error!(%error, "sessions could not be saved; trying again");
                sleep(RETRY).await;
            }
            metrics.session_commits.inc();
        }
        replies.send();
    }

    fn take_pending(&self) -> (SessionChanges, Replies) {
        let pending = {
            let _nobody_in_between = self.gate.write().unwrap_or_else(PoisonError::into_inner);
            let mut pending = self.lock();
            self.full.store(false, Ordering::Release);
            std::mem::take(&mut *pending)
        };
        self.taken.notify_waiters();
        pending.into_changes()
    }

    /// Takes out what the next commit would write, and tells whoever waits for it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn commit_for_tests(&self) -> SessionChanges {
        let (changes, replies) = self.take_pending();
        replies.send();
        changes
    }

    fn note(&self, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.lock();
        let first = pending.is_empty();
        change(&mut pending);
        if pending.is_full() {
            self.full.store(true, Ordering::Release);
        }
        drop(pending);
        if first {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment as the store has it.
pub(crate) fn expiry(now: Timestamp, seconds: u32) -> Timestamp {
    now.plus(i64::from(seconds) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QoS 2 message and the places it goes to: a crash between two commits would lose it.
    #[test]
    fn what_is_noted_together_is_committed_together() {
        let journal = Arc::new(Journal::default());
        let together = journal.together();
        journal.received(1, 5);
        let committing = {
            let journal = Arc::clone(&journal);
            std::thread::spawn(move || journal.commit_for_tests())
        };
        while !committing.is_finished() && journal.gate.try_read().is_ok() {
            std::thread::yield_now(); // until it stands at the gate
        }
        journal.completed(1, 6);
        drop(together);
        let changes = committing.join().expect("committed");
        assert_eq!((changes.received, changes.completed), (vec![(1, 5)], vec![(1, 6)]));
    }

    #[test]
    fn filters_and_cleared_topics_fill_a_group_too() {
        let journal = Journal::default();
        let nobody = crate::access::NOBODY;
        for number in 0..10_000 {
            if !journal.has_room() {
                break;
            }
            if number % 2 == 0 {
                journal.unsubscribed(1, &number.to_string());
            } else {
                journal.retained(nobody, &number.to_string(), None);
            }
        }
        assert!(!journal.has_room());
        journal.commit_for_tests();
        assert!(journal.has_room());
    }
}
