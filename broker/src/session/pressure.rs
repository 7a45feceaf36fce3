//! Back-pressure: publishers wait for a client that reads, and not for one that does not.
//!
//! When a quarter of what a session may hold is waiting, whoever delivers to it is asked to wait until half of that is
//! gone. A client that does not get that far in time is slow: publishers pass it by, and what does not fit is given up by
//! the rule of [`super::usage`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Session, State};
use crate::connection::Wait;

/// How long publishers wait for a client.
const PATIENCE: Duration = Duration::from_millis(250);

/// The wish that a publisher waits for a session.
#[derive(Debug)]
pub(crate) struct Pressure {
    session: Arc<Session>,
    relief: CancellationToken,
}

impl Pressure {
    /// Ready when the session has room again, or has proved to be slow.
    pub(crate) fn into_wait(self) -> Wait {
        Box::pin(async move {
            if timeout(PATIENCE, self.relief.cancelled()).await.is_err() {
                self.session.state().slow = true;
            }
        })
    }
}

impl Session {
    /// Whether publishers should wait, after something was queued.
    pub(super) fn pressure(self: &Arc<Self>, state: &mut State) -> Option<Pressure> {
        if state.slow || state.link.is_none() || !self.holds_more_than(state, 4) {
            return None;
        }
        let relief = state.relief.get_or_insert_default().clone();
        Some(Pressure { session: Arc::clone(self), relief })
    }

    /// Whether less waits than publishers would be held up for.
    pub(crate) fn takes_more(&self) -> bool {
        !self.holds_more_than(&self.state(), 4)
    }

    /// Lets publishers go on, once enough was sent.
    pub(super) fn relieve(&self, state: &mut State) {
        if (state.slow || state.relief.is_some()) && !self.holds_more_than(state, 8) {
            state.slow = false;
            if let Some(relief) = state.relief.take() {
                relief.cancel();
            }
        }
    }

    /// Whether more waits than this part of what may.
    fn holds_more_than(&self, state: &State, part: usize) -> bool {
        let bounds = &self.usage.bounds;
        state.bytes > bounds.session_bytes / part || state.waiting() > bounds.session_messages / part
    }
}
