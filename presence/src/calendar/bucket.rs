//! Time buckets of a venue: where they begin.

use std::fmt;

use jiff::civil::Weekday;
use protocol::Timestamp;

use super::{Calendar, instant};

/// The size of a time bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// 15 minutes, on the wall clock's quarters.
    Quarter,
    /// One hour, on the wall clock's hours.
    Hour,
    /// One day of the venue.
    Day,
    /// Seven days of the venue, from Monday.
    Week,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quarter => "quarter of an hour",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        })
    }
}

impl Bucket {
    /// The length in milliseconds of the buckets that follow the wall clock; days and weeks follow the dates.
    fn grid(self) -> Option<i64> {
        match self {
            Self::Quarter => Some(900_000),
            Self::Hour => Some(3_600_000),
            Self::Day | Self::Week => None,
        }
    }
}

/// Whether a bucket begins at `at`.
pub(super) fn begins(calendar: &Calendar, size: Bucket, at: Timestamp) -> bool {
    let Some(grid) = size.grid() else {
        let date = calendar.date(at);
        return calendar.start(date) == at && (size == Bucket::Day || date.weekday() == Weekday::Monday);
    };
    let offset_here = offset(calendar, at);
    let leaves_grid = (offset_here - offset(calendar, at.minus(1))) % grid != 0;
    leaves_grid || (at.0 + offset_here).rem_euclid(grid) == 0
}

/// The start of the bucket after the one that begins at `at`.
pub(super) fn next(calendar: &Calendar, size: Bucket, at: Timestamp) -> Timestamp {
    if let Some(grid) = size.grid() {
        return next_on_grid(calendar, grid, at);
    }
    let days = if size == Bucket::Week { 7 } else { 1 };
    let mut date = calendar.date(at);
    for _ in 0..days {
        date = super::next(date);
    }
    // A date that was skipped altogether is an empty day.
    while calendar.start(date) <= at {
        date = super::next(date);
    }
    calendar.start(date)
}

fn next_on_grid(calendar: &Calendar, grid: i64, at: Timestamp) -> Timestamp {
    let before = offset(calendar, at);
    let full = Timestamp(((at.0 + before).div_euclid(grid) + 1) * grid - before);
    if (offset(calendar, full) - before) % grid == 0 {
        return full;
    }
    let change = calendar.zone.following(instant(at)).next();
    change.map_or(full, |change| Timestamp(change.timestamp().as_millisecond()).min(full))
}

/// Milliseconds by which the wall clock is ahead of UTC.
fn offset(calendar: &Calendar, at: Timestamp) -> i64 {
    i64::from(calendar.zone.to_offset(instant(at)).seconds()) * 1_000
}
