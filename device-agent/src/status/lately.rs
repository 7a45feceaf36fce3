//! Who was heard last, and how much.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::{Identifier, Timestamp};
use serde::Serialize;

use crate::scan::Heard;

/// How many senders are remembered.
const MOST: usize = 20;

/// Over how many seconds advertisements are counted.
const SECONDS: usize = 10;

/// A sender as it was heard last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Who, as it is reported.
    pub id: Identifier,
    /// How strong, in dBm.
    pub rssi: i8,
    /// When, by the device's own clock.
    pub at: Timestamp,
}

/// The last senders and seconds.
#[derive(Debug, Default)]
pub(super) struct Lately {
    /// Each once, the latest first.
    sightings: VecDeque<Sighting>,
    /// Advertisements in each of the last seconds that had one, by the second they came in.
    counts: VecDeque<(u64, u64)>,
}

impl Lately {
    pub(super) fn hear(&mut self, heard: &Heard, elapsed: Duration) {
        self.sightings.retain(|sighting| sighting.id != heard.id);
        self.sightings.truncate(MOST - 1);
        self.sightings.push_front(Sighting { id: heard.id.clone(), rssi: heard.rssi, at: heard.at });
        let second = elapsed.as_secs();
        match self.counts.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.counts.push_back((second, 1)),
        }
        if self.counts.len() > SECONDS + 1 {
            self.counts.pop_front();
        }
    }

    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.sightings.iter().cloned().collect()
    }

    /// Over the last whole seconds.
    pub(super) fn per_second(&self, elapsed: Duration) -> f64 {
        let now = elapsed.as_secs();
        let seconds = now.saturating_sub(SECONDS as u64)..now;
        let counted = self.counts.iter().filter(|(second, _)| seconds.contains(second));
        let count: u64 = counted.map(|(_, count)| count).sum();
        let over = seconds.end - seconds.start;
        if over == 0 { 0.0 } else { count as f64 / over as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(n: u64) -> Heard {
        Heard { id: format!("app:{n}").parse().unwrap(), rssi: -60, at: Timestamp(n as i64), tx: None }
    }

    #[test]
    fn each_sender_is_there_once_the_latest_first_and_no_more_than_there_is_room_for() {
        let mut lately = Lately::default();
        for n in (0..100).chain([95]) {
            lately.hear(&heard(n), Duration::ZERO);
        }
        let at: Vec<i64> = lately.sightings().iter().map(|sighting| sighting.at.0).collect();
        assert_eq!(at, [95, 99, 98, 97, 96, 94, 93, 92, 91, 90, 89, 88, 87, 86, 85, 84, 83, 82, 81, 80]);
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds() {
        let mut lately = Lately::default();
        let rate = |lately: &Lately, s| lately.per_second(Duration::from_secs(s));
        assert!(rate(&lately, 0).abs() < 1e-9);
        for ms in (0..30_000).step_by(20) {
            lately.hear(&heard(ms), Duration::from_millis(ms));
        }
        assert!((rate(&lately, 30) - 50.0).abs() < 1e-9);
        assert!((rate(&lately, 35) - 25.0).abs() < 1e-9);
        assert!(rate(&lately, 60).abs() < 1e-9);
        assert!(lately.counts.len() <= SECONDS + 1);
    }
}
