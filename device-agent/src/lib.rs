//! The agent beside the antenna: scan, spool, link, commands.
//!
//! ```text
//! scan -> aggregate -> spool (disk) -> link -> platform
//!                        ^                       |
//!                        +------- receipts ------+
//!
//! platform -> link -> commands -> appliance, scan, log
//!    ^                   |  ^
//!    |                   v  +-- journal (disk)
//!    +------ acks, reported state
//! ```
//!
//! What is in the spool survives a power cut and leaves it only by a receipt. Everything runs on one thread, the Bluetooth
//! adapter and advertising on others, and nothing needs a database. Invariants:
//!
//! - nothing is sent that is not on disk first, and nothing is deleted without a receipt, unless room runs out;
//! - each command is run once at most, and nothing is told of one that is not on disk first;
//! - whatever waits counts elapsed time, so a jump of the wall clock changes stamps and nothing else;
//! - the secret is shown to the broker and to nobody else, the key of pseudonyms and that of a certificate to nobody at all;
//! - a certificate never stands beside the key of another, and the one before stays until the next has signed in.

pub mod advertise;
pub mod aggregate;
pub mod appliance;
pub mod check;
pub mod clock;
pub mod commands;
pub mod config;
pub mod enrolment;
pub mod health;
pub mod identity;
pub mod journal;
pub mod link;
pub mod log;
pub mod notify;
pub mod privacy;
pub mod reckoning;
pub mod scan;
pub mod signature;
pub mod spool;
pub mod status;
pub mod telemetry;
pub mod tuning;

mod agent;
mod backoff;
mod durable;
mod record;

pub use agent::{AgentError, Summary, run, run_notifying};
pub use clock::Clock;
pub use config::Config;
