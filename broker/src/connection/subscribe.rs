//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use super::Connection;
use crate::access::Identity;
use crate::bus::Subscription;
use crate::codec::{self, Filter, Filters, Qos, Version, reason};
use crate::filter;

/// How many filters one session may hold.
const MAX_SUBSCRIPTIONS: usize = 1000;

impl Connection<'_> {
    /// Grants or refuses each filter; a refusal is 0x80 in 3.1.1 and says why in 5.
    pub(super) fn subscribe(&mut self, id: u16, filters: Filters<'_>) {
        let mut codes = Vec::new();
        let mut fresh = Vec::new();
        for filter in filters {
            match self.check(filter) {
                Ok(qos) => {
                    let known = self.remember(filter, qos);
                    fresh.push((filter, known));
                    codes.push(u8::from(qos == Qos::AtLeastOnce));
                }
                Err((code, cause)) => {
                    self.front.metrics.refuse(cause);
                    codes.push(if self.version == Version::V5 { code } else { reason::UNSPECIFIED });
                }
            }
        }
        codec::suback(&mut self.out, self.version, id, &codes);
        for (filter, known) in fresh {
            self.send_retained(filter, known);
            self.send_receipts(filter.path);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: u16, filters: Filters<'_>) {
        let mut codes = Vec::new();
        for Filter { path, .. } in filters {
            let mut state = self.session.state();
            let before = state.filters.len();
            state.filters.retain(|(known, _)| **known != *path);
            let removed = state.filters.len() < before;
            drop(state);
            self.front.bus.unsubscribe(path, self.session.id);
            codes.push(if removed { reason::SUCCESS } else { reason::NO_SUBSCRIPTION_EXISTED });
        }
        codec::unsuback(&mut self.out, self.version, id, &codes);
    }

    fn check(&self, filter: Filter<'_>) -> Result<Qos, (u8, &'static str)> {
        if !filter::is_valid(filter.path) {
            return Err((reason::TOPIC_FILTER_INVALID, "bad_filter"));
        }
        if filter.path.starts_with("$share/") {
            return Err((reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "shared_subscription"));
        }
        if !self.access.subscribe(filter.path) {
            return Err((reason::NOT_AUTHORIZED, "subscribe_not_authorized"));
        }
        let state = self.session.state();
        let known = state.filters.iter().any(|(known, _)| **known == *filter.path);
        if !known && state.filters.len() >= MAX_SUBSCRIPTIONS {
            return Err((reason::QUOTA_EXCEEDED, "subscriptions_quota"));
        }
        Ok(filter.granted())
    }

    /// Writes the subscription into the session and, for topics that cross the bus, into the tree; true if it replaced one.
    fn remember(&self, filter: Filter<'_>, qos: Qos) -> bool {
        let options = filter.options & 0xFC | u8::from(qos == Qos::AtLeastOnce);
        let mut state = self.session.state();
        if state.generation != self.generation {
            return false; // taken over: nobody would take this subscription away again
        }
        let known = state.filters.iter_mut().find(|(known, _)| **known == *filter.path);
        let replaced = known.map(|entry| entry.1 = options).is_some();
        if !replaced {
            state.filters.push((filter.path.into(), options));
        }
        drop(state);
        // What the platform sends to one device goes straight to its session, past the bus.
        if !matches!(self.access.identity, Identity::Device(_)) {
            let subscription = Subscription {
                session: Arc::clone(&self.session),
                qos,
                no_local: filter.options & 0x04 != 0,
                retain_as_published: filter.options & 0x08 != 0,
            };
            self.front.bus.subscribe(filter.path, subscription);
        }
        replaced
    }

    /// Retain handling of version 5 (section 3.8.3.1): 0 always, 1 for a new subscription only, 2 never.
    fn send_retained(&self, filter: Filter<'_>, known: bool) {
        let handling = filter.options >> 4 & 3;
        if handling == 2 || (handling == 1 && known) {
            return;
        }
        for message in self.front.retained.matching(filter.path) {
            self.session.deliver(message, filter.granted(), true);
        }
    }

    fn send_receipts(&self, path: &str) {
        if let Identity::Device(device) = self.access.identity
            && filter::matches(path, &protocol::Topic::Receipts(device).to_string())
        {
            self.front.ingest.repeat_receipts(device);
        }
    }
}
