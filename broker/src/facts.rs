//! What is known of each device beside its data: how it last signed in, how its connection ended, what it was refused.
//!
//! `GET /devices/{device}/explain` and `promenade explain` answer from it. It is saved every few seconds as one JSON
//! document for each device, so a crash loses the last few seconds of it and nothing that was promised.

mod book;
mod scanned;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use book::Book;
use scanned::Scanned;

/// The document of one device; times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) refused_sign_in: Option<RefusedSignIn>,
    pub(crate) connected_since: Option<Timestamp>,
    pub(crate) disconnected: Option<Disconnected>,
    last_message_at: Option<Timestamp>,
    last_batch_at: Option<Timestamp>,
    last_ping_at: Option<Timestamp>,
    clock_offset_ms: Option<i64>,
    /// Limits that it hit.
    limits: BTreeMap<String, Tally>,
    /// Other refusals, by their cause.
    refusals: BTreeMap<String, Tally>,
    /// What a scanner reported in a format of its own.
    scanned: Scanned,
}

/// A sign-in that was let in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SignIn {
    pub(crate) at: Timestamp,
    pub(crate) address: String,
    /// `tcp`, `tls`, `ws` or `wss`.
    pub(crate) transport: String,
    /// `3.1.1` or `5`.
    pub(crate) version: String,
    pub(crate) client_id: String,
    /// The fingerprint of the certificate, in hexadecimal.
    pub(crate) certificate: Option<String>,
}

/// A sign-in that was refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RefusedSignIn {
    pub(crate) at: Timestamp,
    pub(crate) address: String,
    pub(crate) cause: String,
}

/// The end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Disconnected {
    pub(crate) at: Timestamp,
    pub(crate) cause: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Tally {
    count: u64,
    last_at: Timestamp,
}

/// What is being learned of one device.
#[derive(Debug)]
pub(crate) struct Observed {
    organization: OrganizationId,
    /// What a message changes needs no lock.
    last_message_at: AtomicI64,
    last_batch_at: AtomicI64,
    last_ping_at: AtomicI64,
    clock_offset_ms: AtomicI64,
    others: Mutex<Others>,
    is_dirty: AtomicBool,
}

#[derive(Debug, Default)]
struct Others {
    facts: Facts,
    /// What was saved before is in it.
    is_whole: bool,
    /// Whether it is known if the device is connected, and not only what was saved of it.
    is_current: bool,
    /// Since when each of its connections is open.
    open: Vec<Timestamp>,
}

/// No time and no offset.
const NEVER: i64 = i64::MIN;

impl Observed {
    fn new(organization: OrganizationId) -> Self {
        let never = || AtomicI64::new(NEVER);
        Self {
            organization,
            last_message_at: never(),
            last_batch_at: never(),
            last_ping_at: never(),
            clock_offset_ms: never(),
            others: Mutex::default(),
            is_dirty: AtomicBool::new(false),
        }
    }

    /// The device sent something.
    pub(crate) fn heard(&self, now: Timestamp) {
        self.last_message_at.store(now.0, Ordering::Relaxed);
        self.touch();
    }

    /// A batch of its pings was taken in.
    pub(crate) fn batch(&self, now: Timestamp, newest: Option<Timestamp>) {
        self.last_batch_at.store(now.0, Ordering::Relaxed);
        if let Some(newest) = newest {
            self.last_ping_at.fetch_max(newest.0, Ordering::Relaxed);
        }
        self.heard(now);
    }

    /// The server's clock minus the device's.
    pub(crate) fn skewed(&self, offset_ms: i64) {
        self.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
        self.touch();
    }

    /// What it was when the device last told its own.
    pub(crate) fn clock_offset_ms(&self) -> Option<i64> {
        Some(self.clock_offset_ms.load(Ordering::Relaxed)).filter(|offset| *offset != NEVER)
    }

    /// Something was refused, other than signing in.
    pub(crate) fn refused(&self, cause: &str, now: Timestamp) {
        self.change(|facts| tally(&mut facts.refusals, cause, now));
    }

    /// A limit was hit.
    pub(crate) fn limited(&self, limit: &str, now: Timestamp) {
        self.change(|facts| tally(&mut facts.limits, limit, now));
    }

    /// A connection of the device is there now.
    pub(crate) fn connected(&self, sign_in: SignIn) {
        let mut others = self.lock();
        others.is_current = true;
        others.open.push(sign_in.at);
        others.facts.connected_since = others.open.last().copied();
        others.facts.sign_in = Some(sign_in);
        drop(others);
        self.touch();
    }

    /// A connection that was there since `since` ended; others may be open.
    pub(crate) fn disconnected(&self, since: Timestamp, end: Disconnected) {
        let mut others = self.lock();
        if let Some(index) = others.open.iter().position(|at| *at == since) {
            others.open.remove(index);
        }
        others.facts.connected_since = others.open.last().copied();
        others.facts.disconnected = Some(end);
        drop(others);
        self.touch();
    }

    /// The connection that was saved as open ended with the server.
    pub(crate) fn ended_with_the_server(&self) {
        self.lock().is_current = true;
        self.change(|facts| facts.connected_since = None);
    }

    /// Changes what needs more than a time.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.lock().facts);
        self.touch();
    }

    /// Whether what was saved before is still to be read.
    fn is_part(&self) -> bool {
        !self.lock().is_whole
    }

    /// Puts what was saved before under what is new.
    fn complete(&self, before: Facts) {
        let mut others = self.lock();
        let is_current = others.is_current;
        let new = std::mem::take(&mut others.facts);
        others.facts = Facts {
            sign_in: new.sign_in.or(before.sign_in),
            refused_sign_in: new.refused_sign_in.or(before.refused_sign_in),
            connected_since: if is_current { new.connected_since } else { before.connected_since },
            disconnected: new.disconnected.or(before.disconnected),
            limits: sum(before.limits, new.limits),
            refusals: sum(before.refusals, new.refusals),
            scanned: new.scanned.over(before.scanned),
            ..before
        };
        others.is_whole = true;
    }

    /// The document as it stands.
    fn document(&self) -> Facts {
        let told = |new: &AtomicI64| Some(new.load(Ordering::Relaxed)).filter(|value| *value != NEVER);
        let time = |new: &AtomicI64, old: Option<Timestamp>| told(new).map(Timestamp).or(old);
        let facts = self.lock().facts.clone();
        Facts {
            last_message_at: time(&self.last_message_at, facts.last_message_at),
            last_batch_at: time(&self.last_batch_at, facts.last_batch_at),
            last_ping_at: time(&self.last_ping_at, facts.last_ping_at),
            clock_offset_ms: told(&self.clock_offset_ms).or(facts.clock_offset_ms),
            ..facts
        }
    }

    fn touch(&self) {
        // Most often it is dirty already, and reading is cheaper than writing.
        if !self.is_dirty.load(Ordering::Relaxed) {
            self.is_dirty.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tally(tallies: &mut BTreeMap<String, Tally>, what: &str, now: Timestamp) {
    let tally = tallies.entry(what.to_owned()).or_default();
    *tally = Tally { count: tally.count + 1, last_at: now };
}

fn sum(mut before: BTreeMap<String, Tally>, new: BTreeMap<String, Tally>) -> BTreeMap<String, Tally> {
    for (what, Tally { count, last_at }) in new {
        let tally = before.entry(what).or_default();
        *tally = Tally { count: tally.count + count, last_at };
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_stands_over_what_was_and_counts_add_up() {
        let observed = || Observed::new(OrganizationId::from_uuid(uuid::Uuid::nil()));
        let first = observed();
        first.refused("bad_filter", Timestamp(5));
        first.batch(Timestamp(6), Some(Timestamp(4)));
        first.skewed(-20);
        first.complete(Facts::default());
        assert!(!first.is_part());
        // After a restart, or once nobody had written on the page for a while.
        let second = observed();
        second.refused("bad_filter", Timestamp(7));
        second.limited("pings_per_minute", Timestamp(8));
        second.batch(Timestamp(9), None);
        assert!(second.is_part());
        second.complete(first.document());
        let facts = second.document();
        assert_eq!(facts.refusals["bad_filter"], Tally { count: 2, last_at: Timestamp(7) });
        assert_eq!(facts.limits["pings_per_minute"].count, 1);
        assert_eq!((facts.last_message_at, facts.last_batch_at), (Some(Timestamp(9)), Some(Timestamp(9))));
        assert_eq!((facts.last_ping_at, facts.clock_offset_ms), (Some(Timestamp(4)), Some(-20)));
        second.refused("bad_filter", Timestamp(10));
        assert_eq!(second.document().refusals["bad_filter"].count, 3);
    }

    #[test]
    fn a_restart_forgets_nothing_and_a_connection_that_ended_with_it_is_not_open() {
        let observed = || Observed::new(OrganizationId::from_uuid(uuid::Uuid::nil()));
        let before = Facts { connected_since: Some(Timestamp(1)), ..Facts::default() };
        let unknown = observed();
        unknown.complete(before.clone());
        assert_eq!(unknown.document().connected_since, Some(Timestamp(1)), "nothing is known");
        let ended = observed();
        ended.ended_with_the_server();
        ended.complete(before);
        assert_eq!(ended.document().connected_since, None);
        ended.connected(SignIn { at: Timestamp(5), ..SignIn::default() });
        ended.disconnected(Timestamp(4), Disconnected::default());
        assert_eq!(ended.document().connected_since, Some(Timestamp(5)), "an older one ended");
        ended.disconnected(Timestamp(5), Disconnected::default());
        assert_eq!(ended.document().connected_since, None);
    }
}
