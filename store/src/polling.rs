//! The pace of devices that poll for what a person decides (RFC 8628 section 3.5).

use protocol::Timestamp;

/// Whether a device polls sooner than it may, and how many seconds it has to leave between two polls from now on: five more than
/// before where it does.
pub(crate) fn pace(polled_at: Option<i64>, interval_s: i64, now: Timestamp) -> (bool, i64) {
    let is_hasty = polled_at.is_some_and(|at| now.0 < at + 1_000 * interval_s);
    (is_hasty, if is_hasty { interval_s + 5 } else { interval_s })
}
