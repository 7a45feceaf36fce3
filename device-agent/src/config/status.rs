//! What the agent is told about its status page.

use std::net::SocketAddr;

use serde::Deserialize;

use super::ConfigError;

/// `[status]`: a page for whoever installs the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusConfig {
    /// Where it is served: an address of this machine's own loopback. Without it there is none.
    pub listen: Option<SocketAddr>,
}

impl StatusConfig {
    pub(super) fn validate(
        self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            self.listen.is_none_or(|listen| listen.ip().is_loopback()),
            "[status] `listen` is an address of the loopback, as 127.0.0.1:8484: whoever reaches the page may read it",
        )
    }
}
