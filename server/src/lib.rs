//! Broker and API in one process: what the program `promenade` runs.

pub mod config;
pub mod data;
pub mod service;

pub use config::Config;
pub use data::DataDir;
pub use service::{Listeners, Service, run};
