//! The stored form of a venue's parameters.

use presence::{Settings, SignalSettings, VisitSettings, ZoneSettings};
use serde::{Deserialize, Serialize};

/// The parameters as one flat document. Fields that an older program did not write take today's default.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredSettings {
    smoothing: f32,
    fall_db_per_s: f32,
    gone_after_s: u32,
    margin_db: f32,
    hold_s: u32,
    exit_after_ms: i64,
    gap_ms: i64,
    longest_ms: i64,
    shortest_ms: i64,
}

impl Default for StoredSettings {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl From<&Settings> for StoredSettings {
    fn from(settings: &Settings) -> Self {
        let SignalSettings { smoothing, fall_db_per_s, gone_after_s } = settings.signal;
        let ZoneSettings { margin_db, hold_s, exit_after_ms } = settings.zone;
        let VisitSettings { gap_ms, longest_ms, shortest_ms } = settings.visit;
        Self {
            smoothing,
            fall_db_per_s,
            gone_after_s,
            margin_db,
            hold_s,
            exit_after_ms,
            gap_ms,
            longest_ms,
            shortest_ms,
        }
    }
}

impl From<StoredSettings> for Settings {
    fn from(stored: StoredSettings) -> Self {
        let StoredSettings {
            smoothing, fall_db_per_s, gone_after_s, margin_db, hold_s, exit_after_ms, ..
        } = stored;
        let StoredSettings { gap_ms, longest_ms, shortest_ms, .. } = stored;
        Self {
            signal: SignalSettings { smoothing, fall_db_per_s, gone_after_s },
            zone: ZoneSettings { margin_db, hold_s, exit_after_ms },
            visit: VisitSettings { gap_ms, longest_ms, shortest_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_reads_back() {
        let mut settings = Settings::default();
        settings.signal.smoothing = 0.1;
        settings.visit.gap_ms = 60_000;
        let json = serde_json::to_string(&StoredSettings::from(&settings)).unwrap();
        assert_eq!(Settings::from(serde_json::from_str::<StoredSettings>(&json).unwrap()), settings);
    }

    #[test]
    fn what_is_missing_takes_the_default() {
        let stored: StoredSettings = serde_json::from_str(r#"{"hold_s":9}"#).unwrap();
        let mut expected = Settings::default();
        expected.zone.hold_s = 9;
        assert_eq!(Settings::from(stored), expected);
    }
}
