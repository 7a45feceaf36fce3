//! What the operator may set of the broker, with its defaults.

use serde::Deserialize;

use crate::namespace::{is_platform, is_system};
use crate::session::Bounds;

/// The `[mqtt]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The largest packet a client may send, in bytes.
    pub maximum_packet_size: usize,
    /// How many messages of one client with QoS 1 and 2 may wait for their acknowledgement.
    pub receive_maximum: u16,
    /// How many topic aliases a version 5 client may set, and at most are set for it.
    pub topic_alias_maximum: u16,
    /// The longest keep-alive, in seconds: version 5 clients that ask for a longer one, or none, are told this one. 0 leaves
    /// it to the client.
    pub server_keep_alive_s: u16,
    /// What response topics should begin with: told to version 5 clients that ask for response information.
    pub response_information: Option<String>,
    /// How long a client may take to send its CONNECT, in seconds.
    pub connect_timeout_s: u64,
    /// How long a session without a connection is kept at the most, in seconds.
    pub session_expiry_s: u32,
    /// How many connections are open at once.
    pub maximum_connections: usize,
    /// How many threads serve the connections; 0 is half of the machine's cores.
    pub event_loops: usize,
    /// How much may wait in sessions and be retained.
    pub queues: Queues,
    /// How much one client may use.
    pub limits: Limits,
    /// What clients may do that do not say who they are.
    pub anonymous: Anonymous,
    /// What reporters may send.
    pub pings: Pings,
}

/// The `[mqtt.anonymous]` section: filters of free topics, by default none. One that begins with `!` is left out of the others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Anonymous {
    /// Filters that may be published to.
    pub publish: Vec<String>,
    /// Filters that may be subscribed to.
    pub subscribe: Vec<String>,
    /// Whether clients of other machines may do it too.
    pub remote: bool,
}

/// The `[mqtt.queues]` section. What goes first when one is full is said in `docs/mqtt.md`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queues {
    /// Bytes that wait in one session.
    pub session_bytes: usize,
    /// Messages that wait in one session.
    pub session_messages: usize,
    /// Bytes that wait in all sessions of one organization.
    pub organization_bytes: usize,
    /// Bytes of the free topics that one organization has retained, and as many of its platform's topics.
    pub retained_bytes: usize,
}

/// The `[mqtt.limits]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Filters that one session is subscribed to.
    pub subscriptions: usize,
    /// Sessions of one identity; above it, those longest without a connection are forgotten.
    pub sessions: usize,
    /// Of one address.
    pub address: AddressLimits,
    /// Of one device, service or, together, all clients that do not sign in.
    pub device: DeviceLimits,
    /// Of one organization.
    pub organization: OrganizationLimits,
}

/// The `[mqtt.limits.address]` section; 0 is no limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressLimits {
    /// Connections at once, signed in or not.
    pub connections: usize,
    /// Connections at once that have not signed in, so that no single address can take every place.
    pub handshakes: usize,
    /// Attempts to sign in, in a minute.
    pub sign_ins_per_minute: u32,
}

/// The `[mqtt.limits.device]` section; 0 is no limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceLimits {
    /// Connections of a device at once.
    pub connections: usize,
    /// Sessions of a device; above it, those longest without a connection are forgotten.
    pub sessions: usize,
    /// Messages it publishes in a second, with five seconds' worth at once.
    pub messages_per_s: u32,
    /// Bytes of them.
    pub bytes_per_s: u64,
}

/// The `[mqtt.limits.organization]` section; 0 is no limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationLimits {
    /// Connections at once.
    pub connections: usize,
    /// Messages that all publish together in a second, with five seconds' worth at once.
    pub messages_per_s: u32,
    /// Bytes of them.
    pub bytes_per_s: u64,
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
            topic_alias_maximum: 32,
            server_keep_alive_s: 0,
            response_information: None,
            connect_timeout_s: 10,
            session_expiry_s: 24 * 3600,
            maximum_connections: 15_000,
            event_loops: 0,
            queues: Queues::default(),
            limits: Limits::default(),
            anonymous: Anonymous::default(),
            pings: Pings::default(),
        }
    }
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            session_bytes: 4 * 1024 * 1024,
            session_messages: 10_000,
            organization_bytes: 256 * 1024 * 1024,
            retained_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Queues {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            session_bytes: self.session_bytes,
            session_messages: self.session_messages,
            organization_bytes: self.organization_bytes,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let (address, device, organization) = Default::default();
        Self { subscriptions: 1000, sessions: 10_000, address, device, organization }
    }
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self { connections: 0, handshakes: 1000, sign_ins_per_minute: 0 }
    }
}

impl Default for DeviceLimits {
    fn default() -> Self {
        Self { connections: 10, sessions: 20, messages_per_s: 0, bytes_per_s: 0 }
    }
}

impl Default for Pings {
    fn default() -> Self {
        Self { per_minute: 60_000, acceptance_window_h: 7 * 24 }
    }
}

/// More threads than this serve no machine.
const MOST_LOOPS: usize = 256;
/// How many messages may wait in one session: each with QoS 1 or 2 has a packet identifier of its own.
const MOST_MESSAGES: usize = 60_000;

impl Config {
    /// Says what is wrong with the settings, in words that name the setting.
    pub fn validate(&self) -> Result<(), String> {
        if self.event_loops > MOST_LOOPS {
            return Err(format!("mqtt.event_loops must be at most {MOST_LOOPS}"));
        }
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
            if !crate::filter::is_valid(filter.strip_prefix('!').unwrap_or(filter)) {
                return Err(format!("mqtt.anonymous: `{filter}` is not a topic filter"));
            }
            if is_platform(filter) || is_system(filter) {
                return Err(format!(
                    "mqtt.anonymous: `{filter}` is open to nobody who does not sign in; only free topics are"
                ));
            }
        }
        if self.queues.session_messages == 0 || self.queues.session_messages > MOST_MESSAGES {
            return Err(format!(
                "mqtt.queues.session_messages must be 1 to {MOST_MESSAGES}: packet identifiers are 16 bits"
            ));
        }
        let message = self.maximum_packet_size + 1024;
        if self.queues.session_bytes < message || self.queues.organization_bytes < self.queues.session_bytes {
            return Err(
                "mqtt.queues.session_bytes must hold a packet of maximum_packet_size and 1,024 bytes more, and organization_bytes at least one session"
                    .into(),
            );
        }
        if self.limits.subscriptions == 0 || self.limits.sessions == 0 {
            return Err("mqtt.limits.subscriptions and sessions must not be 0".into());
        }
        if self.pings.per_minute == 0 || self.pings.acceptance_window_h == 0 {
            return Err("mqtt.pings.per_minute and acceptance_window_h must not be 0".into());
        }
        Ok(())
    }
}
