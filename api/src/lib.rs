//! The HTTP interface: registry, analytics, live stream and pages.
//!
//! [`router`] lists every route, [`run`] serves it, and [`App`] is all that a handler may reach. A handler checks who
//! calls ([`caller`](crate::caller)), reads what it is asked, asks the store, and tells `Live` of what it changed; every
//! refusal becomes a problem document in [`problem`].

mod app;
mod assistants;
mod audit;
pub mod authority;
mod body;
mod bulk_commands;
mod caller;
mod claim_keys;
mod clients;
mod commands;
mod consents;
mod created;
mod devices;
mod dwell;
mod enrolments;
pub mod explain;
mod fields;
mod filter;
mod fingerprint;
mod footfall;
mod grants;
mod headers;
mod heatmap;
mod home_assistant;
mod idempotency;
mod instant;
mod invitations;
mod journeys;
mod keys;
mod live;
mod members;
mod occupancy;
mod openapi;
pub mod operator;
mod own_data;
mod pages;
mod paging;
mod path;
mod phones;
mod pings;
mod probes;
pub mod problem;
mod proxies;
mod query;
mod range;
mod renewals;
mod roles;
mod router;
mod scopes;
mod serve;
mod stays;
mod telemetry;
mod twins;
mod venues;
mod zones;

pub use app::{App, Config};
pub use body::MAX_BODY_BYTES;
pub use fingerprint::{Fingerprint, FingerprintError};
pub use footfall::DEFINITIONS;
pub use instant::Instant;
pub use paging::{DEFAULT_LIMIT, MAX_LIMIT};
pub use pings::{PingLog, PingLogError};
pub use proxies::TrustedProxies;
pub use renewals::Renewals;
pub use router::{openapi, router};
pub use serve::run;
pub use telemetry::HttpMetrics;
