//! Numbers out of runs and stays: what one place was like in one span of time, as something that adds up.
//!
//! A [`Tally`] of a span is what its parts give when they are merged, in any order, so numbers may be kept for hours, days
//! and weeks and still say exactly what the rows say. `docs/metrics.md` has the definitions in words.

mod bounds;
mod counting;
mod dwell;
mod level;
mod paths;
mod registers;
mod tally;
mod uniques;

pub use counting::{Observed, ObservedRun, ObservedStay};
pub use dwell::{DWELL_BOUNDS_MS, Dwell};
pub use paths::Paths;
pub use tally::Tally;
pub use uniques::Uniques;

/// Values that are kept as they are; more become a sketch.
const FEW: usize = 256;
