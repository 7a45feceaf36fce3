//! What the agent is told about pseudonyms.

use serde::Deserialize;

/// `[privacy]`: whether identifiers leave this device as they were heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// When identifiers are replaced.
    pub pseudonyms: Pseudonyms,
}

/// When identifiers are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pseudonyms {
    /// While the desired twin has a key for it.
    #[default]
    Twin,
    /// Always: what is heard before there is a key is counted and forgotten.
    Required,
}
