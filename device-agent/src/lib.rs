//! The agent beside the antenna: scan, spool, link.
//!
//! ```text
//! scan -> aggregate -> spool (disk) -> link -> platform
//!                        ^                       |
//!                        +------- receipts ------+
//! ```
//!
//! What is in the spool survives a power cut and leaves it only by a receipt. Everything runs on one thread and nothing
//! needs a database. Invariants:
//!
//! - nothing is sent that is not on disk first, and nothing is deleted without a receipt, unless room runs out;
//! - whatever waits counts elapsed time, so a jump of the wall clock changes stamps and nothing else;
//! - the secret is shown to the broker and to nobody else.

pub mod aggregate;
pub mod clock;
pub mod config;
pub mod link;
pub mod scan;
pub mod spool;

mod agent;

pub use agent::{AgentError, Summary, run};
pub use clock::Clock;
pub use config::Config;
