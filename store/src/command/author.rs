//! Who ordered or changed something.

use std::fmt;
use std::str::FromStr;

use protocol::{AccountId, ClientId, KeyId};

use crate::error::StoreError;

/// Who ordered or changed something. Stored and told as `kind:id`, or the kind alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// Whoever had this API key.
    Key(KeyId),
    /// A person.
    Account(AccountId),
    /// An application that acts for itself.
    Client(ClientId),
    /// The device itself.
    Device,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Client(id) => write!(f, "client:{id}"),
            Self::Device => f.write_str("device"),
        }
    }
}

impl FromStr for Author {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let corrupt = |_| StoreError::Corrupt("author");
        match text.split_once(':') {
            Some(("key", id)) => id.parse().map(Self::Key).map_err(corrupt),
            Some(("account", id)) => id.parse().map(Self::Account).map_err(corrupt),
            Some(("client", id)) => id.parse().map(Self::Client).map_err(corrupt),
            None if text == "device" => Ok(Self::Device),
            _ => Err(StoreError::Corrupt("author")),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;

    use super::*;

    #[test]
    fn an_author_is_read_as_it_is_written() {
        let (at, random) = (Timestamp(1), [7; 10]);
        for author in [
            Author::Key(KeyId::new(at, random)),
            Author::Account(AccountId::new(at, random)),
            Author::Client(ClientId::new(at, random)),
            Author::Device,
        ] {
            assert_eq!(author.to_string().parse::<Author>().unwrap(), author);
        }
        for text in ["", "key", "key:", "device:x", "someone:01999999-0000-7000-8000-00000000000a"] {
            assert!(text.parse::<Author>().is_err(), "{text}");
        }
    }
}
