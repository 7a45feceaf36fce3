//! Whether a device is connected, for services that watch it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Body of `v1/organizations/{organization}/devices/{device}/status`, retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether the device has a session with a live connection.
    pub connected: bool,
    /// When that began, on the server's clock.
    pub since: Timestamp,
}
