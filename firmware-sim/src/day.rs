//! The simulated day: its window on the virtual clock and its local hours.

use crate::scenario::{LocalTime, VenuePlan};
use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use protocol::Timestamp;
use thiserror::Error;

/// One hour in milliseconds.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// A day of a venue: from one start of day to the next, 23 to 25 hours long.
#[derive(Clone, Debug)]
pub struct Day {
    date: Date,
    starts_at: LocalTime,
    timezone: TimeZone,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is not in it any more.
    pub to: Timestamp,
}

/// The venue's calendar has no such day.
#[derive(Debug, Error)]
#[error("the day {date} cannot be placed in time zone {timezone}: {source}")]
pub struct DayError {
    date: Date,
    timezone: String,
    source: jiff::Error,
}

impl Day {
    /// The day of that date at a venue.
    pub fn new(venue: &VenuePlan, date: Date) -> Result<Self, DayError> {
        Self::place(venue, date).map_err(|source| DayError { date, timezone: venue.timezone.clone(), source })
    }

    /// The date of the last day of a venue that was over at `now`.
    pub fn last_before(venue: &VenuePlan, now: Timestamp) -> Result<Date, DayError> {
        let timezone = TimeZone::get(&venue.timezone).map_err(|source| DayError {
            date: Date::default(),
            timezone: venue.timezone.clone(),
            source,
        })?;
        let local = zoned(now, &timezone);
        let started = u16::from(local.hour().unsigned_abs()) * 60 >= venue.day_starts_at.0;
        let today = if started { local.date() } else { local.date().yesterday().unwrap_or_default() };
        Ok(today.yesterday().unwrap_or_default())
    }

    fn place(venue: &VenuePlan, date: Date) -> Result<Self, jiff::Error> {
        let timezone = TimeZone::get(&venue.timezone)?;
        let from = moment(&timezone, date, venue.day_starts_at)?;
        let to = moment(&timezone, date.tomorrow()?, venue.day_starts_at)?;
        let starts_at = venue.day_starts_at;
        Ok(Self { date, starts_at, timezone, from: stamp(&from), to: stamp(&to) })
    }

    /// The hours of the day: when each starts and which hour of the local clock (0 to 23) it is.
    pub fn hours(&self) -> Vec<(Timestamp, u8)> {
        let count = self.to.since(self.from) / HOUR_MS;
        (0..count)
            .map(|hour| {
                let start = self.from.plus(hour * HOUR_MS);
                (start, self.local(start).hour().unsigned_abs())
            })
            .collect()
    }

    /// When the local clock shows that time on this day. A time that the clocks skip is the one after the gap.
    pub fn at(&self, time: LocalTime) -> Timestamp {
        let next_date = time < self.starts_at;
        let date = if next_date { self.date.tomorrow().unwrap_or(self.date) } else { self.date };
        moment(&self.timezone, date, time).map_or(self.from, |moment| stamp(&moment))
    }

    /// Milliseconds from the start of the day to its end.
    pub fn length_ms(&self) -> i64 {
        self.to.since(self.from)
    }

    /// That moment on the venue's clock, `HH:MM`.
    pub fn clock(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!("{:02}:{:02}", local.hour(), local.minute())
    }

    /// The date of the day.
    pub fn date(&self) -> Date {
        self.date
    }

    fn local(&self, at: Timestamp) -> Zoned {
        zoned(at, &self.timezone)
    }
}

fn zoned(at: Timestamp, timezone: &TimeZone) -> Zoned {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(timezone.clone())
}

fn moment(timezone: &TimeZone, date: Date, time: LocalTime) -> Result<Zoned, jiff::Error> {
    let hour = (time.0 / 60) as i8;
    let minute = (time.0 % 60) as i8;
    timezone.to_ambiguous_zoned(date.at(hour, minute, 0, 0)).compatible()
}

fn stamp(moment: &Zoned) -> Timestamp {
    Timestamp(moment.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use jiff::civil::date;

    fn day(date: Date) -> Day {
        Day::new(&Scenario::shipped("quiet").unwrap().venue, date).unwrap()
    }

    #[test]
    fn a_day_starts_when_the_venue_says() {
        let day = day(date(2026, 11, 21));
        // 04:00 in Berlin in winter is 03:00 UTC.
        assert_eq!(day.from, Timestamp(1_795_230_000_000));
        assert_eq!(day.length_ms(), 24 * HOUR_MS);
        let hours = day.hours();
        assert_eq!((hours[0].1, hours[23].1), (4, 3));
        assert_eq!(day.at(LocalTime(9 * 60 + 30)).since(day.from), 5 * HOUR_MS + 30 * 60_000);
        assert_eq!(day.at(LocalTime(60)).since(day.from), 21 * HOUR_MS, "01:00 is in the next calendar day");
        assert_eq!(day.clock(day.at(LocalTime(9 * 60 + 30))), "09:30");
    }

    #[test]
    fn the_last_complete_day_has_ended() {
        let venue = Scenario::shipped("quiet").unwrap().venue;
        let last = |now| Day::last_before(&venue, Timestamp(now)).unwrap();
        let end = 1_795_316_400_000; // 2026-11-22 04:00 in Berlin
        assert_eq!(last(end), date(2026, 11, 21));
        assert_eq!(last(end - 1), date(2026, 11, 20));
        assert_eq!(last(end + 24 * HOUR_MS - 1), date(2026, 11, 21));
    }

    #[test]
    fn days_of_a_clock_change_have_23_and_25_hours() {
        // Berlin changes at 02:00/03:00, which the day that starts at 04:00 of the date before holds.
        assert_eq!(day(date(2026, 3, 28)).length_ms(), 23 * HOUR_MS);
        let long = day(date(2026, 10, 24));
        assert_eq!(long.length_ms(), 25 * HOUR_MS);
        assert_eq!(long.hours().iter().filter(|(_, hour)| *hour == 2).count(), 2);
    }
}
