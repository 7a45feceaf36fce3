//! A device's secret, which nothing prints.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The secret a device signs in with. Shows as `…` in any debug output and has no display form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret in this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for signing in, and for the file that it is kept in.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it can be one: visible ASCII without a space, as a secret never holds the rest of a file.
    pub(crate) fn is_presentable(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived message for a number would quote it.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("the secret is a text in quotes")),
        }
    }
}
