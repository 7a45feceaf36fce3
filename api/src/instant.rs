//! Points in time as the HTTP interface writes them.

use protocol::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The last millisecond that Jiff knows, a day before the last that RFC 3339 can write.
const LAST: i64 = 253_402_207_200_000;
/// The first millisecond of the year 0000.
const FIRST: i64 = -62_167_219_200_000;

/// A time in RFC 3339: printed in UTC with milliseconds only where there are some, read with any offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Timestamp);

impl Instant {
    /// The time from which a version holds; none for the first, which holds for all earlier time too.
    pub(crate) fn unless_ever(effective_from: Timestamp) -> Option<Instant> {
        (effective_from > Timestamp(0)).then_some(Instant(effective_from))
    }

    /// Reads RFC 3339. A space before the offset is taken as the `+` it was before a query string was decoded.
    pub fn parse(text: &str) -> Result<Instant, String> {
        let wrong = || "must be a time in RFC 3339, such as 2026-03-01T09:00:00Z".to_owned();
        let repaired;
        let text = match text.split_once(' ') {
            Some((time, offset)) if time.contains('T') && offset.len() == 5 => {
                repaired = format!("{time}+{offset}");
                &repaired
            }
            _ => text,
        };
        // Jiff reads more than RFC 3339 (dates without a time zone are refused by it, but not brackets or signed years).
        let plain =
            text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'+' | b'.' | b'T' | b'Z'));
        if !plain
            || text.as_bytes().get(10) != Some(&b'T')
            || !text.starts_with(|first: char| first.is_ascii_digit())
        {
            return Err(wrong());
        }
        let at = text.parse::<jiff::Timestamp>().map_err(|_| wrong())?;
        Ok(Instant(Timestamp(at.as_nanosecond().div_euclid(1_000_000) as i64)))
    }
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0.0.clamp(FIRST, LAST);
        let at = jiff::Timestamp::from_millisecond(ms).map_err(|_| std::fmt::Error)?;
        std::fmt::Display::fmt(&at, f)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Instant::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Instant {
        Instant(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_is_read_and_utc_is_printed() {
        let cases = [
            ("2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z"),
            ("2026-03-01T09:00:00.250Z", "2026-03-01T09:00:00.25Z"),
            ("2026-03-01T09:00:00.0009Z", "2026-03-01T09:00:00Z"),
            ("2026-03-01T09:00:00+01:00", "2026-03-01T08:00:00Z"),
            ("2026-03-01T09:00:00 01:00", "2026-03-01T08:00:00Z"),
            ("2026-03-01T09:00:00-05:30", "2026-03-01T14:30:00Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ];
        for (text, printed) in cases {
            assert_eq!(Instant::parse(text).map(|at| at.to_string()), Ok(printed.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        let wrong = [
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01T09:00:00",
            "2026-03-01 09:00:00Z",
            "2026-03-01T25:00:00Z",
            "2026-02-30T09:00:00Z",
            "2026-03-01T09:00:00Z[UTC]",
            "+002026-03-01T09:00:00Z",
            "-000001-03-01T09:00:00Z",
            "1790000000000",
        ];
        for text in wrong {
            assert!(Instant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_print_as_its_ends() {
        assert_eq!(Instant(Timestamp(i64::MAX)).to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(Instant(Timestamp(i64::MIN)).to_string(), "0000-01-01T00:00:00Z");
    }
}
