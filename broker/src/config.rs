//! What the operator may set of the broker, with its defaults.

use serde::Deserialize;

/// The `[mqtt]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The largest packet a client may send, in bytes.
    pub maximum_packet_size: usize,
    /// How many QoS 1 messages of one client may wait for their acknowledgement.
    pub receive_maximum: u16,
    /// How long a client may take to send its CONNECT, in seconds.
    pub connect_timeout_s: u64,
    /// How long a session without a connection is kept at the most, in seconds. It lives in memory.
    pub session_expiry_s: u32,
    /// How many connections are open at once.
    pub maximum_connections: usize,
    /// What clients may do that do not say who they are.
    pub anonymous: Anonymous,
    /// What reporters may send.
    pub pings: Pings,
}

/// The `[mqtt.anonymous]` section: filters of free topics; by default none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Anonymous {
    /// Filters that may be published to.
    pub publish: Vec<String>,
    /// Filters that may be subscribed to.
    pub subscribe: Vec<String>,
}

/// The `[mqtt.pings]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pings {
    /// How many pings a device may send in a minute.
    pub per_minute: u32,
    /// How old a ping may be, in hours.
    pub acceptance_window_h: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // A batch that is too large is still read, so that its refusal can be told and no device sends it for ever.
            maximum_packet_size: 1024 * 1024,
            receive_maximum: 1024,
            connect_timeout_s: 10,
            session_expiry_s: 24 * 3600,
            maximum_connections: 15_000,
            anonymous: Anonymous::default(),
            pings: Pings::default(),
        }
    }
}

impl Default for Pings {
    fn default() -> Self {
        Self { per_minute: 60_000, acceptance_window_h: 7 * 24 }
    }
}

impl Config {
    /// Says what is wrong with the settings, in words that name the setting.
    pub fn validate(&self) -> Result<(), String> {
        if self.maximum_packet_size < protocol::MAX_BATCH_BYTES + 1024 {
            return Err(format!(
                "mqtt.maximum_packet_size must be at least {}, so that a full ping batch fits",
                protocol::MAX_BATCH_BYTES + 1024
            ));
        }
        if self.receive_maximum == 0 || self.connect_timeout_s == 0 || self.maximum_connections == 0 {
            return Err(
                "mqtt.receive_maximum, connect_timeout_s and maximum_connections must not be 0".into()
            );
        }
        for filter in self.anonymous.publish.iter().chain(&self.anonymous.subscribe) {
            if !crate::filter::is_valid(filter) {
                return Err(format!("mqtt.anonymous: `{filter}` is not a topic filter"));
            }
        }
        if self.pings.per_minute == 0 || self.pings.acceptance_window_h == 0 {
            return Err("mqtt.pings.per_minute and acceptance_window_h must not be 0".into());
        }
        Ok(())
    }
}
