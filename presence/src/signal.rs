//! How strongly each anchor hears one subject, or is heard by it.
//!
//! Knows nothing of zones and visits: readings of one second go in, levels come out.

use crate::{AnchorKey, SignalSettings};

/// What one anchor had in one second: the median of its values, in dBm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) anchor: AnchorKey,
    pub(crate) dbm: f32,
}

/// The smoothed level of one anchor as of the last second it was heard in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    pub(crate) anchor: AnchorKey,
    pub(crate) second: i64,
    pub(crate) dbm: f32,
}

/// The levels of all anchors that one subject has lately been heard at. A silent anchor is not touched: what its silence
/// has cost follows from when it was last heard, so the result does not depend on when one looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Signals {
    levels: Vec<Level>,
}

impl Signals {
    /// Takes in the readings of a second in which the subject was heard; at most one for each anchor.
    pub(crate) fn hear(&mut self, second: i64, readings: &[Reading], settings: &SignalSettings) {
        let gone = i64::from(settings.gone_after_s);
        self.levels.retain(|level| second - level.second <= gone);
        for reading in readings {
            match self.levels.iter_mut().find(|level| level.anchor == reading.anchor) {
                Some(level) => {
                    // The seconds between the two heard ones were silent.
                    let before = fallen(level, second - 1, settings);
                    level.dbm = before + settings.smoothing * (reading.dbm - before);
                    level.second = second;
                }
                None => self.levels.push(Level { anchor: reading.anchor, second, dbm: reading.dbm }),
            }
        }
    }

    /// The level of each anchor in the second that was last taken in, in dBm, in no particular order.
    pub(crate) fn levels<'a>(
        &'a self,
        second: i64,
        settings: &'a SignalSettings,
    ) -> impl Iterator<Item = (AnchorKey, f32)> + 'a {
        self.levels.iter().map(move |level| (level.anchor, fallen(level, second, settings)))
    }

    /// Forgets everything, as at the beginning of a run.
    pub(crate) fn reset(&mut self) {
        self.levels.clear();
    }

    /// What has to be kept to go on later.
    pub(crate) fn state(&self) -> &[Level] {
        &self.levels
    }

    /// Goes on from [`Signals::state`].
    pub(crate) fn from_state(levels: Vec<Level>) -> Self {
        Self { levels }
    }
}

/// A level after its silence up to and including `second`.
fn fallen(level: &Level, second: i64, settings: &SignalSettings) -> f32 {
    level.dbm - settings.fall_db_per_s * (second - level.second) as f32
}

/// The median of the values of one anchor in one second; the mean of the middle two of an even number.
pub(crate) fn median(values: &mut [i16]) -> f32 {
    let middle = values.len() / 2;
    match values {
        [] => f32::NEG_INFINITY,
        [one] => f32::from(*one),
        _ => {
            values.sort_unstable();
            if values.len() % 2 == 1 {
                f32::from(values[middle])
            } else {
                f32::from(values[middle - 1] + values[middle]) / 2.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AnchorKey = AnchorKey(0);
    const B: AnchorKey = AnchorKey(1);

    fn hear(signals: &mut Signals, second: i64, readings: &[(AnchorKey, f32)]) -> Vec<(AnchorKey, f32)> {
        let settings = SignalSettings::default();
        let readings: Vec<_> = readings.iter().map(|&(anchor, dbm)| Reading { anchor, dbm }).collect();
        signals.hear(second, &readings, &settings);
        signals.levels(second, &settings).collect()
    }

    #[test]
    fn a_level_follows_by_three_tenths() {
        let mut signals = Signals::default();
        assert_eq!(hear(&mut signals, 1, &[(A, -60.0)]), [(A, -60.0)]);
        assert_eq!(hear(&mut signals, 2, &[(A, -70.0)]), [(A, -63.0)]);
    }

    #[test]
    fn silence_costs_half_a_decibel_a_second_however_late_one_looks() {
        let mut looked = Signals::default();
        hear(&mut looked, 1, &[(A, -60.0), (B, -80.0)]);
        for second in 2..5 {
            hear(&mut looked, second, &[(B, -80.0)]);
        }
        let mut silent = Signals::default();
        hear(&mut silent, 1, &[(A, -60.0), (B, -80.0)]);
        // Three silent seconds, then 0.3 of the way from -61.5 to -71.5.
        assert_eq!(hear(&mut looked, 5, &[(A, -71.5)])[0], (A, -64.5));
        assert_eq!(hear(&mut silent, 5, &[(A, -71.5)])[0], (A, -64.5));
    }

    #[test]
    fn an_anchor_is_gone_after_more_than_ten_seconds() {
        let mut signals = Signals::default();
        hear(&mut signals, 0, &[(A, -60.0)]);
        assert_eq!(hear(&mut signals, 10, &[(B, -80.0)]), [(A, -65.0), (B, -80.0)]);
        assert_eq!(hear(&mut signals, 11, &[(B, -80.0)]), [(B, -80.0)]);
        assert_eq!(hear(&mut signals, 12, &[(A, -70.0)]), [(B, -80.5), (A, -70.0)]);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [-60]).to_bits(), (-60.0_f32).to_bits());
        assert_eq!(median(&mut [-60, -65]).to_bits(), (-62.5_f32).to_bits());
        assert_eq!(median(&mut [-60, -90, -64]).to_bits(), (-64.0_f32).to_bits());
        assert_eq!(median(&mut [-50, -90, -64, -60]).to_bits(), (-62.0_f32).to_bits());
    }
}
