//! What came of an order that an assistant gave.

use protocol::{CommandReason, Timestamp};
use serde_json::{Map, Value};

/// What came of the orders to one endpoint, by the time an answer is due.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The device said that they are done.
    Done {
        /// The reported side of its twin after that.
        reported: Map<String, Value>,
        /// When it was reported.
        at: Timestamp,
    },
    /// They are on their way, or being done.
    Pending,
    /// The device is not connected, and nothing was sent.
    Offline,
    /// One of them did not end well.
    Failed(CommandReason),
}
