//! What the queues of an organization hold together, and what they may.
//!
//! What goes first when room runs out: a session that is full gives up what has expired, then what waits with QoS 0, then
//! the new message. When an organization has used nine tenths of its budget, the queues of the sessions that have been
//! away longest are emptied until a quarter is free; a message that finds the whole budget used is given up.

use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::counter::Counter;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes in one session.
    pub(crate) session_bytes: usize,
    /// Messages in one session; fewer than there are packet ids.
    pub(crate) session_messages: usize,
    /// Bytes in all sessions of one organization.
    pub(crate) organization_bytes: usize,
}

/// What waits in the sessions of one organization.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) bounds: Bounds,
    bytes: AtomicUsize,
    /// What is kept beside that, filters and wills, which emptying queues does not free.
    beside: AtomicUsize,
    /// Messages given up, of all organizations.
    pub(crate) dropped: Counter,
    /// Messages whose time was over before they could be delivered.
    pub(crate) expired: Counter,
}

impl Usage {
    pub(crate) fn new(bounds: Bounds, dropped: Counter, expired: Counter) -> Self {
        Self { bounds, bytes: AtomicUsize::new(0), beside: AtomicUsize::new(0), dropped, expired }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_beside(&self, bytes: usize) {
        self.beside.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove_beside(&self, bytes: usize) {
        self.beside.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What filters and wills hold.
    pub(crate) fn beside(&self) -> usize {
        self.beside.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether `more` still fits.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.bytes() + self.beside() + more <= self.bounds.organization_bytes
    }

    /// How much should go so that a quarter of the budget is free; 0 below nine tenths.
    pub(crate) fn excess(&self) -> usize {
        let budget = self.bounds.organization_bytes;
        if self.bytes() < budget / 10 * 9 { 0 } else { self.bytes() - budget / 4 * 3 }
    }
}
