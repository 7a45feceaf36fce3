//! Times and numbers as people say them.

use protocol::Timestamp;

use crate::instant::Instant;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of time in its largest unit that has two of it: `90 seconds`, `3 minutes`, `47 hours`.
pub(super) fn length(ms: i64) -> String {
    let ms = ms.saturating_abs();
    for (unit, word) in [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")] {
        if ms >= 2 * unit {
            return counted(ms / unit, word);
        }
    }
    counted(ms / SECOND, "second")
}

/// A number of things.
pub(super) fn counted(count: impl Into<i128>, word: &str) -> String {
    let count = count.into();
    let plural = if word.ends_with("ch") { "es" } else { "s" };
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}{plural}") }
}

/// How long ago something was, and when.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let ms = now.since(at);
    if ms < 2 * SECOND {
        return format!("just now ({})", Instant(at));
    }
    format!("{} ago ({})", length(ms), Instant(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_the_unit_that_fits() {
        for (ms, said) in [
            (0, "0 seconds"),
            (1_999, "1 second"),
            (-5_000, "5 seconds"),
            (119_999, "119 seconds"),
            (120_000, "2 minutes"),
            (2 * HOUR - 1, "119 minutes"),
            (2 * HOUR, "2 hours"),
            (2 * DAY - 1, "47 hours"),
            (2 * DAY, "2 days"),
            (i64::MIN, "106751991167 days"),
        ] {
            assert_eq!(length(ms), said, "{ms}");
        }
        assert_eq!(ago(Timestamp(60_000), Timestamp(240_000)), "3 minutes ago (1970-01-01T00:01:00Z)");
        assert_eq!(ago(Timestamp(60_000), Timestamp(0)), "just now (1970-01-01T00:01:00Z)");
    }
}
