//! The end of sessions: those whose time is over, those too many, and room in the queues of organizations.

use std::sync::{Arc, MutexGuard};

use protocol::OrganizationId;

use super::{Entry, Inner, Sessions};
use crate::access::Identity;
use crate::session::{Session, Subscribed};

impl Sessions {
    /// Forgets the sessions whose time is over, and empties the queues of those away longest where an organization is about
    /// to use up its budget.
    pub(crate) fn upkeep(&self) {
        let mut inner = self.lock();
        let over: Vec<_> =
            inner.by_key.values().filter(|e| e.is_over()).map(|e| Arc::clone(&e.session)).collect();
        for session in over {
            self.forget(&mut inner, &session);
        }
        self.hand_on(inner);
        let inner = self.lock();
        for (organization, usage) in &inner.usage {
            let excess = usage.excess();
            if excess > 0 {
                self.relieve(&inner, *organization, excess);
            }
        }
    }

    /// The oldest session without a connection goes where an identity has too many: client ids cost their owner nothing.
    pub(super) fn make_room(&self, inner: &mut Inner, identity: Identity) {
        let most = if matches!(identity, Identity::Device(_)) { self.per_device } else { self.per_identity };
        if most == 0 || inner.counts.get(&identity).is_none_or(|count| *count < most) {
            return;
        }
        let away = |entry: &Entry| Some((entry.away?.since, Arc::clone(&entry.session)));
        let oldest = inner.entries(identity).filter_map(away).min_by_key(|(since, _)| *since);
        if let Some((_, session)) = oldest {
            self.forget(inner, &session);
        }
    }

    /// Ends a session: nobody finds it any more, and it gets nothing more. What other members of its groups should have waits
    /// for [`Sessions::hand_on`].
    pub(super) fn forget(&self, inner: &mut Inner, session: &Arc<Session>) {
        if inner.by_key.get(&session.key).is_some_and(|entry| entry.session.id == session.id) {
            inner.by_key.remove(&session.key);
            inner.forget_one(session.key.identity);
        }
        let mut state = session.state();
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        let subscriptions = std::mem::take(&mut state.subscriptions);
        for subscribed in &subscriptions {
            session.drop_beside(&mut state, Subscribed::size(&subscribed.filter));
        }
        session.set_will(&mut state, None);
        let unfinished = state.unfinished();
        if let Some(waits) = state.will_waits.take() {
            waits.notify_one();
        }
        // A group looks at the sessions of its members while it is locked, so ours must not be locked while it is asked.
        drop(state);
        for subscribed in &subscriptions {
            self.dispatch.unsubscribe(session, &subscribed.filter);
        }
        if unfinished.is_empty() {
            self.bury(session, 0);
        } else {
            inner.left.push((Arc::clone(session), unfinished));
        }
    }

    /// Gives what ended sessions left to other members of their groups, outside of the lock since it may be much. It is noted
    /// there before it is forgotten here: a crash in between doubles a message and loses none.
    pub(super) fn hand_on(&self, mut inner: MutexGuard<'_, Inner>) {
        let left = std::mem::take(&mut inner.left);
        drop(inner);
        for (session, unfinished) in left {
            let took = |(group, message): &&(_, _)| self.dispatch.hand_on(group, message);
            let handed_on = unfinished.iter().filter(took).count();
            self.bury(&session, handed_on);
        }
    }

    /// What others did not get goes with the session. Its client may have acknowledged some of it meanwhile.
    fn bury(&self, session: &Session, handed_on: usize) {
        let left = session.empty(&mut session.state());
        self.metrics.dropped.inc_by(left.saturating_sub(handed_on) as u64);
        if session.durable {
            self.journal.ended(session.id);
        }
    }

    /// Forgets every session.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forget_all(&self) {
        let mut inner = self.lock();
        for session in inner.by_key.values().map(|e| Arc::clone(&e.session)).collect::<Vec<_>>() {
            self.forget(&mut inner, &session);
        }
        self.hand_on(inner);
    }

    /// What all queues are counted to hold, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lock().usage.values().map(|usage| usage.bytes() + usage.beside()).sum()
    }

    fn relieve(&self, inner: &Inner, organization: OrganizationId, excess: usize) {
        let mut away: Vec<_> = inner
            .by_key
            .values()
            .filter(|entry| entry.session.organization == organization)
            .filter_map(|entry| Some((entry.away?.since, &entry.session)))
            .collect();
        away.sort_by_key(|(since, _)| *since);
        let usage = &inner.usage[&organization];
        let goal = usage.bytes().saturating_sub(excess);
        for (_, session) in away {
            if usage.bytes() <= goal {
                return;
            }
            let given_up = session.empty(&mut session.state());
            self.metrics.dropped.inc_by(given_up as u64);
            tracing::warn!(session = session.id, given_up, "the organization's queues are full; emptied one");
        }
    }
}
