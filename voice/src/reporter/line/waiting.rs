//! What waits to be told on one line, and what of it is held until the assistant can know what it is about.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Timestamp;
use tokio::time::Instant;

use crate::endpoint::{Endpoint, EndpointId};

/// How an endpoint was when it was told last, and how it is.
pub(super) type State = (Option<Endpoint>, Endpoint);

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How endpoints are, and how they were when they were told last.
    pub(super) states: BTreeMap<EndpointId, State>,
    /// What is new, or is described otherwise than before.
    pub(super) described: BTreeMap<EndpointId, Endpoint>,
    /// What is gone.
    pub(super) gone: BTreeSet<EndpointId>,
    /// Whether something else may be new or gone: Google is asked to ask.
    pub(super) missed: bool,
    /// As of when the assistant knows what there is, once all of this is told.
    pub(super) as_of: Option<Timestamp>,
}

/// What waits to be told. What comes while something waits is told with it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) news: News,
    /// Endpoints whose states are not told until then: the assistant may not know them yet.
    held: BTreeMap<EndpointId, Instant>,
    /// When Google last asked what there is.
    pub(super) synced: Option<Instant>,
    /// What is being told that it is gone.
    pub(super) in_hand: BTreeSet<EndpointId>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        let is_told = self.states.is_empty() && self.described.is_empty() && self.gone.is_empty();
        is_told && !self.missed && self.as_of.is_none()
    }

    pub(super) fn state(&mut self, before: Option<&Endpoint>, now: &Endpoint) {
        self.states
            .entry(now.id)
            .and_modify(|(_, newest)| newest.clone_from(now))
            .or_insert_with(|| (before.cloned(), now.clone()));
    }

    pub(super) fn describe(&mut self, now: &Endpoint) {
        self.gone.remove(&now.id);
        self.described.insert(now.id, now.clone());
    }

    pub(super) fn remove(&mut self, id: EndpointId) {
        self.states.remove(&id);
        self.described.remove(&id);
        self.gone.insert(id);
    }

    /// Puts back what could not be told, below what came meanwhile.
    pub(super) fn put_back(&mut self, untold: Self) {
        let newer = std::mem::replace(self, untold);
        self.missed |= newer.missed;
        self.as_of = newer.as_of.or(self.as_of);
        for (id, (before, now)) in newer.states {
            self.state(before.as_ref(), &now);
            debug_assert_eq!(id, now.id);
        }
        for endpoint in newer.described.values() {
            self.describe(endpoint);
        }
        for id in newer.gone {
            self.remove(id);
        }
    }
}

impl Waiting {
    /// States of an endpoint are not told until then.
    pub(super) fn hold(&mut self, id: EndpointId, until: Instant) {
        self.held.insert(id, until);
    }

    /// The same, of a state that was taken already; a newer one that came meanwhile is not lost.
    pub(super) fn hold_back(&mut self, state: State, until: Instant) {
        self.held.insert(state.1.id, until);
        let mut untold = News::default();
        untold.states.insert(state.1.id, state);
        self.news.put_back(untold);
    }

    /// Google asked what there is: what is held of that is told once it had time to take it in.
    pub(super) fn synced(&mut self, told: &[EndpointId], now: Instant, settled: Instant) {
        self.synced = Some(now);
        for id in told {
            self.held.entry(*id).and_modify(|until| *until = settled.min(*until));
        }
    }

    /// Takes what can be told now.
    pub(super) fn take(&mut self, now: Instant) -> News {
        self.held.retain(|_, until| *until > now);
        let mut news = std::mem::take(&mut self.news);
        let (held, due) = news.states.into_iter().partition(|(id, _)| self.held.contains_key(id));
        (self.news.states, news.states) = (held, due);
        self.in_hand.clone_from(&news.gone);
        news
    }

    /// When something that is held can be told.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.news.states.keys().filter_map(|id| self.held.get(id)).min().copied()
    }
}
