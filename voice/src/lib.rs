//! Devices by voice: what assistants are told of them, what they ask, and what that means to a device.
//!
//! [`google`] and [`alexa`] translate between the one model of `protocol` and what each assistant speaks, without I/O and
//! without a clock. Around them, [`Voice`] knows who may see what, gives orders and waits for what comes of them,
//! [`router`] lists the routes, and [`Voice::run`] tells assistants of changes.

pub mod alexa;
mod amount;
mod audit;
mod config;
pub mod endpoint;
mod error;
mod event_gateway;
mod giving;
pub mod google;
mod handlers;
mod home_graph;
mod language;
mod linking;
mod metrics;
mod outcome;
mod parameters;
mod pin;
mod reporter;
mod secret;
mod service;
mod sight;
mod telling;

pub use config::{AlexaConfig, Config, GoogleConfig, Pace, Region};
pub use endpoint::{Endpoint, EndpointId, Endpoints};
pub use error::VoiceError;
pub use handlers::router;
pub use linking::Link;
pub use metrics::VoiceMetrics;
pub use outcome::Outcome;
pub use pin::can_be_pin;
pub use secret::Secret;
pub use service::{Parts, Voice};
