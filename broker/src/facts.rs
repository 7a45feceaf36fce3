//! What is known of each device beside its data: how it last signed in, how its connection ended, what it was refused.
//!
//! `GET /devices/{device}/explain` and `promenade explain` answer from it. It is saved every few seconds as one JSON
//! document for each device, so a crash loses the last few seconds of it and nothing that was promised.

mod book;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use book::Book;

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
    others: Mutex<Facts>,
    /// Whether it is known if the device is connected, and not only what was saved of it.
    is_current: AtomicBool,
    is_dirty: AtomicBool,
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
            is_current: AtomicBool::new(false),
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
        self.is_current.store(true, Ordering::Release);
        self.change(|facts| {
            facts.connected_since = Some(sign_in.at);
            facts.sign_in = Some(sign_in);
        });
    }

    /// The connection that was there since `since` ended; another may be open already.
    pub(crate) fn disconnected(&self, since: Timestamp, end: Disconnected) {
        self.change(|facts| {
            if facts.connected_since == Some(since) {
                facts.connected_since = None;
            }
            facts.disconnected = Some(end);
        });
    }

    /// The connection that was saved as open ended with the server.
    pub(crate) fn ended_with_the_server(&self) {
        self.is_current.store(true, Ordering::Release);
        self.touch();
    }

    /// Changes what needs more than a time.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.lock());
        self.touch();
    }

    /// All of it, with what was known before where nothing new is.
    fn over(&self, before: Facts) -> Facts {
        let time = |new: &AtomicI64, old: Option<Timestamp>| {
            Some(new.load(Ordering::Relaxed)).filter(|at| *at != NEVER).map(Timestamp).or(old)
        };
        let offset = Some(self.clock_offset_ms.load(Ordering::Relaxed)).filter(|offset| *offset != NEVER);
        let mut new = self.lock();
        // What was counted is handed over once; the rest stays, since it replaces and does not add.
        let (limits, refusals) = (std::mem::take(&mut new.limits), std::mem::take(&mut new.refusals));
        Facts {
            sign_in: new.sign_in.clone().or(before.sign_in),
            refused_sign_in: new.refused_sign_in.clone().or(before.refused_sign_in),
            connected_since: if self.is_current.load(Ordering::Acquire) {
                new.connected_since
            } else {
                before.connected_since
            },
            disconnected: new.disconnected.clone().or(before.disconnected),
            last_message_at: time(&self.last_message_at, before.last_message_at),
            last_batch_at: time(&self.last_batch_at, before.last_batch_at),
            last_ping_at: time(&self.last_ping_at, before.last_ping_at),
            clock_offset_ms: offset.or(before.clock_offset_ms),
            limits: sum(before.limits, limits),
            refusals: sum(before.refusals, refusals),
        }
    }

    fn touch(&self) {
        // Most often it is dirty already, and reading is cheaper than writing.
        if !self.is_dirty.load(Ordering::Relaxed) {
            self.is_dirty.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
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
        let observed = Observed::new(OrganizationId::from_uuid(uuid::Uuid::nil()));
        observed.refused("bad_filter", Timestamp(5));
        observed.batch(Timestamp(6), Some(Timestamp(4)));
        observed.skewed(-20);
        let first = observed.over(Facts::default());
        observed.refused("bad_filter", Timestamp(7));
        observed.limited("pings_per_minute", Timestamp(8));
        observed.batch(Timestamp(9), Some(Timestamp(3)));
        let second = observed.over(first);
        assert_eq!(second.refusals["bad_filter"], Tally { count: 2, last_at: Timestamp(7) });
        assert_eq!(second.limits["pings_per_minute"].count, 1);
        assert_eq!((second.last_message_at, second.last_batch_at), (Some(Timestamp(9)), Some(Timestamp(9))));
        assert_eq!((second.last_ping_at, second.clock_offset_ms), (Some(Timestamp(4)), Some(-20)));
        assert_eq!(observed.over(second.clone()), second, "told once");
    }

    #[test]
    fn a_restart_forgets_nothing_and_a_connection_that_ended_with_it_is_not_open() {
        let before = Facts { connected_since: Some(Timestamp(1)), ..Facts::default() };
        let observed = Observed::new(OrganizationId::from_uuid(uuid::Uuid::nil()));
        assert_eq!(observed.over(before.clone()).connected_since, Some(Timestamp(1)), "nothing is known");
        observed.ended_with_the_server();
        assert_eq!(observed.over(before).connected_since, None);
        observed.connected(SignIn { at: Timestamp(5), ..SignIn::default() });
        observed.disconnected(Timestamp(4), Disconnected::default());
        assert_eq!(observed.over(Facts::default()).connected_since, Some(Timestamp(5)), "an older one ended");
        observed.disconnected(Timestamp(5), Disconnected::default());
        assert_eq!(observed.over(Facts::default()).connected_since, None);
    }
}
