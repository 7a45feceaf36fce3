//! What the fields of a body may hold. Each check answers with the value as it is stored, or with what would be right.

use std::collections::BTreeSet;
use std::fmt::Display;

use store::{Scope, ScopeSet};

use crate::problem::{Mistake, Problem};

/// The longest name, in characters.
pub(crate) const MAX_NAME: usize = 200;
/// The longest name of what is shown in small, in characters.
pub(crate) const MAX_SHORT_NAME: usize = 100;
/// The most scopes that anything has.
pub(crate) const MAX_SCOPES: usize = 100;
/// The most corners of a polygon.
pub(crate) const MAX_CORNERS: usize = 1_000;

/// Collects every mistake of a body, so that one answer lists them all.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// The value of the field at `pointer`, unless it is wrong.
    pub(crate) fn check<T>(&mut self, pointer: &str, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|detail| self.0.push(Mistake::at(pointer, detail))).ok()
    }

    /// The value of a field that may be left out.
    pub(crate) fn optional<T, U>(
        &mut self,
        pointer: &str,
        given: Option<T>,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        given.and_then(|value| self.check(pointer, check(value)))
    }

    /// The value of a field of a PATCH that may also be null.
    #[expect(clippy::option_option, reason = "left out, null and a value are three things")]
    pub(crate) fn nullable<T, U>(
        &mut self,
        pointer: &str,
        given: Option<Option<T>>,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<Option<U>> {
        given.map(|value| self.optional(pointer, value, check))
    }

    /// Another mistake.
    pub(crate) fn push(&mut self, pointer: &str, detail: impl Into<String>) {
        self.0.push(Mistake::at(pointer, detail));
    }

    /// Refuses the body when there is a mistake in it.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    /// The refusal, for when a value that must be there is not.
    pub(crate) fn refusal(self) -> Problem {
        Problem::invalid_body(self.0)
    }
}

/// A name for people: 1 to 200 characters, none of them a control character, not only spaces.
pub(crate) fn name(text: String) -> Result<String, String> {
    name_within(text, MAX_NAME)
}

/// The same with at most 100 characters.
pub(crate) fn short_name(text: String) -> Result<String, String> {
    name_within(text, MAX_SHORT_NAME)
}

fn name_within(text: String, most: usize) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().nth(most).is_some() {
        return Err(format!("must have 1 to {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    Ok(text)
}

/// Scopes by their words, at `/scopes`: 1 to 100.
pub(crate) fn scopes(mistakes: &mut Mistakes, words: &[String]) -> ScopeSet {
    if words.is_empty() || words.len() > MAX_SCOPES {
        mistakes.push("/scopes", format!("must have 1 to {MAX_SCOPES} entries"));
        return ScopeSet::default();
    }
    let check = |(index, word): (usize, &String)| {
        let scope = word.parse::<Scope>().map_err(|error| error.to_string());
        mistakes.check(&format!("/scopes/{index}"), scope)
    };
    words.iter().enumerate().filter_map(check).collect()
}

/// A word of a closed set.
pub(crate) fn word<T: Copy + Display>(text: &str, all: &[T]) -> Result<T, String> {
    all.iter().copied().find(|one| one.to_string() == text).ok_or_else(|| {
        let words: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
        format!("must be {}", words.join(", "))
    })
}

/// A time zone of the IANA database, in its canonical letters.
pub(crate) fn timezone(text: &str) -> Result<String, String> {
    let shown: String = text.chars().take(64).collect();
    let unknown = || format!("`{shown}` is not a time zone of the IANA database, such as Europe/Vienna");
    let calendar = presence::Calendar::new(text, 0).map_err(|_| unknown())?;
    Ok(calendar.timezone().to_owned())
}

/// A time of day as `HH:MM`, in minutes after midnight.
pub(crate) fn time_of_day(text: &str) -> Result<u16, String> {
    let wrong = || "must be a time of day as HH:MM, from 00:00 to 23:59".to_owned();
    let &[h1, h2, b':', m1, m2] = text.as_bytes() else { return Err(wrong()) };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    let two = |tens: u8, ones: u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
    let (hour, minute) = (two(h1, h2), two(m1, m2));
    if hour < 24 && minute < 60 { Ok(hour * 60 + minute) } else { Err(wrong()) }
}

/// Minutes after midnight as `HH:MM`.
pub(crate) fn printed_time_of_day(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A language tag in the shape of BCP 47 (RFC 5646, section 2.1): a language of 2 or 3 letters, then subtags of 1 to 8
/// letters and digits. Whether the subtags are registered is not checked.
pub(crate) fn locale(text: String) -> Result<String, String> {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let named = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = subtags
        .all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let whole = !text.ends_with('-') && text.len() <= 35;
    if named && rest && whole { Ok(text) } else { Err("must be a language tag, such as de-AT".to_owned()) }
}

/// A position in metres: `[x, y]` or `[x, y, z]`; without a height it is on the floor.
pub(crate) fn position(coordinates: &[f64]) -> Result<[f64; 3], String> {
    let wrong = || "must be [x, y] or [x, y, z] in metres".to_owned();
    if !coordinates.iter().all(|value| value.is_finite()) {
        return Err(wrong());
    }
    match *coordinates {
        [x, y] => Ok([x, y, 0.0]),
        [x, y, z] => Ok([x, y, z]),
        _ => Err(wrong()),
    }
}

/// A polygon in metres: at least three corners, each `[x, y]`.
pub(crate) fn polygon(corners: &[Vec<f64>]) -> Result<Vec<[f64; 2]>, String> {
    if !(3..=MAX_CORNERS).contains(&corners.len()) {
        return Err(format!("must have 3 to {MAX_CORNERS} corners"));
    }
    let corner = |corner: &Vec<f64>| match **corner {
        [x, y] if x.is_finite() && y.is_finite() => Ok([x, y]),
        _ => Err("each corner must be [x, y] in metres".to_owned()),
    };
    corners.iter().map(corner).collect()
}

/// A list without repeats, of at most `most` entries.
pub(crate) fn distinct<T: Ord + Clone>(items: Vec<T>, most: usize) -> Result<Vec<T>, String> {
    if items.len() > most {
        return Err(format!("must have at most {most} entries"));
    }
    let mut seen = BTreeSet::new();
    if items.iter().all(|item| seen.insert(item.clone())) {
        Ok(items)
    } else {
        Err("must not name anything twice".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_for_people() {
        assert_eq!(name("Süd 2 / 店".to_owned()).as_deref(), Ok("Süd 2 / 店"));
        assert!(name("ü".repeat(200)).is_ok());
        for wrong in ["", "   ", "a\nb", "a\u{0}", "\u{85}x", &"a".repeat(201)] {
            assert!(name(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        assert_eq!(timezone("europe/vienna").as_deref(), Ok("Europe/Vienna"));
        assert_eq!(timezone("UTC").as_deref(), Ok("UTC"));
        for wrong in ["", "Mars/Olympus", "+01:00", "../etc/passwd", "Europe/Vienna\0"] {
            assert!(timezone(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_of_day_have_two_digits_each() {
        assert_eq!(time_of_day("00:00"), Ok(0));
        assert_eq!(time_of_day("23:59"), Ok(1_439));
        assert_eq!(printed_time_of_day(245), "04:05");
        for wrong in ["", "4:00", "24:00", "12:60", "12:5", "+1:00", "12:00:00", "1２:00"] {
            assert!(time_of_day(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn locales_have_the_shape_of_a_language_tag() {
        for right in ["de", "de-AT", "zh-Hant-TW", "es-419", "sl-rozaj-biske", "en-US-x-twain"] {
            assert_eq!(locale(right.to_owned()).as_deref(), Ok(right));
        }
        for wrong in ["", "d", "german", "de_AT", "de-", "-de", "de--AT", "de-toolongtag", "1a", "dé"] {
            assert!(locale(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn shapes_are_finite() {
        assert_eq!(position(&[1.0, 2.0]), Ok([1.0, 2.0, 0.0]));
        assert!(position(&[1.0]).is_err() && position(&[1.0; 4]).is_err());
        assert!(position(&[1.0, f64::INFINITY]).is_err() && position(&[f64::NAN, 0.0]).is_err());
        let corner = vec![0.0, 1.0];
        assert!(polygon(&[corner.clone(), corner.clone()]).is_err());
        assert!(polygon(&[corner.clone(), corner.clone(), vec![0.0; 3]]).is_err());
        assert_eq!(polygon(&[corner.clone(), corner.clone(), corner]), Ok(vec![[0.0, 1.0]; 3]));
    }
}
