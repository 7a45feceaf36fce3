//! Shared subscriptions (section 4.8.2): each message goes to one member of the group.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Subscription;
use crate::filter::Share;
use crate::message::Message;
use crate::namespace::Namespace;
use crate::session::How;
use crate::subscriptions::Forest;

/// The groups, by namespace, name and filter.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inner: RwLock<Inner>,
    groups: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    tree: Forest<Arc<Group>>,
    numbers: HashMap<(Namespace, Box<str>, Box<str>), u64>,
    next: u64,
}

/// Whoever shares a subscription.
#[derive(Debug, Default)]
pub(crate) struct Group {
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    all: Vec<Subscription>,
    /// Who is next.
    turn: usize,
}

impl Shared {
    /// Whether there is a group at all.
    pub(super) fn any(&self) -> bool {
        self.groups.load(Ordering::Acquire) > 0
    }

    /// Adds a member to a group, or replaces its subscription.
    pub(super) fn join(&self, namespace: Namespace, share: Share<'_>, subscription: Subscription) {
        let mut inner = self.change();
        let key = (namespace, share.group.into(), share.filter.into());
        let known = inner.numbers.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            inner.next += 1;
            let number = inner.next;
            inner.numbers.insert(key, number);
            inner.tree.insert(namespace, share.filter, number, Arc::default());
            self.groups.store(inner.numbers.len(), Ordering::Release);
            number
        });
        inner.with(namespace, share.filter, number, |members| {
            let session = subscription.session.id;
            match members.all.iter_mut().find(|member| member.session.id == session) {
                Some(member) => *member = subscription,
                None => members.all.push(subscription),
            }
        });
    }

    /// Takes a member out of a group; the last one takes the group along.
    pub(super) fn leave(&self, namespace: Namespace, share: Share<'_>, session: u64) {
        let mut inner = self.change();
        let key = (namespace, share.group.into(), share.filter.into());
        let Some(&number) = inner.numbers.get(&key) else { return };
        let mut empty = false;
        inner.with(namespace, share.filter, number, |members| {
            members.all.retain(|member| member.session.id != session);
            empty = members.all.is_empty();
        });
        if empty {
            inner.numbers.remove(&key);
            inner.tree.remove(namespace, share.filter, number);
            self.groups.store(inner.numbers.len(), Ordering::Release);
        }
    }

    /// Offers a message to one member of each group it matches: those with a connection in turn, then those that wait for
    /// their client; until `deliver` takes it.
    pub(super) fn pick(&self, message: &Message, mut deliver: impl FnMut(&Subscription, How) -> bool) {
        if !self.any() {
            return;
        }
        let inner = self.read();
        inner.tree.matching(message.namespace(), message.topic(), &mut |_, group: &Arc<Group>| {
            group.offer(message, &mut deliver);
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    /// Offers a message to one member.
    pub(super) fn offer(
        self: &Arc<Self>,
        message: &Message,
        deliver: &mut impl FnMut(&Subscription, How) -> bool,
    ) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.turn = members.turn.wrapping_add(1);
        let (turn, count) = (members.turn, members.all.len());
        let in_turn = || (0..count).map(|step| &members.all[turn.wrapping_add(step) % count]);
        let connected = |member: &&Subscription| member.session.state().link.is_some();
        let absent = |member: &&Subscription| !connected(member);
        let _ = in_turn().filter(connected).chain(in_turn().filter(absent)).any(|member| {
            member.how(message).is_some_and(|mut how| {
                how.group = Some(Arc::clone(self));
                deliver(member, how)
            })
        });
    }
}

impl Inner {
    fn with(&self, namespace: Namespace, filter: &str, number: u64, change: impl FnOnce(&mut Members)) {
        if let Some(group) = self.tree.get(namespace, filter, number) {
            change(&mut group.members.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
