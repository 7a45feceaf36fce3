//! The MQTT front, ingest and its workers.
//!
//! A connection (`connection`) signs in (`sign_in`), gets its session (`sessions`) and may do what its access says
//! (`access`). Pings go from it into the ingest log and are acknowledged once their rows are committed (`ingest`); the
//! worker makes stays and visits of them (`worker`). What devices say of commands and of themselves, and what services order,
//! goes into rows too, and what is for a device comes out of them (`control`). What is
//! heard of beacons themselves, and what they say of themselves, is watched (`beacons`). Everything else that is published finds its
//! subscribers in `dispatch`; `home_assistant` speaks to those who want to know of devices by discovery.

mod access;
mod announcer;
mod beacon_keys;
mod beacons;
mod broker;
mod bus;
mod codec;
mod config;
mod connection;
mod control;
mod dispatch;
mod event_loops;
mod facts;
mod filter;
mod front;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod home_assistant;
mod ingest;
mod inlet;
mod journal;
mod limits;
mod message;
mod metrics;
mod namespace;
mod pseudonym_keys;
mod registry;
mod renewals;
mod reporters;
mod retained;
mod session;
mod sessions;
mod sign_in;
mod subscriptions;
mod sys;
mod tokens;
mod transport;
mod worker;

pub use beacon_keys::BeaconKeys;
pub use broker::{Broker, BrokerError, Parts};
pub use config::{AddressLimits, Anonymous, Config, DeviceLimits, Limits, OrganizationLimits, Pings, Queues};
pub use inlet::{Inlet, InletError};
pub use metrics::Metrics;
pub use pseudonym_keys::PseudonymKeys;
pub use renewals::{Asked, Certifier};
pub use tokens::{TokenWorth, Tokens};
pub use transport::{Listeners, TlsError, TlsFiles};
