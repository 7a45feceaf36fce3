//! Shared subscriptions (section 4.8.2): each message goes to one member of the group.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use protocol::OrganizationId;

use super::Subscription;
use crate::filter::Share;
use crate::message::Message;
use crate::namespace::Namespace;
use crate::session::{How, Session};
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
    named: HashMap<Name, Arc<Group>>,
    next: u64,
}

/// Whose group it is, since `$SYS` is the same for all; its name and its filter.
type Name = (OrganizationId, Namespace, Box<str>, Box<str>);

/// Whoever shares a subscription.
#[derive(Debug)]
pub(crate) struct Group {
    /// What the tree knows it by.
    number: u64,
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
        let Inner { tree, named, next } = &mut *inner;
        let organization = subscription.session.organization;
        let key = (organization, namespace, share.group.into(), share.filter.into());
        let group = named.entry(key).or_insert_with(|| {
            *next += 1;
            let group = Arc::new(Group { number: *next, members: Mutex::default() });
            tree.insert(namespace, share.filter, *next, Arc::clone(&group));
            group
        });
        let mut members = group.lock();
        let session = subscription.session.id;
        match members.all.iter_mut().find(|member| member.session.id == session) {
            Some(member) => *member = subscription,
            None => members.all.push(subscription),
        }
        drop(members);
        self.groups.store(inner.named.len(), Ordering::Release);
    }

    /// Takes a member out of a group; the last one takes the group along.
    pub(super) fn leave(&self, namespace: Namespace, share: Share<'_>, session: &Session) {
        let mut inner = self.change();
        let key = (session.organization, namespace, share.group.into(), share.filter.into());
        let Some(group) = inner.named.get(&key).map(Arc::clone) else { return };
        let mut members = group.lock();
        members.all.retain(|member| member.session.id != session.id);
        let is_empty = members.all.is_empty();
        drop(members);
        if is_empty {
            inner.named.remove(&key);
            inner.tree.remove(namespace, share.filter, group.number);
            self.groups.store(inner.named.len(), Ordering::Release);
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
        let mut members = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use uuid::Uuid;

    use super::*;
    use crate::access::{Identity, NOBODY};
    use crate::codec::Qos;
    use crate::journal::Journal;
    use crate::message::Draft;
    use crate::session::{Birth, Bounds, SessionKey, Subscribed, Usage};

    fn member(organization: OrganizationId, id: u64) -> Subscription {
        let bounds = Bounds { session_bytes: 1, session_messages: 1, organization_bytes: 1 };
        let birth = Birth {
            id,
            key: SessionKey { identity: Identity::Anonymous, client_id: "c".into() },
            organization,
            durable: false,
            hidden: Arc::default(),
            usage: Arc::new(Usage::new(bounds, Counter::default(), Counter::default())),
        };
        let session = Arc::new(Session::new(birth, Arc::new(Journal::default())));
        let filter = "$share/g/$SYS/#".into();
        Subscription::new(session, &Subscribed { filter, options: 0, identifier: None })
    }

    /// `$SYS` is the same for all, and its groups are not.
    #[test]
    fn groups_of_two_organizations_take_nothing_from_each_other() {
        let (groups, share) = (Shared::default(), Share { group: "g", filter: "$SYS/#" });
        let members = [1, 2].map(|id| member(OrganizationId::from_uuid(Uuid::from_u128(id.into())), id));
        for member in &members {
            groups.join(Namespace::System, share, member.clone());
        }
        let message = Message::new(Draft {
            organization: NOBODY,
            publisher: 0,
            topic: "$SYS/broker/uptime",
            properties: &[],
            payload: b"1",
            qos: Qos::AtMostOnce,
            retain: false,
            expires_at: None,
        });
        let mut taken = Vec::new();
        groups.pick(&message, |member, _| {
            taken.push(member.session.id);
            true
        });
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        groups.leave(Namespace::System, share, &members[0].session);
        assert!(groups.any());
        groups.leave(Namespace::System, share, &members[1].session);
        assert!(!groups.any());
    }
}
