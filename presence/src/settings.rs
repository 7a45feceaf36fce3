//! The parameters of the estimate, with their units and defaults.

use thiserror::Error;

/// All parameters of the estimate. They are part of a [`crate::Layout`], so a change holds from a time on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// How the level of an anchor follows what is heard.
    pub signal: SignalSettings,
    /// How the zone follows the levels.
    pub zone: ZoneSettings,
    /// How sightings make a visit.
    pub visit: VisitSettings,
}

/// How the level of an anchor follows what is heard.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSettings {
    /// Weight of the newest second in the moving average, above 0 and at most 1 (no unit). Default 0.3.
    pub smoothing: f32,
    /// How fast the level of a silent anchor falls, in dB per second. Default 0.5.
    pub fall_db_per_s: f32,
    /// An anchor silent for more than this many whole seconds no longer counts, in seconds. Default 10.
    pub gone_after_s: u32,
}

/// How the zone follows the levels.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneSettings {
    /// Another zone must be at least this much stronger than the current one to take over, in dB. Default 1.
    pub margin_db: f32,
    /// It must lead by the margin at every heard second for at least this long, in seconds. Default 1.
    pub hold_s: u32,
    /// A subject silent for longer than this has left its zone, in milliseconds. Default 30,000.
    pub exit_after_ms: i64,
}

/// How sightings make a visit.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitSettings {
    /// The longest silence inside one run of sightings (a silence of exactly this belongs to it), in milliseconds.
    /// Default 900,000, 15 min.
    pub gap_ms: i64,
    /// A run is split when it is this old, in milliseconds: a sighting exactly this long after the first one begins
    /// the next run. Default 14,400,000, 4 h.
    pub longest_ms: i64,
    /// A run that reached the interior is a visit from this length on, last minus first sighting, in milliseconds;
    /// below it is a bounce. Default 120,000.
    pub shortest_ms: i64,
}

/// A parameter outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{parameter} is out of range: {range}")]
pub struct SettingsError {
    /// The path of the parameter, such as `signal.smoothing`.
    pub parameter: &'static str,
    /// What is allowed, in words.
    pub range: &'static str,
}

/// Ten years: long enough for anything sensible, short enough that no sum of times overflows.
const TEN_YEARS_MS: i64 = 3_660 * 86_400_000;

impl Settings {
    /// Checks every range. [`crate::Timeline::new`] calls it, so a tracker never meets a parameter that it cannot use.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let SignalSettings { smoothing, fall_db_per_s, gone_after_s: _ } = self.signal;
        let ZoneSettings { margin_db, hold_s: _, exit_after_ms } = self.zone;
        let VisitSettings { gap_ms, longest_ms, shortest_ms } = self.visit;
        let decibels = "0 to 1,000 dB";
        let span = "1,000 ms to 3,660 days";
        let check = |good: bool, parameter, range| {
            if good { Ok(()) } else { Err(SettingsError { parameter, range }) }
        };
        // Whole seconds are processed at once, so no limit on silence can be shorter than one.
        let spans = 1_000..=TEN_YEARS_MS;
        check(smoothing > 0.0 && smoothing <= 1.0, "signal.smoothing", "above 0, at most 1")?;
        check((0.0..=1_000.0).contains(&fall_db_per_s), "signal.fall_db_per_s", decibels)?;
        check((0.0..=1_000.0).contains(&margin_db), "zone.margin_db", decibels)?;
        check(spans.contains(&exit_after_ms), "zone.exit_after_ms", span)?;
        check(spans.contains(&gap_ms), "visit.gap_ms", span)?;
        check(spans.contains(&longest_ms), "visit.longest_ms", span)?;
        check((0..=TEN_YEARS_MS).contains(&shortest_ms), "visit.shortest_ms", "0 ms to 3,660 days")
    }
}

impl Default for SignalSettings {
    fn default() -> Self {
        Self { smoothing: 0.3, fall_db_per_s: 0.5, gone_after_s: 10 }
    }
}

impl Default for ZoneSettings {
    fn default() -> Self {
        Self { margin_db: 1.0, hold_s: 1, exit_after_ms: 30_000 }
    }
}

impl Default for VisitSettings {
    fn default() -> Self {
        Self { gap_ms: 900_000, longest_ms: 14_400_000, shortest_ms: 120_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Settings::default().validate(), Ok(()));
    }

    #[test]
    fn out_of_range_is_named() {
        for (parameter, change) in [
            ("signal.smoothing", (|s| s.signal.smoothing = f32::NAN) as fn(&mut Settings)),
            ("signal.smoothing", |s| s.signal.smoothing = 0.0),
            ("signal.fall_db_per_s", |s| s.signal.fall_db_per_s = -0.5),
            ("zone.margin_db", |s| s.zone.margin_db = f32::INFINITY),
            ("zone.exit_after_ms", |s| s.zone.exit_after_ms = 999),
            ("visit.gap_ms", |s| s.visit.gap_ms = i64::MAX),
            ("visit.longest_ms", |s| s.visit.longest_ms = 0),
            ("visit.shortest_ms", |s| s.visit.shortest_ms = -1),
        ] {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.validate().map_err(|e| e.parameter), Err(parameter));
        }
    }
}
