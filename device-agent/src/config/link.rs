//! What the agent is told about the way to the platform.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;

/// `[link]`: the MQTT connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// Host name or address of the platform.
    pub host: String,
    /// Its MQTT port; 8883 by custom where TLS is spoken.
    pub port: u16,
    /// Whether TLS is spoken. Without it, everything on the way can be read, the secret too.
    pub tls: bool,
    /// PEM file of the authorities that may vouch for the platform; without it, those of the system.
    pub ca: Option<PathBuf>,
    /// PEM file of this device's own certificate and what leads from it to its authority.
    pub certificate: Option<PathBuf>,
    /// PEM file of that certificate's private key.
    pub key: Option<PathBuf>,
    /// Seconds of silence after which the connection is tried, 5..=3600.
    pub keep_alive_s: u16,
    /// Most batches sent and not yet receipted, 1..=1024.
    pub window: u16,
    /// Most bytes sent and not yet receipted; one batch may always be on its way.
    pub window_bytes: usize,
    /// Milliseconds after which an unreceipted batch is sent again; doubles with each try up to 16 times this.
    pub receipt_deadline_ms: u64,
    /// Upper bound of the first wait before connecting again, in milliseconds; doubles with each failure.
    pub backoff_min_ms: u64,
    /// Upper bound of any wait before connecting again, in milliseconds.
    pub backoff_max_ms: u64,
    /// Milliseconds without sending after a quota was used up.
    pub quota_pause_ms: u64,
}

impl LinkConfig {
    /// The silence after which the connection is tried.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_s.into())
    }

    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(!self.host.is_empty() && self.port != 0, "[link] needs a host and a port")?;
        check(
            self.tls || (self.ca.is_none() && self.certificate.is_none() && self.key.is_none()),
            "[link] `ca`, `certificate` and `key` need `tls = true`",
        )?;
        check(
            self.certificate.is_some() == self.key.is_some(),
            "[link] `certificate` and `key` need each other",
        )?;
        check((5..=3_600).contains(&self.keep_alive_s), "`keep_alive_s` is 5 to 3600")?;
        check((1..=1_024).contains(&self.window), "`window` is 1 to 1024 batches")?;
        check(self.receipt_deadline_ms >= 100, "`receipt_deadline_ms` is 100 or more")?;
        check(
            self.backoff_min_ms >= 1 && self.backoff_min_ms <= self.backoff_max_ms,
            "`backoff_min_ms` is at least 1 and not above `backoff_max_ms`",
        )
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 1883,
            tls: false,
            ca: None,
            certificate: None,
            key: None,
            keep_alive_s: 30,
            window: 64,
            window_bytes: 512 * 1024,
            receipt_deadline_ms: 15_000,
            backoff_min_ms: 500,
            backoff_max_ms: 60_000,
            quota_pause_ms: 30_000,
        }
    }
}
