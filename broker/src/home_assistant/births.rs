//! Home Assistant says that it is there: its birth message, heard among all that is published.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use protocol::OrganizationId;
use tokio::sync::Notify;

/// The payload of a birth message
/// (<https://www.home-assistant.io/integrations/mqtt/#birth-and-last-will-messages>).
const ONLINE: &[u8] = b"online";

/// Birth messages that are expected, and those that came.
#[derive(Debug, Default)]
pub(crate) struct Births {
    /// Whether any is expected: where nobody uses this, nobody pays for it.
    any: AtomicBool,
    topics: RwLock<HashMap<OrganizationId, Box<str>>>,
    came: Mutex<BTreeSet<OrganizationId>>,
    changed: Notify,
}

impl Births {
    /// Looks at a message on a free topic, after it was sent on its way.
    pub(crate) fn hear(&self, organization: OrganizationId, topic: &str, payload: &[u8]) {
        if self.any.load(Ordering::Relaxed) && payload == ONLINE {
            self.look_at(organization, topic);
        }
    }

    fn look_at(&self, organization: OrganizationId, topic: &str) {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        if topics.get(&organization).is_some_and(|expected| **expected == *topic) {
            self.came.lock().unwrap_or_else(PoisonError::into_inner).insert(organization);
            self.changed.notify_one();
        }
    }

    /// Listens for the births of these organizations, each below its prefix.
    pub(super) fn expect(&self, prefixes: &BTreeMap<OrganizationId, String>) {
        let topic = |prefix: &String| format!("{prefix}/status").into_boxed_str();
        let topics = prefixes.iter().map(|(organization, prefix)| (*organization, topic(prefix))).collect();
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = topics;
        self.any.store(!prefixes.is_empty(), Ordering::Relaxed);
    }

    /// Waits until one came. For one who waits.
    pub(super) async fn heard(&self) {
        self.changed.notified().await;
    }

    /// The organizations of those that came.
    pub(super) fn take(&self) -> BTreeSet<OrganizationId> {
        std::mem::take(&mut *self.came.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;

    use super::*;

    #[test]
    fn a_birth_is_heard_where_it_is_expected() {
        let births = Births::default();
        let organization = |number| OrganizationId::new(Timestamp(1), [number; 10]);
        let (own, other) = (organization(1), organization(2));
        births.hear(own, "homeassistant/status", ONLINE);
        births.expect(&BTreeMap::from([(own, "homeassistant".to_owned())]));
        births.hear(own, "homeassistant/status", b"offline");
        births.hear(own, "ha/status", ONLINE);
        births.hear(other, "homeassistant/status", ONLINE);
        assert_eq!(births.take(), BTreeSet::new());
        births.hear(own, "homeassistant/status", ONLINE);
        assert_eq!(births.take(), BTreeSet::from([own]));
        births.expect(&BTreeMap::new());
        births.hear(own, "homeassistant/status", ONLINE);
        assert_eq!(births.take(), BTreeSet::new());
    }
}
