//! What a session is subscribed to, in the session, the trees and the store.

use std::sync::Arc;

use store::SavedSubscription;

use super::Sessions;
use crate::access::Identity;
use crate::session::{Session, Subscribed};

impl Sessions {
    /// Writes a subscription into its session and into the trees. Answers whether it replaced one; none where the connection
    /// was taken over, since nobody would take the subscription away again.
    pub(crate) fn subscribe(
        &self,
        session: &Arc<Session>,
        generation: u64,
        subscribed: &Subscribed,
    ) -> Option<bool> {
        let mut state = session.state();
        if state.generation != generation {
            return None;
        }
        let known = state.subscriptions.iter_mut().find(|known| known.filter == subscribed.filter);
        let replaced = known.map(|known| known.clone_from(subscribed)).is_some();
        if !replaced {
            state.subscriptions.push(subscribed.clone());
            session.keep_beside(&mut state, Subscribed::size(&subscribed.filter));
        }
        if session.durable {
            self.journal.subscribed(SavedSubscription {
                session: session.id,
                filter: subscribed.filter.to_string(),
                options: subscribed.options,
                identifier: subscribed.identifier,
            });
        }
        drop(state);
        // What the platform sends to one device goes straight to its session, past the trees.
        if !matches!(session.key.identity, Identity::Device(_)) {
            self.dispatch.subscribe(session, subscribed);
            // It may have ended meanwhile, and then nobody else takes this away again.
            if session.state().ended {
                self.dispatch.unsubscribe(session, &subscribed.filter);
            }
        }
        Some(replaced)
    }

    /// Takes a subscription away; false where there was none, or the connection was taken over.
    pub(crate) fn unsubscribe(&self, session: &Session, generation: u64, path: &str) -> bool {
        let mut state = session.state();
        let known = state.subscriptions.iter().position(|known| *known.filter == *path);
        let Some(index) = known.filter(|_| state.generation == generation) else { return false };
        state.subscriptions.remove(index);
        session.drop_beside(&mut state, Subscribed::size(path));
        if session.durable {
            self.journal.unsubscribed(session.id, path);
        }
        drop(state);
        self.dispatch.unsubscribe(session, path);
        true
    }
}
