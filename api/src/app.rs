//! All that a handler may reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use identity::Identity;
use prometheus_client::registry::Registry;
use store::{Clock, Live, Orders, Store};
use voice::Voice;

use crate::pings::PingLog;
use crate::proxies::TrustedProxies;
use crate::telemetry::HttpMetrics;

/// All that a handler may reach; there are no statics.
pub struct App {
    /// What must survive.
    pub store: Store,
    /// What is true now, and the way to tell the broker of a change.
    pub live: Live,
    /// Where commands and twins are written.
    pub orders: Orders,
    /// Where the time comes from.
    pub clock: Clock,
    /// The folder of the certificate authority, if there is one; it is read whenever something is signed.
    pub authority: PathBuf,
    /// Accounts and the `OAuth2` server, which knows what access tokens are worth.
    pub identity: Arc<Identity>,
    /// What assistants ask and are told.
    pub voice: Arc<Voice>,
    /// Where ping batches go that come over HTTP.
    pub pings: PingLog,
    /// Every metric of the program, for `/metrics`.
    pub registry: Arc<Registry>,
    /// The metrics of this crate; make them with [`HttpMetrics::register`] before the registry is shared.
    pub metrics: HttpMetrics,
    /// The proxies that are believed.
    pub proxies: TrustedProxies,
    /// The bounds.
    pub config: Config,
}

/// The bounds of the HTTP interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long the head of a request may take, from the moment the connection is free for one; also how long an idle
    /// connection is kept.
    pub header_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long requests may still take when the server shuts down.
    pub drain_timeout: Duration,
    /// How often a live stream with nothing to say shows that it lives, and checks that it still may.
    pub heartbeat: Duration,
    /// Connections at one time; more wait to be accepted.
    pub max_connections: usize,
    /// No number of footfall is shown that fewer people are behind; 1 shows all.
    pub smallest_group: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            max_connections: 4_096,
            smallest_group: 5,
        }
    }
}
