//! Retained messages, in memory: the last message of a topic for whoever subscribes later.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::filter;
use crate::message::Message;

/// How many bytes all retained messages together may hold; what would go beyond is not retained.
const BUDGET: usize = 64 * 1024 * 1024;

/// The retained messages by topic.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_topic: HashMap<Box<str>, Message>,
    bytes: usize,
}

impl Retained {
    /// Keeps `message` for its topic, or forgets the topic where the payload is empty (MQTT-3.3.1-6).
    ///
    /// Answers false where the budget is used up.
    pub(crate) fn set(&self, message: &Message) -> bool {
        let mut inner = self.messages.write().unwrap_or_else(PoisonError::into_inner);
        let old = inner.by_topic.get(message.topic()).map_or(0, Message::size);
        if message.payload().is_empty() {
            inner.bytes -= old;
            inner.by_topic.remove(message.topic());
            return true;
        }
        if inner.bytes - old + message.size() > BUDGET {
            return false;
        }
        inner.bytes = inner.bytes - old + message.size();
        inner.by_topic.insert(message.topic().into(), message.clone());
        true
    }

    /// The retained messages that `filter` matches.
    pub(crate) fn matching(&self, filter: &str) -> Vec<Message> {
        let inner = self.messages.read().unwrap_or_else(PoisonError::into_inner);
        if !filter.contains(['+', '#']) {
            return inner.by_topic.get(filter).cloned().into_iter().collect();
        }
        inner.by_topic.values().filter(|message| filter::matches(filter, message.topic())).cloned().collect()
    }
}
