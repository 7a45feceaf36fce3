//! Topic aliases of version 5 (section 3.3.2.3.4), both ways. They end with the connection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::codec::{Alias, DecodeError};

/// The aliases that the client set.
#[derive(Debug)]
pub(super) struct Named {
    topics: Vec<Option<Arc<str>>>,
    maximum: u16,
}

impl Named {
    pub(super) fn new(maximum: u16) -> Self {
        Self { topics: Vec::new(), maximum }
    }

    /// The topic that is meant where none is written; a topic that is written is remembered.
    pub(super) fn resolve(&mut self, alias: u16, topic: &str) -> Result<Arc<str>, DecodeError> {
        if alias == 0 || alias > self.maximum {
            return Err(DecodeError::TopicAlias); // MQTT-3.3.2-9
        }
        let index = usize::from(alias) - 1;
        if topic.is_empty() {
            // Section 3.3.4: an alias that was never set is a protocol error.
            return self.topics.get(index).cloned().flatten().ok_or(DecodeError::Protocol);
        }
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        let topic: Arc<str> = topic.into();
        self.topics[index] = Some(Arc::clone(&topic));
        Ok(topic)
    }
}

/// The aliases set for the client: the first topics it gets, as many as it takes.
#[derive(Debug)]
pub(super) struct Aliases {
    numbers: HashMap<Box<str>, u16>,
    maximum: u16,
}

impl Aliases {
    pub(super) fn new(maximum: u16) -> Self {
        Self { numbers: HashMap::new(), maximum }
    }

    /// What a message on `topic` goes out with.
    pub(super) fn of(&self, topic: &str) -> Alias {
        if self.maximum == 0 {
            return Alias::None;
        }
        match self.numbers.get(topic) {
            Some(&alias) => Alias::Known(alias),
            None if self.numbers.len() < usize::from(self.maximum) => {
                Alias::Set(self.numbers.len() as u16 + 1)
            }
            None => Alias::None,
        }
    }

    /// The message went out with it.
    pub(super) fn used(&mut self, topic: &str, alias: Alias) {
        if let Alias::Set(alias) = alias {
            self.numbers.insert(topic.into(), alias);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_names_topics_and_uses_the_names() {
        let mut named = Named::new(2);
        assert_eq!(named.resolve(1, ""), Err(DecodeError::Protocol), "never set");
        assert_eq!(named.resolve(2, "a").as_deref(), Ok("a"));
        assert_eq!(named.resolve(2, "").as_deref(), Ok("a"));
        assert_eq!(named.resolve(2, "b").as_deref(), Ok("b"));
        assert_eq!(named.resolve(2, "").as_deref(), Ok("b"));
        assert_eq!(named.resolve(3, "c"), Err(DecodeError::TopicAlias), "more than was offered");
        assert_eq!(named.resolve(0, "c"), Err(DecodeError::TopicAlias));
    }

    #[test]
    fn topics_get_aliases_until_the_client_takes_no_more() {
        let mut aliases = Aliases::new(1);
        let first = aliases.of("a");
        assert_eq!(first, Alias::Set(1));
        assert_eq!(aliases.of("a"), Alias::Set(1), "not sent, so not known");
        aliases.used("a", first);
        assert_eq!((aliases.of("a"), aliases.of("b")), (Alias::Known(1), Alias::None));
        assert_eq!(Aliases::new(0).of("a"), Alias::None);
    }
}
