//! What the agent is told about commands.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::signature::TrustedKey;

/// `[commands]`: which commands are run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsConfig {
    /// Directory of the journal and of the appliance's state, which it has for itself; without it, `commands` in that of
    /// the spool.
    pub dir: Option<PathBuf>,
    /// Whether the device's own clock is right.
    pub clock: ClockSetting,
    /// Whether only commands are run that their operator signed; then no desired twin is followed.
    pub require_signature: bool,
    /// Whose signatures count: raw Ed25519 public keys (RFC 8032) in base64url without padding (RFC 4648 section 5).
    pub trusted_keys: Vec<TrustedKey>,
}

/// Whether the device's own clock is right; never if it is behind what the platform says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockSetting {
    /// It is, if it is not before [`EARLIEST`](crate::reckoning::EARLIEST).
    #[default]
    Auto,
    /// It is, whatever it shows.
    Trusted,
    /// It is not: commands with a deadline are refused.
    Unset,
}

impl CommandsConfig {
    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            !self.require_signature || !self.trusted_keys.is_empty(),
            "[commands] `require_signature` needs `trusted_keys`",
        )
    }
}
