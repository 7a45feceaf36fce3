//! Retained messages: the last message of a topic for whoever subscribes later.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::Timestamp;

use crate::filter;
use crate::journal::Journal;
use crate::message::Message;
use crate::namespace::Namespace;

/// How many topics are looked at in a row: others have their turn before the next of them.
const LOOKED_AT: usize = 500;

/// The retained messages by namespace and topic; the store has them too.
#[derive(Debug)]
pub(crate) struct Retained {
    by_namespace: RwLock<HashMap<Namespace, Topics>>,
    /// How many bytes those of one namespace may hold together; what would go beyond is not retained.
    budget: usize,
    journal: Arc<Journal>,
}

#[derive(Debug, Default)]
struct Topics {
    /// In the order of their names, so that a filter looks only at what begins like it.
    messages: BTreeMap<Box<str>, Message>,
    bytes: usize,
}

impl Retained {
    pub(crate) fn new(budget: usize, journal: Arc<Journal>) -> Self {
        Self { by_namespace: RwLock::default(), budget, journal }
    }

    /// Keeps `message` for its topic, or forgets the topic where the payload is empty (MQTT-3.3.1-6).
    ///
    /// Answers false where the budget is used up, even without what has expired.
    pub(crate) fn set(&self, message: &Message, now: Timestamp) -> bool {
        let (organization, topic) = (message.organization(), message.topic());
        let mut all = self.by_namespace.write().unwrap_or_else(PoisonError::into_inner);
        let topics = all.entry(message.namespace()).or_default();
        if message.payload().is_empty() {
            if topics.remove(topic) {
                self.journal.retained(organization, topic, None);
            }
            return true;
        }
        let old = topics.messages.get(topic).map_or(0, Message::size);
        if topics.bytes - old + message.size() > self.budget {
            self.expire(topics, now);
        }
        let old = topics.messages.get(topic).map_or(0, Message::size);
        if topics.bytes - old + message.size() > self.budget {
            return false;
        }
        topics.insert(message.clone());
        // What the server tells of itself is not true any more after a restart.
        if message.namespace() != Namespace::System {
            self.journal.retained(organization, topic, Some(message));
        }
        true
    }

    /// Takes back what the store kept.
    pub(crate) fn restore(&self, messages: impl IntoIterator<Item = Message>) {
        let mut all = self.by_namespace.write().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            all.entry(message.namespace()).or_default().insert(message);
        }
    }

    /// Every retained message on a topic of the platform.
    pub(crate) fn of_platform(&self) -> Vec<Message> {
        let all = self.by_namespace.read().unwrap_or_else(PoisonError::into_inner);
        let platform = all.iter().filter(|(namespace, _)| matches!(namespace, Namespace::Platform(_)));
        platform.flat_map(|(_, topics)| topics.messages.values().cloned()).collect()
    }

    /// Every retained message on a free topic that is wanted, of all organizations.
    pub(crate) fn of_free(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Message> {
        let all = self.by_namespace.read().unwrap_or_else(PoisonError::into_inner);
        let free = all.iter().filter(|(namespace, _)| matches!(namespace, Namespace::Free(_)));
        let wanted = |message: &&Message| is_wanted(message.topic());
        free.flat_map(|(_, topics)| topics.messages.values().filter(wanted).cloned()).collect()
    }

    /// The retained message of a topic.
    pub(crate) fn get(&self, namespace: Namespace, topic: &str) -> Option<Message> {
        let all = self.by_namespace.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&namespace)?.messages.get(topic).cloned()
    }

    /// Gives the retained messages that `filter` matches and that are still of use, from the topic `from` on, until `give` has
    /// enough or [`LOOKED_AT`] topics were looked at; answers the topic to go on from, none where that was all.
    ///
    /// The table stays locked meanwhile, so that nobody gets a retained message behind a newer one of its topic.
    pub(crate) fn give(
        &self,
        namespace: Namespace,
        filter: &str,
        from: Option<&str>,
        now: Timestamp,
        mut give: impl FnMut(&Message) -> bool,
    ) -> Option<Box<str>> {
        let all = self.by_namespace.read().unwrap_or_else(PoisonError::into_inner);
        let topics = all.get(&namespace)?;
        let is_good = |message: &Message| message.expires_at().is_none_or(|at| at > now);
        let Some(wild) = filter.find(['+', '#']) else {
            topics.messages.get(filter).filter(|message| is_good(message)).map(give);
            return None;
        };
        // `a/#` matches `a` too.
        let prefix = filter[..wild].trim_end_matches('/');
        let from = (Bound::Included(from.unwrap_or(prefix)), Bound::Unbounded);
        let candidates =
            topics.messages.range::<str, _>(from).take_while(|(topic, _)| topic.starts_with(prefix));
        let mut has_enough = false;
        for (looked_at, (topic, message)) in candidates.enumerate() {
            if has_enough || looked_at == LOOKED_AT {
                return Some(topic.clone());
            }
            has_enough = filter::matches(filter, topic) && is_good(message) && !give(message);
        }
        None
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let all = self.by_namespace.read().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|topics| topics.messages.len()).sum()
    }

    /// Forgets what is of no use any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let mut all = self.by_namespace.write().unwrap_or_else(PoisonError::into_inner);
        for topics in all.values_mut() {
            self.expire(topics, now);
        }
    }

    fn expire(&self, topics: &mut Topics, now: Timestamp) {
        let over = |message: &Message| message.expires_at().is_some_and(|at| at <= now);
        let gone: Vec<Message> = topics.messages.values().filter(|message| over(message)).cloned().collect();
        for message in gone {
            topics.remove(message.topic());
            self.journal.retained(message.organization(), message.topic(), None);
        }
    }
}

impl Topics {
    fn insert(&mut self, message: Message) {
        self.bytes += message.size();
        let old = self.messages.insert(message.topic().into(), message);
        self.bytes -= old.map_or(0, |old| old.size());
    }

    fn remove(&mut self, topic: &str) -> bool {
        let old = self.messages.remove(topic);
        self.bytes -= old.as_ref().map_or(0, Message::size);
        old.is_some()
    }
}
