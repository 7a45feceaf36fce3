//! Retained messages for new subscriptions, as fast as the client takes them: there may be more of them than may wait in a
//! session, and looking for them must not keep others from their turn.

use std::collections::VecDeque;

use super::Connection;
use crate::filter;
use crate::session::Subscribed;

/// New subscriptions whose retained messages are not all handed out.
#[derive(Debug, Default)]
pub(super) struct HandOut {
    queue: VecDeque<Subscribed>,
    /// The topic from which the first of them goes on.
    from: Option<Box<str>>,
}

impl Connection<'_> {
    /// Retain handling of version 5 (section 3.8.3.1): 0 always, 1 for a new subscription only, 2 never. Shared
    /// subscriptions get none (section 4.8.2).
    pub(super) fn ask_for_retained(&mut self, subscribed: Subscribed, known: bool) {
        let handling = subscribed.options >> 4 & 3;
        let shared = filter::share(&subscribed.filter).0.is_some();
        self.ask_no_more(&subscribed.filter);
        if !(handling == 2 || (handling == 1 && known) || shared) {
            self.hand_out.get_or_insert_default().queue.push_back(subscribed);
        }
    }

    /// Forgets what a subscription that is replaced or gone was still to get (MQTT-3.10.4-2).
    pub(super) fn ask_no_more(&mut self, filter: &str) {
        let Some(HandOut { queue, from }) = self.hand_out.as_deref_mut() else { return };
        if queue.front().is_some_and(|first| *first.filter == *filter) {
            *from = None;
        }
        queue.retain(|waiting| *waiting.filter != *filter);
        if queue.is_empty() {
            self.hand_out = None;
        }
    }

    /// Hands out some more, if there are more and the session has room; false otherwise.
    pub(super) fn hand_out_some(&mut self) -> bool {
        let Some(HandOut { queue, from }) = self.hand_out.as_deref_mut() else { return false };
        if !self.session.takes_more() {
            return false;
        }
        if let Some(subscribed) = queue.front() {
            *from = self.front.dispatch.send_retained(&self.session, subscribed, from.as_deref());
        }
        if from.is_none() {
            queue.pop_front();
        }
        if queue.is_empty() {
            self.hand_out = None;
        }
        true
    }
}
