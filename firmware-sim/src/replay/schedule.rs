//! When each recorded walk happens again, and the batches of that time.

use super::layout::Layout;
use super::recording::Recording;
use crate::day::HOUR_MS;
use crate::gateway::{Gateway, Heading};
use crate::simulation::{STEP_MS, Step};
use protocol::{Identifier, Timestamp};

/// The last walk ends so long before now. Well more than a gap that ends a visit, and the platform's clock never makes
/// anything final that is younger than a minute.
const MARGIN_MS: i64 = 20 * 60_000;

/// Between two walks: more than the gap that ends a visit.
const BETWEEN_MS: i64 = 18 * 60_000;

/// Event time goes on so long after the last walk, so that its stays and its visit are over.
const TAIL_MS: i64 = 18 * 60_000;

/// How often the fixed transmitters are reported.
const LANDMARK_MS: i64 = 10_000;

/// The shift of each track, milliseconds. Whole seconds, so that every second keeps its samples.
#[derive(Clone, Debug)]
pub struct Schedule {
    shifts: Vec<i64>,
    from: Timestamp,
    to: Timestamp,
}

impl Schedule {
    /// The tracks one after another, the last one ending shortly before `now`.
    pub fn ending_before(recording: &Recording, now: Timestamp) -> Self {
        let last = now.minus(MARGIN_MS);
        let (mut ends, mut shifts) = (last, Vec::new());
        for track in recording.tracks.iter().rev() {
            let shift = ends.since(track.to()).div_euclid(1000) * 1000;
            shifts.push(shift);
            ends = track.from().plus(shift - BETWEEN_MS);
        }
        shifts.reverse();
        Self { shifts, from: ends.plus(BETWEEN_MS), to: last }
    }

    /// How much later a track happens again, milliseconds.
    pub fn shift(&self, track: usize) -> i64 {
        self.shifts[track]
    }

    /// Full hours around everything.
    pub fn hours(&self) -> (Timestamp, Timestamp) {
        let floor = |at: Timestamp| Timestamp(at.0.div_euclid(HOUR_MS) * HOUR_MS);
        (floor(self.from), floor(self.to.plus(TAIL_MS)).plus(HOUR_MS))
    }

    /// When nothing of the last walk can change any more.
    pub fn settled_at(&self) -> Timestamp {
        self.to.plus(TAIL_MS - 2 * 60_000)
    }

    /// Batches by steps of the virtual clock. There is one set of receivers for each layout, one set after another; the
    /// first receiver of each set also hears that set's landmark.
    pub fn steps(&self, recording: &Recording, landmarks: &[Identifier]) -> Vec<Step> {
        let receivers = recording.receivers.len();
        let boot = "recorded".parse().expect("a short word is a boot name");
        let sets = landmarks.len().min(Layout::ALL.len());
        let mut gateways: Vec<Gateway> = (0..sets * receivers).map(|_| Gateway::new(boot)).collect();
        let mut samples: Vec<(Timestamp, usize, i8)> = Vec::new();
        for (track, shift) in recording.tracks.iter().zip(&self.shifts) {
            samples.extend(track.samples.iter().map(|it| (it.at.plus(*shift), it.receiver, it.rssi)));
        }
        let mut samples = samples.into_iter().peekable();
        let (mut steps, mut at) = (Vec::new(), self.from);
        while at < self.to.plus(TAIL_MS) {
            let to = at.plus(STEP_MS);
            while let Some((when, receiver, rssi)) = samples.next_if(|(when, ..)| *when < to) {
                for set in 0..sets {
                    gateways[set * receivers + receiver].hear(TAG, when, rssi);
                }
            }
            for set in 0..sets {
                for tick in 0..STEP_MS / LANDMARK_MS {
                    let who = Heading { transmitter: 1 + set as u32, rotation: 0 };
                    gateways[set * receivers].hear(who, at.plus(tick * LANDMARK_MS), -60);
                }
            }
            let mut batches = Vec::new();
            for (number, gateway) in gateways.iter_mut().enumerate() {
                let name = |who: Heading| match who.transmitter {
                    0 => &recording.tag,
                    landmark => &landmarks[landmark as usize - 1],
                };
                batches.extend(gateway.flush(name).into_iter().map(|batch| (number, batch)));
            }
            steps.push(Step { to, batches, uplinks: Vec::new() });
            at = to;
        }
        steps
    }
}

/// The moving transmitter.
const TAG: Heading = Heading { transmitter: 0, rotation: 0 };
