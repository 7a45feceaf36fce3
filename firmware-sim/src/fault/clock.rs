//! A clock that is wrong, and by how much at which time.

use crate::day::Day;
use crate::scenario::ClockFault;
use protocol::Timestamp;

/// The clock of a gateway beside the true time.
#[derive(Clone, Debug)]
pub(crate) struct WrongClock {
    started: Timestamp,
    offset_ms: f64,
    drift_ppm: f64,
    jumps: Vec<(Timestamp, f64)>,
    set_at: Option<Timestamp>,
}

impl WrongClock {
    /// A clock that is right, of a machine that was switched on then.
    pub(crate) fn new(started: Timestamp) -> Self {
        Self { started, offset_ms: 0.0, drift_ppm: 0.0, jumps: Vec::new(), set_at: None }
    }

    /// Makes it more wrong.
    pub(crate) fn add(&mut self, fault: &ClockFault, day: &Day) {
        self.offset_ms += fault.offset_s * 1_000.0;
        self.drift_ppm += fault.drift_ppm;
        self.jumps.extend(fault.jumps.iter().map(|jump| (day.at(jump.at), jump.by_s * 1_000.0)));
        self.set_at = self.set_at.max(fault.unset_until.map(|until| day.at(until)));
    }

    /// Whether it shows a time that can be meant by then.
    pub(crate) fn is_set(&self, at: Timestamp) -> bool {
        self.set_at.is_none_or(|set_at| at >= set_at)
    }

    /// Whether it begins without knowing the time.
    pub(crate) fn is_ever_unset(&self) -> bool {
        self.set_at.is_some()
    }

    /// How far it is ahead of the true time, milliseconds.
    pub(crate) fn error_ms(&self, at: Timestamp) -> i64 {
        if !self.is_set(at) {
            // It began with 0, the first moment of 1970.
            return -self.started.0;
        }
        let drift = self.drift_ppm / 1e6 * at.since(self.started) as f64;
        let jumps: f64 = self.jumps.iter().filter(|(when, _)| *when <= at).map(|(_, by)| by).sum();
        (self.offset_ms + drift + jumps) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Jump, LocalTime, Scenario, Whom};

    #[test]
    fn offset_drift_and_jumps_add_up_once_it_is_set() {
        let venue = Scenario::shipped("quiet").unwrap().venue;
        let day = Day::new(&venue, "2026-11-21".parse().unwrap()).unwrap();
        let mut clock = WrongClock::new(day.from);
        let at = |hour: u16| day.at(LocalTime(hour * 60));
        clock.add(
            &ClockFault {
                gateways: Whom::default(),
                offset_s: 60.0,
                drift_ppm: 1_000.0,
                jumps: vec![Jump { at: LocalTime(12 * 60), by_s: -30.0 }],
                unset_until: Some(LocalTime(8 * 60)),
            },
            &day,
        );
        assert!(!clock.is_set(at(7)) && clock.is_set(at(8)));
        // The day begins at 04:00; the drift is 3.6 s an hour.
        let shown = |hour| at(hour).plus(clock.error_ms(at(hour)));
        assert_eq!(shown(7), Timestamp(3 * 3_600_000), "three hours after it was switched on");
        assert_eq!(clock.error_ms(at(8)), 60_000 + 4 * 3_600);
        assert_eq!(clock.error_ms(at(11)), 60_000 + 7 * 3_600);
        assert_eq!(clock.error_ms(at(12)), 60_000 + 8 * 3_600 - 30_000);
    }
}
