//! Points in time as scanners write them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Flaw, value};
use crate::{Reason, Timestamp};

/// When an item was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Where it says so.
    pub pointer: String,
    /// As what.
    pub unit: Unit,
}

/// What times are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Unix seconds, fractions included.
    S,
    /// Unix milliseconds.
    Ms,
    /// A text such as `2026-03-02T12:00:00Z` (RFC 3339).
    Rfc3339,
}

impl Moment {
    pub(super) fn read(&self, item: &Value) -> Result<Timestamp, Flaw> {
        let value = item.pointer(&self.pointer);
        let number = |factor: f64| {
            let ms = (value::number(value)? * factor).round();
            // Up to here each millisecond has a float of its own.
            (ms.abs() < 9e15).then_some(Timestamp(ms as i64))
        };
        let (read, what) = match self.unit {
            Unit::S => (number(1000.0), "a number of seconds"),
            Unit::Ms => (number(1.0), "a number of milliseconds"),
            Unit::Rfc3339 => (value.and_then(Value::as_str).and_then(parse), "a time as in RFC 3339"),
        };
        read.ok_or_else(|| Flaw::new(Reason::BadField, &self.pointer, what))
    }
}

/// Reads `2026-03-02T12:00:00.123Z` or the same with an offset such as `+01:00` (RFC 3339 section 5.6); none for anything else.
fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (fraction_ms, rest) = fraction(rest)?;
    let offset_min = offset(rest)?;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second counts as the one before it, as Unix time has none.
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset_min;
    Some(Timestamp((minutes * 60 + second.min(59)) * 1000 + fraction_ms))
}

/// Three numbers of so many digits with `between` in between.
fn numbers(text: &str, between: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        *number = digits(parts.next().filter(|part| part.len() == length)?)?;
    }
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Milliseconds behind a point, if there is one, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = rest.split_at(length);
    let known = &fraction[..length.min(3)];
    let ms = digits(known).filter(|_| length > 0)? * 10i64.pow(3 - known.len() as u32);
    Some((ms, rest))
}

/// Minutes east of Greenwich.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text {
        "Z" | "z" => return Some(0),
        _ => (if text.starts_with('-') { -1 } else { 1 }, text.strip_prefix(['+', '-'])?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, most| digits(text).filter(|number| text.len() == 2 && *number <= most);
    Some(sign * (number(hours, 23)? * 60 + number(minutes, 59)?))
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years begin in March here, so that the leap day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let before = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March on have 31, 30, 31, 30, 31 days, over and over.
    before + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-02T12:00:00Z", 1_772_452_800_000),
            ("2026-03-02T13:00:00.5+01:00", 1_772_452_800_500),
            ("2026-03-02 06:30:00.123456-05:30", 1_772_452_800_123),
            ("2024-02-29T23:59:60z", 1_709_251_199_000),
            ("2000-02-29t00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] {
            assert_eq!(parse(text), Some(Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-03-02",
            "2026-03-02T12:00:00",
            "2026-03-02T12:00Z",
            "2026-02-29T12:00:00Z",
            "2100-02-29T12:00:00Z",
            "2026-13-02T12:00:00Z",
            "2026-00-02T12:00:00Z",
            "2026-04-31T12:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T12:60:00Z",
            "2026-03-02T12:00:61Z",
            "2026-03-02T12:00:00.Z",
            "2026-03-02T12:00:00+1:00",
            "2026-03-02T12:00:00+24:00",
            "2026-03-02T12:00:00Zx",
            "+026-03-02T12:00:00Z",
            "2026-03-02T12:00:00é",
            "2026-03-é2T12:00:00Z",
            "ééééééééééééééé",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
