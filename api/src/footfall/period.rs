//! Which buckets a question is about, and how to correct it when its ends are not those of buckets.

use presence::{Bucket, Calendar, CalendarError};
use protocol::Timestamp;

use crate::instant::Instant;
use crate::problem::Mistake;

/// The most buckets of one answer.
pub(super) const MOST_BUCKETS: usize = 2_000;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The size of a bucket, under the name it has in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) Bucket);

const SIZES: [(&str, Bucket); 4] =
    [("15m", Bucket::Quarter), ("hour", Bucket::Hour), ("day", Bucket::Day), ("week", Bucket::Week)];

impl Size {
    pub(crate) fn parse(text: &str) -> Result<Size, String> {
        let size = SIZES.iter().find(|(name, _)| *name == text);
        size.map(|(_, bucket)| Size(*bucket)).ok_or_else(|| "must be 15m, hour, day or week".to_owned())
    }

    pub(crate) fn name(self) -> &'static str {
        SIZES.iter().find(|(_, bucket)| *bucket == self.0).map_or("", |(name, _)| name)
    }

    /// More than any bucket of this size lasts, in milliseconds; a day can be a whole time zone longer than 24 hours.
    fn longest(self) -> i64 {
        match self.0 {
            Bucket::Quarter => 15 * MINUTE,
            Bucket::Hour => 60 * MINUTE,
            Bucket::Day => 2 * DAY,
            Bucket::Week => 8 * DAY,
        }
    }
}

/// The starts of the buckets of `[from, to)`, or what is wrong with the two.
pub(crate) fn starts(
    calendar: &Calendar,
    size: Size,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Timestamp>, Vec<Mistake>> {
    let too_many =
        || vec![Mistake::parameter("to", format!("must be at most {MOST_BUCKETS} buckets after `from`"))];
    if to <= from {
        return Err(vec![Mistake::parameter("to", "must be after `from`")]);
    }
    let misaligned: Vec<Mistake> = [("from", from), ("to", to)]
        .into_iter()
        .filter(|(_, at)| !begins(calendar, size, *at))
        .map(|(name, at)| Mistake::parameter(name, advice(calendar, size, at)))
        .collect();
    if !misaligned.is_empty() {
        return Err(misaligned);
    }
    if to.since(from) / size.longest() > MOST_BUCKETS as i64 {
        return Err(too_many());
    }
    match calendar.buckets(size.0, from, to) {
        Ok(starts) if starts.len() <= MOST_BUCKETS => Ok(starts),
        Ok(_) | Err(CalendarError::TooManyBuckets) => Err(too_many()),
        Err(error) => Err(vec![Mistake::parameter("from", error.to_string())]),
    }
}

/// The start of the bucket that `at` lies in; none where there are no buckets.
pub(super) fn begin(calendar: &Calendar, size: Size, at: Timestamp) -> Option<Timestamp> {
    before(calendar, size, at)
}

/// The end of the bucket that ends at `at` or holds it; none where there are no buckets.
pub(super) fn end(calendar: &Calendar, size: Size, at: Timestamp) -> Option<Timestamp> {
    if begins(calendar, size, at) { Some(at) } else { after(calendar, size, at) }
}

fn begins(calendar: &Calendar, size: Size, at: Timestamp) -> bool {
    calendar.buckets(size.0, at, at).is_ok()
}

/// Names the starts of buckets around a time that is none.
fn advice(calendar: &Calendar, size: Size, at: Timestamp) -> String {
    let must = format!("must be the start of {} in {}", noun(size), calendar.timezone());
    match (before(calendar, size, at), after(calendar, size, at)) {
        (Some(before), Some(after)) => {
            format!("{must}; the nearest are {} and {}", Instant(before), Instant(after))
        }
        _ => must,
    }
}

fn noun(size: Size) -> &'static str {
    match size.0 {
        Bucket::Quarter => "a quarter of an hour",
        Bucket::Hour => "an hour",
        Bucket::Day => "a day",
        Bucket::Week => "a week",
    }
}

fn before(calendar: &Calendar, size: Size, at: Timestamp) -> Option<Timestamp> {
    let mut candidate = match size.0 {
        Bucket::Quarter | Bucket::Hour => Timestamp(at.0.div_euclid(MINUTE) * MINUTE),
        Bucket::Day | Bucket::Week => calendar.day(at).from,
    };
    for _ in 0..=60 {
        if begins(calendar, size, candidate) {
            return Some(candidate);
        }
        candidate = step(calendar, size, candidate, -1);
    }
    None
}

fn after(calendar: &Calendar, size: Size, at: Timestamp) -> Option<Timestamp> {
    let mut candidate = match size.0 {
        Bucket::Quarter | Bucket::Hour => Timestamp((at.0.div_euclid(MINUTE) + 1) * MINUTE),
        Bucket::Day | Bucket::Week => calendar.day(at).to,
    };
    for _ in 0..=60 {
        if begins(calendar, size, candidate) {
            return Some(candidate);
        }
        candidate = step(calendar, size, candidate, 1);
    }
    None
}

/// The next place where a bucket may start, in either direction.
fn step(calendar: &Calendar, size: Size, at: Timestamp, direction: i64) -> Timestamp {
    match (size.0, direction) {
        (Bucket::Quarter | Bucket::Hour, _) => at.plus(direction * MINUTE),
        (Bucket::Day | Bucket::Week, -1) => calendar.day(at.minus(1)).from,
        (Bucket::Day | Bucket::Week, _) => calendar.day(at).to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vienna() -> Calendar {
        Calendar::new("Europe/Vienna", 4 * 60).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Instant::parse(text).unwrap().0
    }

    fn refusal(size: &str, from: &str, to: &str) -> Vec<String> {
        let size = Size::parse(size).unwrap();
        let mistakes = starts(&vienna(), size, at(from), at(to)).unwrap_err();
        mistakes
            .into_iter()
            .map(|mistake| format!("{}: {}", mistake.parameter.unwrap(), mistake.detail))
            .collect()
    }

    #[test]
    fn aligned_ends_give_every_bucket_across_a_change_of_the_clock() {
        // Vienna's clock went from 02:00 to 03:00 on 29 March 2026; the venue's day starts at 04:00.
        let starts =
            |size, from, to| starts(&vienna(), Size::parse(size).unwrap(), at(from), at(to)).unwrap();
        let days = starts("day", "2026-03-28T04:00:00+01:00", "2026-03-30T04:00:00+02:00");
        assert_eq!(days, [at("2026-03-28T04:00:00+01:00"), at("2026-03-29T04:00:00+02:00")]);
        assert_eq!(starts("hour", "2026-03-29T00:00:00+01:00", "2026-03-29T04:00:00+02:00").len(), 3);
        assert_eq!(starts("15m", "2026-03-29T01:45:00+01:00", "2026-03-29T03:15:00+02:00").len(), 2);
        assert_eq!(starts("week", "2026-03-23T04:00:00+01:00", "2026-03-30T04:00:00+02:00").len(), 1);
    }

    #[test]
    fn what_is_not_aligned_is_told_the_nearest() {
        assert_eq!(
            refusal("hour", "2026-03-01T09:10:00Z", "2026-03-01T11:00:00.5Z"),
            [
                "from: must be the start of an hour in Europe/Vienna; the nearest are 2026-03-01T09:00:00Z and 2026-03-01T10:00:00Z",
                "to: must be the start of an hour in Europe/Vienna; the nearest are 2026-03-01T11:00:00Z and 2026-03-01T12:00:00Z",
            ]
        );
        assert_eq!(
            refusal("day", "2026-03-01T03:00:00Z", "2026-03-30T00:00:00Z"),
            [
                "to: must be the start of a day in Europe/Vienna; the nearest are 2026-03-29T02:00:00Z and 2026-03-30T02:00:00Z"
            ]
        );
        assert_eq!(
            refusal("week", "2026-03-04T03:00:00Z", "2026-03-09T03:00:00Z"),
            [
                "from: must be the start of a week in Europe/Vienna; the nearest are 2026-03-02T03:00:00Z and 2026-03-09T03:00:00Z"
            ]
        );
    }

    #[test]
    fn an_answer_is_bounded() {
        let hours = |count: i64| Timestamp(at("2026-06-01T00:00:00Z").0 + count * 60 * MINUTE);
        let size = Size::parse("hour").unwrap();
        assert_eq!(starts(&vienna(), size, hours(0), hours(2_000)).map(|starts| starts.len()), Ok(2_000));
        assert!(starts(&vienna(), size, hours(0), hours(2_001)).is_err());
        assert!(starts(&vienna(), size, hours(1), hours(1)).is_err());
        assert!(starts(&vienna(), size, hours(1), hours(0)).is_err());
        // The clocks of Vienna had their own minutes and seconds then.
        assert_eq!(
            refusal("15m", "0001-01-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            ["from: must be the start of a quarter of an hour in Europe/Vienna"]
        );
    }
}
