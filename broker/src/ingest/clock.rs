//! Clocks of reporters, and how old or new what they say may be.

use protocol::{Reason, Timestamp};

/// Clock differences up to this are the network's, not the clock's.
const TOLERATED_OFFSET_MS: i64 = 5_000;
/// Beyond this a clock is wrong rather than off.
const CORRECTED_OFFSET_MS: i64 = 10 * 60_000;
/// How far ahead of the server a ping may be.
const AHEAD_MS: i64 = 5 * 60_000;

/// What is added to each time of a reporter whose clock is so much behind ours; none where it is too wrong.
pub(crate) fn correction(offset_ms: i64) -> Option<i64> {
    match offset_ms {
        offset if offset.abs() <= TOLERATED_OFFSET_MS => Some(0),
        offset if offset.abs() <= CORRECTED_OFFSET_MS => Some(offset),
        _ => None,
    }
}

/// Refuses what is said to have been heard too long ago, or is still to come.
pub(crate) fn check_age(received: Timestamp, at: Timestamp, acceptance_window_ms: i64) -> Result<(), Reason> {
    match received.since(at) {
        age if age > acceptance_window_ms => Err(Reason::TooOld),
        age if age < -AHEAD_MS => Err(Reason::FromTheFuture),
        _ => Ok(()),
    }
}
