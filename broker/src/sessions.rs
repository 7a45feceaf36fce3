//! The table of sessions: connecting, taking over, resuming, and the end of a session.

mod identities;
mod restore;
mod subscriptions;
mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::OrganizationId;
use store::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::access::{Access, Grant, Identity};
use crate::codec::reason;
use crate::config;
use crate::connection::Link;
use crate::dispatch::Dispatch;
use crate::journal::{Journal, expiry};
use crate::metrics::Metrics;
use crate::session::{Birth, Bounds, Session, SessionKey, State, Unfinished, Usage, Will};
use crate::sign_in::Credential;

pub(crate) use restore::WaitingWill;

/// Every session of this process, connected or waiting for its client.
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
    next_id: AtomicU64,
    dispatch: Arc<Dispatch>,
    journal: Arc<Journal>,
    clock: Clock,
    metrics: Metrics,
    bounds: Bounds,
    /// How many sessions one identity may have before those without a connection are forgotten, oldest first.
    per_identity: usize,
    /// The same for a device.
    per_device: usize,
    /// What those may do who do not sign in.
    strangers: Access,
    /// What is hidden from them.
    hidden: Arc<[Box<str>]>,
}

#[derive(Default)]
struct Inner {
    /// In the order of their identities, so that what is meant for one device finds its sessions.
    by_key: BTreeMap<SessionKey, Entry>,
    /// How many sessions each identity has.
    counts: HashMap<Identity, usize>,
    usage: HashMap<OrganizationId, Arc<Usage>>,
    /// Ended sessions with what other members of their groups should have.
    left: Vec<(Arc<Session>, Unfinished)>,
}

struct Entry {
    session: Arc<Session>,
    /// What its connection signed in with.
    credential: Option<Credential>,
    /// Since when it has no connection, and when it is forgotten.
    away: Option<Away>,
}

#[derive(Clone, Copy)]
struct Away {
    since: Instant,
    expires: Option<Instant>,
}

/// What a client wants of its session.
pub(crate) struct Wish {
    /// Nothing of an earlier session.
    pub(crate) clean: bool,
    /// How long it shall live without a connection, in seconds.
    pub(crate) expiry_s: u32,
    pub(crate) organization: OrganizationId,
    /// What signed it in, where that can end while the identity goes on.
    pub(crate) credential: Option<Credential>,
    /// How many connections its identity may have at once.
    pub(crate) most: Option<usize>,
}

/// A session bound to its new connection.
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    /// Whether an earlier session goes on (the CONNACK's session present).
    pub(crate) present: bool,
    /// Names this connection in `detach`.
    pub(crate) generation: u64,
    /// An earlier session was forgotten that the store has: until that is committed, a crash brings it back.
    pub(crate) replaces: bool,
}

/// What becomes of a session whose connection ended.
pub(crate) enum Fate {
    /// It is over.
    Over,
    /// It waits for its client; told when that comes back or the session is over.
    Waits(Arc<Notify>),
    /// Another connection has it already.
    TakenOver,
}

impl Sessions {
    pub(crate) fn new(
        dispatch: Arc<Dispatch>,
        journal: Arc<Journal>,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        limits: &config::Limits,
        strangers: &Arc<Grant>,
    ) -> Self {
        Self {
            inner: Mutex::default(),
            next_id: AtomicU64::new(1),
            dispatch,
            journal,
            clock,
            metrics,
            bounds,
            per_identity: limits.sessions,
            per_device: limits.device.sessions,
            strangers: Access::anonymous(Arc::clone(strangers)),
            hidden: strangers.hidden(),
        }
    }

    /// Binds `link` to the session of `key`. An older connection of the same session is told that it was taken over
    /// (MQTT-3.1.4-3); with `clean` the older session is forgotten too (MQTT-3.1.2-4).
    /// None where the identity has as many connections as it may, beside the one it takes over.
    pub(crate) fn attach(&self, key: SessionKey, wish: &Wish, link: &Arc<Link>) -> Option<Attached> {
        let mut replaces = false;
        let (mut inner, kept) = loop {
            let mut inner = self.lock();
            let is_connected = |entry: &&Entry| entry.away.is_none() && entry.session.key != key;
            if let Some(most) = wish.most
                && inner.entries(key.identity).filter(is_connected).take(most).count() >= most
            {
                return None;
            }
            let kept = self.resume(&mut inner, &key, wish.clean, &mut replaces);
            if kept.is_none() {
                self.make_room(&mut inner, key.identity);
            }
            if inner.left.is_empty() {
                break (inner, kept);
            }
            // The row of the new session replaces that of the old one, and with it what others should have of it.
            self.hand_on(inner);
        };
        let present = kept.is_some();
        let session = kept.unwrap_or_else(|| {
            *inner.counts.entry(key.identity).or_default() += 1;
            let birth = Birth {
                id: self.next_id.fetch_add(1, Ordering::Relaxed),
                organization: wish.organization,
                durable: wish.expiry_s > 0,
                hidden: self.hidden_from(key.identity),
                usage: self.usage(&mut inner, wish.organization),
                key: key.clone(),
            };
            Arc::new(Session::new(birth, Arc::clone(&self.journal)))
        });
        let entry = Entry { session: Arc::clone(&session), credential: wish.credential, away: None };
        inner.by_key.insert(key, entry);
        // The table stays locked until the link is known, so that whoever comes next finds it and closes it.
        let mut state = session.state();
        state.link = Some(Arc::clone(link));
        state.generation += 1;
        state.expiry_s = wish.expiry_s;
        session.set_will(&mut state, None);
        if let Some(waits) = state.will_waits.take() {
            waits.notify_one();
        }
        state.begin();
        let generation = state.generation;
        self.save(&session, &state, None);
        Some(Attached { session: Arc::clone(&session), present, generation, replaces })
    }

    /// The session of `key` where it goes on; its older connection is told that it was taken over. One that does not go on
    /// is forgotten, and `replaces` set where the store has it.
    fn resume(
        &self,
        inner: &mut Inner,
        key: &SessionKey,
        clean: bool,
        replaces: &mut bool,
    ) -> Option<Arc<Session>> {
        let entry = inner.by_key.get(key)?;
        let (old, is_over) = (Arc::clone(&entry.session), entry.is_over());
        let mut state = old.state();
        if let Some(link) = state.link.take() {
            link.close(reason::SESSION_TAKEN_OVER);
        }
        state.generation += 1;
        // A session that was to end with its connection ends with it, whoever ends the connection.
        let ends = clean || is_over || state.expiry_s == 0;
        drop(state);
        if ends {
            *replaces |= old.durable;
            self.forget(inner, &old);
        }
        (!ends).then_some(old)
    }

    /// The connection `generation` of a session ended; the session lives on for `expiry_s` seconds, and not at all if that is
    /// zero.
    pub(crate) fn detach(&self, session: &Arc<Session>, generation: u64, expiry_s: u32) -> Fate {
        let mut inner = self.lock();
        let mut state = session.state();
        if state.generation != generation {
            return if state.ended { Fate::Over } else { Fate::TakenOver };
        }
        state.link = None;
        if expiry_s == 0 {
            drop(state);
            self.forget(&mut inner, session);
            self.hand_on(inner);
            return Fate::Over;
        }
        state.expiry_s = expiry_s;
        session.drop_unpromised(&mut state);
        let waits = Arc::new(Notify::new());
        state.will_waits = Some(Arc::clone(&waits));
        self.save(session, &state, Some(expiry_s));
        drop(state);
        if let Some(entry) = inner.by_key.get_mut(&session.key) {
            let since = Instant::now();
            let expires = since.checked_add(Duration::from_secs(u64::from(expiry_s)));
            entry.away = Some(Away { since, expires });
        }
        Fate::Waits(waits)
    }

    /// What is to be published for a session if its client is lost, for a durable one with the whole server too; none once that
    /// is settled. False where there is no room for it.
    pub(crate) fn keep_will(&self, session: &Session, generation: u64, will: Option<Will>) -> bool {
        let mut state = session.state();
        if state.generation != generation || state.ended {
            return true;
        }
        if will.as_ref().is_some_and(|will| !session.has_room(&state, will.message.size())) {
            return false;
        }
        session.set_will(&mut state, will);
        let away = state.link.is_none().then_some(state.expiry_s);
        self.save(session, &state, away);
        true
    }

    /// Whether the session has a connection.
    pub(crate) fn is_in_use(&self, key: &SessionKey) -> bool {
        self.lock().by_key.get(key).is_some_and(|entry| entry.away.is_none())
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    fn hidden_from(&self, identity: Identity) -> Arc<[Box<str>]> {
        if identity == Identity::Anonymous { Arc::clone(&self.hidden) } else { Arc::default() }
    }

    fn usage(&self, inner: &mut Inner, organization: OrganizationId) -> Arc<Usage> {
        let new =
            || Arc::new(Usage::new(self.bounds, self.metrics.dropped.clone(), self.metrics.expired.clone()));
        Arc::clone(inner.usage.entry(organization).or_insert_with(new))
    }

    fn save(&self, session: &Session, state: &State, away_s: Option<u32>) {
        if session.durable {
            let expires_at = away_s.map(|seconds| expiry(self.clock.now(), seconds));
            self.journal.session(session.row(state, expires_at));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entries(&self, identity: Identity) -> impl Iterator<Item = &Entry> {
        let first = SessionKey { identity, client_id: "".into() };
        self.by_key
            .range(first..)
            .take_while(move |(key, _)| key.identity == identity)
            .map(|(_, entry)| entry)
    }

    fn forget_one(&mut self, identity: Identity) {
        if let Some(count) = self.counts.get_mut(&identity) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&identity);
            }
        }
    }

    fn of(&self, identity: Identity) -> impl Iterator<Item = &Arc<Session>> {
        self.entries(identity).map(|entry| &entry.session)
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.away.and_then(|away| away.expires).is_some_and(|at| at <= Instant::now())
    }
}
