//! The table of sessions: connecting, taking over, resuming, and the end of a session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use protocol::{DeviceId, KeyId};
use tokio::time::Instant;

use crate::access::Identity;
use crate::bus::Bus;
use crate::codec::{Qos, reason};
use crate::connection::Link;
use crate::filter;
use crate::message::Message;
use crate::session::{Session, SessionKey};

/// How many sessions one device or key may have before those without a connection are forgotten, oldest first.
const SESSIONS_PER_IDENTITY: usize = 100;

/// Every session of this process, connected or waiting for its client.
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
    next_id: AtomicU64,
    bus: Arc<Bus>,
    /// Counts what sessions give up because too much is waiting.
    dropped: Counter,
}

#[derive(Default)]
struct Inner {
    by_key: HashMap<SessionKey, Entry>,
    /// The sessions of each identity, so that what is meant for one device finds it.
    by_identity: HashMap<Identity, Vec<Arc<Session>>>,
}

struct Entry {
    session: Arc<Session>,
    /// When a session without a connection is forgotten.
    expires: Option<Instant>,
}

/// A session bound to its new connection.
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    /// Whether an earlier session goes on (the CONNACK's session present).
    pub(crate) present: bool,
    /// Names this connection in `detach`.
    pub(crate) generation: u64,
}

impl Sessions {
    pub(crate) fn new(bus: Arc<Bus>, dropped: Counter) -> Self {
        Self { inner: Mutex::default(), next_id: AtomicU64::new(1), bus, dropped }
    }

    /// Binds `link` to the session of `key`. An older connection of the same session is told that it was taken over
    /// (MQTT-3.1.4-3); with `clean` the older session is forgotten too (MQTT-3.1.2-4).
    pub(crate) fn attach(&self, key: &SessionKey, clean: bool, link: &Arc<Link>) -> Attached {
        let mut inner = self.lock();
        let old = inner.by_key.get(key).map(|entry| Arc::clone(&entry.session));
        if let Some(old) = &old {
            let mut state = old.state();
            if let Some(link) = state.link.take() {
                link.close(reason::SESSION_TAKEN_OVER);
            }
            state.generation += 1;
        }
        let is_over = inner.by_key.get(key).is_some_and(Entry::is_over);
        let kept =
            if clean || is_over { old.inspect(|old| self.forget(&mut inner, old)).and(None) } else { old };
        let present = kept.is_some();
        let session = kept.unwrap_or_else(|| {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let session = Arc::new(Session::new(id, key.clone(), self.dropped.clone()));
            self.make_room(&mut inner, key.identity);
            inner.by_identity.entry(key.identity).or_default().push(Arc::clone(&session));
            session
        });
        inner.by_key.insert(key.clone(), Entry { session: Arc::clone(&session), expires: None });
        // The table stays locked until the link is known, so that whoever comes next finds it and closes it.
        let mut state = session.state();
        state.link = Some(Arc::clone(link));
        state.generation += 1;
        state.send_again();
        let generation = state.generation;
        drop((state, inner));
        Attached { session, present, generation }
    }

    /// The oldest session without a connection goes where an identity has too many: client ids cost their owner nothing.
    fn make_room(&self, inner: &mut Inner, identity: Identity) {
        let sessions = inner.by_identity.get(&identity).map_or(&[][..], Vec::as_slice);
        if sessions.len() >= SESSIONS_PER_IDENTITY {
            let idle = sessions.iter().find(|session| session.state().link.is_none()).cloned();
            if let Some(idle) = idle {
                self.forget(inner, &idle);
            }
        }
    }

    /// The connection `generation` of a session ended; the session lives on for `expiry`, and not at all if that is zero.
    pub(crate) fn detach(&self, session: &Arc<Session>, generation: u64, expiry: Duration) {
        let mut inner = self.lock();
        let mut state = session.state();
        if state.generation != generation {
            return; // taken over meanwhile
        }
        state.link = None;
        state.drop_unpromised();
        drop(state);
        if expiry.is_zero() {
            self.forget(&mut inner, session);
        } else if let Some(entry) = inner.by_key.get_mut(&session.key) {
            entry.expires = Instant::now().checked_add(expiry);
        }
    }

    /// Forgets the sessions whose time is over.
    pub(crate) fn expire(&self) {
        let mut inner = self.lock();
        let over: Vec<_> =
            inner.by_key.values().filter(|e| e.is_over()).map(|e| Arc::clone(&e.session)).collect();
        for session in over {
            self.forget(&mut inner, &session);
        }
    }

    /// Ends the connections of a device, with a version 5 reason; its sessions go with them.
    pub(crate) fn close_device(&self, device: DeviceId, reason: u8) {
        self.close(Identity::Device(device), reason);
    }

    /// Ends the connections that signed in with an API key.
    pub(crate) fn close_key(&self, key: KeyId, reason: u8) {
        self.close(Identity::Service(key), reason);
    }

    fn close(&self, identity: Identity, reason: u8) {
        let mut inner = self.lock();
        for session in inner.by_identity.get(&identity).cloned().unwrap_or_default() {
            let mut state = session.state();
            if let Some(link) = state.link.take() {
                link.close(reason);
            }
            state.generation += 1;
            drop(state);
            self.forget(&mut inner, &session);
        }
    }

    /// Hands `message` to each session of the device that subscribed to its topic; true if there was one.
    pub(crate) fn deliver_to_device(&self, device: DeviceId, message: &Message) -> bool {
        let sessions = self.of(Identity::Device(device));
        let mut delivered = false;
        for session in sessions {
            let granted = session
                .state()
                .filters
                .iter()
                .filter(|(filter, _)| filter::matches(filter, message.topic()))
                .map(|(_, options)| Qos::asked(*options))
                .max();
            if let Some(qos) = granted {
                session.deliver(message.clone(), qos, false);
                delivered = true;
            }
        }
        delivered
    }

    /// Whether any connection of the identity is open.
    pub(crate) fn is_connected(&self, identity: Identity) -> bool {
        self.of(identity).iter().any(|session| session.state().link.is_some())
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    fn of(&self, identity: Identity) -> Vec<Arc<Session>> {
        self.lock().by_identity.get(&identity).cloned().unwrap_or_default()
    }

    fn forget(&self, inner: &mut Inner, session: &Arc<Session>) {
        if inner.by_key.get(&session.key).is_some_and(|entry| entry.session.id == session.id) {
            inner.by_key.remove(&session.key);
        }
        if let Some(list) = inner.by_identity.get_mut(&session.key.identity) {
            list.retain(|other| other.id != session.id);
            if list.is_empty() {
                inner.by_identity.remove(&session.key.identity);
            }
        }
        // Taken out first: the bus delivers while it holds its own lock, so ours must not be held while it is asked.
        let filters = std::mem::take(&mut session.state().filters);
        for (filter, _) in filters {
            self.bus.unsubscribe(&filter, session.id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.expires.is_some_and(|at| at <= Instant::now())
    }
}
