//! Sessions whose time is over, and room in the queues of organizations.

use std::sync::Arc;

use protocol::OrganizationId;

use super::{Inner, Sessions};

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
        for (organization, usage) in &inner.usage {
            let excess = usage.excess();
            if excess > 0 {
                self.relieve(&inner, *organization, excess);
            }
        }
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
