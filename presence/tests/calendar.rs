//! Days and buckets across changes of the clock.

use presence::{Bucket, Calendar, CalendarError, Day};
use protocol::Timestamp;

const HOUR: i64 = 3_600_000;
const QUARTER: i64 = 900_000;

/// A time as printed with its offset.
fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
}

fn calendar(timezone: &str, day_starts_at_minutes: u16) -> Calendar {
    Calendar::new(timezone, day_starts_at_minutes).expect("a calendar")
}

fn length(day: Day) -> i64 {
    day.to.since(day.from) / 60_000
}

fn day(from: &str, to: &str) -> Day {
    Day { from: at(from), to: at(to) }
}

/// The lengths of the buckets of one day, in minutes.
fn minutes(calendar: &Calendar, size: Bucket, day: Day) -> Vec<i64> {
    let mut starts = calendar.buckets(size, day.from, day.to).expect("a day is made of buckets");
    starts.push(day.to);
    starts.windows(2).map(|pair| pair[1].since(pair[0]) / 60_000).collect()
}

#[test]
fn an_ordinary_day() {
    let berlin = calendar("Europe/Berlin", 240);
    let expected = day("2026-06-10T04:00:00+02:00", "2026-06-11T04:00:00+02:00");
    for within in
        ["2026-06-10T04:00:00+02:00", "2026-06-10T23:59:59.999+02:00", "2026-06-11T03:59:59.999+02:00"]
    {
        assert_eq!(berlin.day(at(within)), expected, "{within}");
    }
    assert_eq!(berlin.day(at("2026-06-11T04:00:00+02:00")).from, expected.to);
    assert_eq!(berlin.day(at("2026-06-10T03:59:59.999+02:00")).to, expected.from);
    assert_eq!((berlin.timezone(), berlin.day_starts_at_minutes()), ("Europe/Berlin", 240));
}

#[test]
fn days_of_23_and_25_hours() {
    for (timezone, noon, expected) in [
        ("Europe/Berlin", "2026-03-29T12:00:00+02:00", 1_380),
        ("Europe/Berlin", "2026-10-25T12:00:00+01:00", 1_500),
        ("America/New_York", "2026-03-08T12:00:00-04:00", 1_380),
        ("America/New_York", "2026-11-01T12:00:00-05:00", 1_500),
        ("Australia/Lord_Howe", "2026-10-04T12:00:00+11:00", 1_410),
        ("Australia/Lord_Howe", "2026-04-05T12:00:00+10:30", 1_470),
    ] {
        let calendar = calendar(timezone, 0);
        let day = calendar.day(at(noon));
        assert_eq!(length(day), expected, "{timezone} {noon}");
        assert!(day.contains(at(noon)));
        let hours = minutes(&calendar, Bucket::Hour, day);
        assert_eq!(hours.iter().sum::<i64>(), expected);
        assert_eq!(hours.len() as i64, (expected + 59) / 60, "{timezone} {noon}: {hours:?}");
        assert!(hours.iter().all(|minutes| *minutes == 60 || *minutes == 30));
        assert_eq!(minutes(&calendar, Bucket::Quarter, day), vec![15; expected as usize / 15]);
    }
}

#[test]
fn with_a_later_start_the_change_belongs_to_the_day_before() {
    let berlin = calendar("Europe/Berlin", 240);
    let long = berlin.day(at("2026-10-25T02:30:00+02:00"));
    assert_eq!(long, day("2026-10-24T04:00:00+02:00", "2026-10-25T04:00:00+01:00"));
    let short = berlin.day(at("2026-03-29T01:30:00+01:00"));
    assert_eq!(short, day("2026-03-28T04:00:00+01:00", "2026-03-29T04:00:00+02:00"));
}

#[test]
fn a_start_of_day_that_the_clock_shows_twice_is_its_first_time() {
    let berlin = calendar("Europe/Berlin", 150);
    let first = at("2026-10-25T02:30:00+02:00");
    assert_eq!(berlin.day(first).from, first);
    assert_eq!(berlin.day(first.plus(HOUR)).from, first);
    assert_eq!(berlin.day(first.minus(1)).to, first);
}

#[test]
fn a_start_of_day_that_the_clock_skips_is_the_jump() {
    // 02:30 does not exist in Berlin that night; neither does midnight in the others.
    for (timezone, start, jump, minutes_before) in [
        ("Europe/Berlin", 150, "2026-03-29T03:00:00+02:00", 23 * 60 + 30),
        ("America/Sao_Paulo", 0, "2018-11-04T01:00:00-02:00", 24 * 60),
        ("Africa/Cairo", 0, "2026-04-24T01:00:00+03:00", 24 * 60),
    ] {
        let calendar = calendar(timezone, start);
        let jump = at(jump);
        assert_eq!(calendar.day(jump).from, jump, "{timezone}");
        assert_eq!(calendar.day(jump.minus(1)).to, jump, "{timezone}");
        let from = jump.minus(minutes_before * 60_000);
        assert_eq!(calendar.day(jump.minus(1)).from, from, "{timezone}");
        assert_eq!(
            calendar.buckets(Bucket::Day, from, jump.plus(1)).unwrap_err(),
            CalendarError::NotAligned { at: jump.plus(1), bucket: Bucket::Day }
        );
        assert_eq!(calendar.buckets(Bucket::Day, from, jump), Ok(vec![from]));
    }
}

#[test]
fn the_clock_that_goes_back_over_midnight_makes_one_long_day() {
    for (timezone, end) in
        [("America/Sao_Paulo", "2019-02-17T00:00:00-03:00"), ("Africa/Cairo", "2026-10-30T00:00:00+02:00")]
    {
        let calendar = calendar(timezone, 0);
        let long = calendar.day(at(end).minus(1));
        assert_eq!(long, Day { from: at(end).minus(25 * HOUR), to: at(end) }, "{timezone}");
        // The hour from 23:00 on is there twice, and both are that day's.
        assert_eq!(calendar.day(at(end).minus(HOUR + 1)), long);
        assert_eq!(minutes(&calendar, Bucket::Hour, long), vec![60; 25]);
    }
}

#[test]
fn a_date_that_was_skipped_altogether_has_no_day() {
    // Samoa had no 30 December 2011.
    let apia = calendar("Pacific/Apia", 0);
    let jump = at("2011-12-31T00:00:00+14:00");
    assert_eq!(apia.day(jump.minus(1)), Day { from: jump.minus(24 * HOUR), to: jump });
    assert_eq!(apia.day(jump), Day { from: jump, to: jump.plus(24 * HOUR) });
    let days = apia.buckets(Bucket::Day, jump.minus(24 * HOUR), jump.plus(24 * HOUR));
    assert_eq!(days, Ok(vec![jump.minus(24 * HOUR), jump]));
}

#[test]
fn every_time_is_in_its_day_and_days_follow_each_other() {
    let zones = [
        "Europe/Berlin",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Africa/Casablanca",
    ];
    for (timezone, start) in
        zones.into_iter().flat_map(|timezone| [0, 30, 90, 150, 240, 1_439].map(|s| (timezone, s)))
    {
        let calendar = calendar(timezone, start);
        let mut day = calendar.day(at("2018-01-01T12:00:00Z"));
        while day.from < at("2019-06-01T00:00:00Z") {
            for inside in [day.from, day.from.plus(HOUR), day.to.minus(HOUR), day.to.minus(1)] {
                assert_eq!(calendar.day(inside), day, "{timezone} {start}");
            }
            let next = calendar.day(day.to);
            assert!(next.from == day.to && next.from < next.to, "{timezone} {start}");
            day = next;
        }
    }
}

#[test]
fn weeks_start_on_monday_at_the_start_of_day() {
    let berlin = calendar("Europe/Berlin", 240);
    let monday = at("2026-03-23T04:00:00+01:00");
    let weeks = berlin.buckets(Bucket::Week, monday, at("2026-04-06T04:00:00+02:00"));
    assert_eq!(weeks, Ok(vec![monday, at("2026-03-30T04:00:00+02:00")]));
    let tuesday = at("2026-03-24T04:00:00+01:00");
    let wrong = berlin.buckets(Bucket::Week, tuesday, at("2026-04-06T04:00:00+02:00"));
    assert_eq!(wrong, Err(CalendarError::NotAligned { at: tuesday, bucket: Bucket::Week }));
}

#[test]
fn hours_follow_the_wall_clock() {
    let kathmandu = calendar("Asia/Kathmandu", 0);
    let noon = at("2026-06-10T12:00:00+05:45");
    assert_eq!(kathmandu.buckets(Bucket::Hour, noon, noon.plus(2 * HOUR)), Ok(vec![noon, noon.plus(HOUR)]));
    let off = noon.plus(QUARTER);
    assert_eq!(
        kathmandu.buckets(Bucket::Hour, noon, off),
        Err(CalendarError::NotAligned { at: off, bucket: Bucket::Hour })
    );
    assert_eq!(kathmandu.buckets(Bucket::Quarter, noon, off), Ok(vec![noon]));

    // On Lord Howe Island the clock goes from 02:00 to 02:30, and from 02:00 back to 01:30.
    let lord_howe = calendar("Australia/Lord_Howe", 0);
    for (from, minutes) in
        [("2026-10-04T01:00:00+10:30", [60, 30, 60]), ("2026-04-05T01:00:00+11:00", [60, 30, 60])]
    {
        let from = at(from);
        let starts = lord_howe.buckets(Bucket::Hour, from, from.plus(150 * 60_000)).unwrap();
        let expected = [from, from.plus(minutes[0] * 60_000), from.plus((minutes[0] + minutes[1]) * 60_000)];
        assert_eq!(starts, expected);
    }
}

#[test]
fn empty_backward_and_endless_ranges() {
    let berlin = calendar("Europe/Berlin", 0);
    let noon = at("2026-06-10T12:00:00+02:00");
    assert_eq!(berlin.buckets(Bucket::Hour, noon, noon), Ok(vec![]));
    assert_eq!(berlin.buckets(Bucket::Hour, noon, noon.minus(HOUR)), Err(CalendarError::Backwards));
    let most = QUARTER * Calendar::MOST_BUCKETS as i64;
    assert_eq!(
        berlin.buckets(Bucket::Quarter, noon, noon.plus(most)).map(|b| b.len()),
        Ok(Calendar::MOST_BUCKETS)
    );
    let more = berlin.buckets(Bucket::Quarter, noon, noon.plus(most + QUARTER));
    assert_eq!(more, Err(CalendarError::TooManyBuckets));
    let never = berlin.buckets(Bucket::Hour, Timestamp(i64::MIN), Timestamp(i64::MAX));
    assert_eq!(never, Err(CalendarError::NotAligned { at: Timestamp(i64::MIN), bucket: Bucket::Hour }));
}

#[test]
fn any_timestamp_has_a_day() {
    let berlin = calendar("Europe/Berlin", 0);
    for time in
        [i64::MIN, i64::MIN / 2, -346_000_000_000_001, -1, 0, 250_000_000_000_999, i64::MAX / 2, i64::MAX - 1]
    {
        assert!(berlin.day(Timestamp(time)).contains(Timestamp(time)), "{time}");
    }
}

#[test]
fn what_is_no_calendar() {
    let unknown = |name: &str| Err(CalendarError::UnknownTimezone(name.to_owned()));
    for name in ["Europe/Atlantis", "", "CET-1CEST", "../etc/passwd"] {
        assert_eq!(Calendar::new(name, 0).map(|_| ()), unknown(name));
    }
    assert_eq!(Calendar::new("Europe/Berlin", 1_440).map(|_| ()), Err(CalendarError::BadDayStart(1_440)));
    assert_eq!(
        Calendar::new("Europe/Berlin", u16::MAX).map(|_| ()),
        Err(CalendarError::BadDayStart(u16::MAX))
    );
    assert!(Calendar::new("UTC", 1_439).is_ok());
}

#[test]
fn days_consist_of_hours_and_weeks_of_days() {
    // Lord Howe Island moves by half an hour; a day that begins at ten past four cuts an hour in two.
    for (timezone, minutes) in [("Europe/Berlin", 240), ("Australia/Lord_Howe", 250), ("Asia/Kathmandu", 0)] {
        let calendar = calendar(timezone, minutes);
        let mut at = calendar.dated("2026-03-01").unwrap();
        while at < calendar.dated("2026-11-15").unwrap() {
            let day = calendar.day(at);
            let hours = calendar.hours(day.from, day.to);
            let ends = hours.iter().skip(1).chain([&day.to]);
            assert_eq!(hours[0], day.from, "{timezone}");
            assert!(
                hours.iter().zip(ends).all(|(from, to)| (1..=HOUR).contains(&to.since(*from))),
                "{timezone}"
            );
            assert!(hours[1..].iter().all(|hour| calendar.buckets(Bucket::Hour, *hour, *hour).is_ok()));
            let (from, to) = calendar.week(at);
            assert!(from <= at && at < to, "{timezone}");
            assert_eq!(calendar.buckets(Bucket::Week, from, to), Ok(vec![from]), "{timezone}");
            assert_eq!(calendar.after(Bucket::Day, from, 7), Ok(to), "{timezone}");
            at = day.to;
        }
        assert!(calendar.after(Bucket::Day, at.plus(1), 1).is_err());
        assert_eq!((calendar.dated("2026-02-30"), calendar.dated("soon")), (None, None));
    }
}
