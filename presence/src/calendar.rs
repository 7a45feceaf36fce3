//! The venue's own days and time buckets, right across changes of the clock.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use protocol::Timestamp;
use thiserror::Error;

pub use self::bucket::Bucket;

mod bucket;

/// The time zone of a venue and the wall-clock time at which its days begin.
#[derive(Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    name: Box<str>,
    day_starts_at: Time,
}

/// One day of a venue, half-open. Most have 24 hours; the day of a change of the clock has more or fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// The first millisecond of the day; also its name.
    pub from: Timestamp,
    /// The first millisecond after the day.
    pub to: Timestamp,
}

/// Why a calendar or a list of buckets cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// The name is not in the IANA time zone database that is part of this program.
    #[error("unknown time zone `{0}`")]
    UnknownTimezone(String),
    /// A day has 1,440 minutes on the wall clock, so it starts at minute 0 to 1,439.
    #[error("a day cannot start {0} minutes after midnight")]
    BadDayStart(u16),
    /// The time is not the start of a bucket in this calendar.
    #[error("{} ms is not the start of a {bucket} of this venue", at.0)]
    NotAligned {
        /// The time in question.
        at: Timestamp,
        /// The buckets asked for.
        bucket: Bucket,
    },
    /// The range ends before it begins.
    #[error("the range ends before it begins")]
    Backwards,
    /// More than [`Calendar::MOST_BUCKETS`] buckets.
    #[error("the range has too many buckets")]
    TooManyBuckets,
}

/// Seconds for which the time zone database is asked. Beyond (years before -9000 or after 9900) days are plain UTC.
const KNOWN: std::ops::RangeInclusive<i64> = -346_000_000_000..=250_000_000_000;

impl Calendar {
    /// More buckets than this are not made at once: over two years of quarters of an hour.
    pub const MOST_BUCKETS: usize = 100_000;

    /// A calendar of an IANA time zone whose days begin `day_starts_at_minutes` after midnight on the wall clock.
    pub fn new(timezone: &str, day_starts_at_minutes: u16) -> Result<Self, CalendarError> {
        let unknown = || CalendarError::UnknownTimezone(timezone.to_owned());
        let zone = TimeZone::get(timezone).map_err(|_| unknown())?;
        let name = zone.iana_name().ok_or_else(unknown)?.into();
        let (hour, minute) = ((day_starts_at_minutes / 60) as i8, (day_starts_at_minutes % 60) as i8);
        match Time::new(hour, minute, 0, 0) {
            Ok(day_starts_at) if day_starts_at_minutes < 1_440 => Ok(Self { zone, name, day_starts_at }),
            _ => Err(CalendarError::BadDayStart(day_starts_at_minutes)),
        }
    }

    /// The day that `at` lies in. Days follow each other without a gap: a day begins at the first moment at which the
    /// wall clock stands at or after the start of day. If the clock jumps over the start of day, that is the jump; if
    /// the clock shows it twice, it is the first time.
    pub fn day(&self, at: Timestamp) -> Day {
        if !KNOWN.contains(&at.second()) {
            return plain_day(at);
        }
        let date = self.date(at);
        Day { from: self.start(date), to: self.start(next(date)) }
    }

    /// The starts of all buckets of `[from, to)`, which must both be starts of buckets themselves.
    ///
    /// Days begin at the start of day and weeks on Monday at the start of day. Hours and quarters begin on the wall
    /// clock's full hours and quarters; where a change of the clock leaves that grid (Lord Howe Island moves by half an
    /// hour), the change itself begins a bucket too, so that none is longer than its size.
    pub fn buckets(
        &self,
        size: Bucket,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Timestamp>, CalendarError> {
        if to < from {
            return Err(CalendarError::Backwards);
        }
        for at in [from, to] {
            if !KNOWN.contains(&at.second()) || !bucket::begins(self, size, at) {
                return Err(CalendarError::NotAligned { at, bucket: size });
            }
        }
        let mut starts = Vec::new();
        let mut at = from;
        while at < to {
            if starts.len() == Self::MOST_BUCKETS {
                return Err(CalendarError::TooManyBuckets);
            }
            starts.push(at);
            at = bucket::next(self, size, at);
        }
        Ok(starts)
    }

    /// Where `count` buckets end that begin at `from`, which must be the start of one.
    pub fn after(&self, size: Bucket, from: Timestamp, count: usize) -> Result<Timestamp, CalendarError> {
        self.buckets(size, from, from)?;
        Ok((0..count.min(Self::MOST_BUCKETS)).fold(from, |at, _| bucket::next(self, size, at)))
    }

    /// The start of the day that is named by a date, `YYYY-MM-DD`; none for a text that is no date.
    pub fn dated(&self, date: &str) -> Option<Timestamp> {
        let start = self.start(date.parse().ok()?);
        KNOWN.contains(&start.second()).then_some(start)
    }

    /// The starts of the hours of `[from, to)`, as [`Self::buckets`] has them; the first is cut off at `from`, whatever that is.
    pub fn hours(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut starts = Vec::new();
        let mut at = from;
        while at < to && starts.len() < Self::MOST_BUCKETS {
            starts.push(at);
            at = bucket::next(self, Bucket::Hour, at);
        }
        starts
    }

    /// The week that `at` lies in: from Monday's start of day to that of the next.
    pub fn week(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let mut from = self.day(at).from;
        while KNOWN.contains(&from.second()) && !bucket::begins(self, Bucket::Week, from) {
            from = self.day(from.minus(1)).from;
        }
        (from, bucket::next(self, Bucket::Week, from))
    }

    /// The IANA name of the time zone.
    pub fn timezone(&self) -> &str {
        &self.name
    }

    /// When days begin, in minutes after midnight on the wall clock.
    pub fn day_starts_at_minutes(&self) -> u16 {
        self.day_starts_at.hour() as u16 * 60 + self.day_starts_at.minute() as u16
    }

    /// The date that names the day of `at`; `at` is in [`KNOWN`].
    fn date(&self, at: Timestamp) -> Date {
        let mut date = self.zone.to_datetime(instant(at)).date();
        // At most one step either way, or two where a whole date was skipped.
        while at < self.start(date) {
            date = previous(date);
        }
        while at >= self.start(next(date)) {
            date = next(date);
        }
        date
    }

    /// The first moment at which the wall clock stands at or after the start of day on `date`.
    fn start(&self, date: Date) -> Timestamp {
        let wall = date.to_datetime(self.day_starts_at);
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        let shown =
            |offset: jiff::tz::Offset| offset.to_timestamp(wall).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => shown(offset),
            AmbiguousOffset::Fold { before, .. } => shown(before),
            AmbiguousOffset::Gap { before, after } => {
                // Read with the later offset a skipped time lies before the jump, by less than the jump.
                let early = shown(after);
                self.zone.following(early).next().map_or_else(|| shown(before), |jump| jump.timestamp())
            }
        };
        Timestamp(at.as_millisecond())
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({} from {})", self.name, self.day_starts_at)
    }
}

impl Day {
    /// Whether `at` lies in this day.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn next(date: Date) -> Date {
    date.tomorrow().unwrap_or(Date::MAX)
}

fn previous(date: Date) -> Date {
    date.yesterday().unwrap_or(Date::MIN)
}

fn plain_day(at: Timestamp) -> Day {
    const DAY_MS: i64 = 86_400_000;
    let from = Timestamp(at.0.div_euclid(DAY_MS).saturating_mul(DAY_MS));
    Day { from, to: from.plus(DAY_MS) }
}
