//! Devices by voice: what assistants are told of them, what they ask, and what that means to a device.
//!
//! [`google`] and [`alexa`] translate between the one model of `protocol` and what each assistant speaks, without I/O and
//! without a clock.

pub mod alexa;
mod amount;
pub mod endpoint;
pub mod google;
mod language;
mod outcome;
mod parameters;
mod secret;

pub use endpoint::{Endpoint, EndpointId, Endpoints};
pub use outcome::Outcome;
pub use secret::Secret;
