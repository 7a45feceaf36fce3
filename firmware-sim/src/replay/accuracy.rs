//! How right zones are, second by second.

use super::layout::Layout;
use super::recording::Recording;
use super::schedule::Schedule;
use protocol::Timestamp;
use std::fmt;

/// Right seconds and changes of zone over all tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// How the floor is parted.
    pub layout: Layout,
    /// Seconds that were judged.
    pub seconds: u64,
    /// Seconds in which the zone was right.
    pub right: u64,
    /// How often the platform's zone changed within the tracks.
    pub switches: u64,
    /// How often the true zone changed within the tracks.
    pub true_changes: u64,
}

impl Accuracy {
    /// Judges a guess at 1 Hz, in the middle of every whole second of every track. `guess` gets the (shifted) start of the
    /// track and the moment, and answers with a zone of the layout.
    pub fn of(
        recording: &Recording,
        schedule: &Schedule,
        layout: Layout,
        mut guess: impl FnMut(Timestamp, Timestamp) -> Option<usize>,
    ) -> Self {
        let mut accuracy = Self { layout, seconds: 0, right: 0, switches: 0, true_changes: 0 };
        for (number, track) in recording.tracks.iter().enumerate() {
            let shift = schedule.shift(number);
            let (mut before, mut truly_before) = (None, None);
            for second in track.from().second() + 1..track.to().second() {
                let at = Timestamp(second * 1000 + 500);
                let truth = Some(layout.zone_of(recording, track.place(at)));
                let guessed = guess(track.from().plus(shift), at.plus(shift));
                accuracy.seconds += 1;
                accuracy.right += u64::from(guessed == truth);
                accuracy.switches += u64::from(before.is_some() && guessed != before);
                accuracy.true_changes += u64::from(truly_before.is_some() && truth != truly_before);
                before = guessed.or(before);
                truly_before = truth;
            }
        }
        accuracy
    }

    /// The share of seconds in the right zone, 0 to 1.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.seconds.max(1) as f64
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<17} accuracy {:.3} ({} of {} s), {} switches for {} true changes",
            self.layout.to_string(),
            self.share(),
            self.right,
            self.seconds,
            self.switches,
            self.true_changes
        )
    }
}
