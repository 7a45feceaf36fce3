//! Ways to part the recorded floor into zones.

use super::recording::Recording;
use std::fmt;

/// A way to part the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One zone for each receiver: whatever is nearest to it on the plan.
    NearestReceiver,
    /// The four quarters of the floor.
    Quadrants,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::NearestReceiver, Self::Quadrants];

    /// What the zones are called.
    pub fn zone_names(self, recording: &Recording) -> Vec<String> {
        match self {
            Self::NearestReceiver => {
                recording.receivers.iter().map(|receiver| format!("near {}", receiver.name)).collect()
            }
            Self::Quadrants => {
                ["lower left", "lower right", "upper left", "upper right"].map(str::to_owned).to_vec()
            }
        }
    }

    /// The number of the zone a place is in.
    pub fn zone_of(self, recording: &Recording, [x, y]: [f64; 2]) -> usize {
        match self {
            Self::NearestReceiver => {
                let away = |place: [f64; 3]| (place[0] - x).hypot(place[1] - y);
                let receivers = recording.receivers.iter().map(|receiver| away(receiver.place)).enumerate();
                receivers.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(number, _)| number)
            }
            Self::Quadrants => {
                let [left, bottom, right, top] = recording.floor;
                usize::from(x >= f64::midpoint(left, right))
                    + 2 * usize::from(y >= f64::midpoint(bottom, top))
            }
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NearestReceiver => "nearest receiver",
            Self::Quadrants => "quadrants",
        })
    }
}
