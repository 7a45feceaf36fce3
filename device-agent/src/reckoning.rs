//! What time it is on the server's clock, as far as a device can know.
//!
//! Commands say until when they may be begun, on the server's clock. Each also says what that clock showed when it was
//! sent, and it is tempting to set the own clock by it. That would be wrong: a command that was held back on its way (a
//! broker's queue, a suspended machine) brings an old time with it, beside which its deadline looks far off. All that
//! follows from a message is that it is *at least* as late as it says. So:
//!
//! 1. The device's own clock is asked, and only if it is plausible: not before [`EARLIEST`], unless it is said to be
//!    trusted.
//! 2. Whatever came says the earliest time that it can be now: its own, and as much more as has passed since. A clock
//!    that is more than [`BEHIND`] earlier than that is wrong, and then the time is not known.
//! 3. A clock that is ahead is believed: commands are refused then that could have been run, never the other way.
//!
//! A clock that is behind, and agrees with everything that came, cannot be told from a right one. A machine without a
//! battery behind its clock must therefore say `unset`, or not start the agent before its clock is set.

use std::time::Duration;

use protocol::Timestamp;

use crate::Clock;
use crate::config::ClockSetting;

/// No clock is right that shows an earlier time: the first agent that runs commands is of the year 2026.
pub const EARLIEST: Timestamp = Timestamp(1_767_225_600_000);

/// How far a plausible clock may be behind what the server said.
pub const BEHIND: Duration = Duration::from_secs(5);

/// What a device knows of the time.
#[derive(Clone, Debug)]
pub struct Reckoning {
    setting: ClockSetting,
    /// The latest time heard of, and when, in elapsed time.
    heard: Option<(Timestamp, Duration)>,
}

impl Reckoning {
    /// Nothing was heard yet.
    pub fn new(setting: ClockSetting) -> Self {
        Self { setting, heard: None }
    }

    /// Takes in that a message was sent at `now` on the server's clock.
    pub fn hear(&mut self, now: Timestamp, clock: &Clock) {
        if self.at_least(clock).is_none_or(|known| now > known) {
            self.heard = Some((now, clock.elapsed()));
        }
    }

    /// A time that it certainly is by now on the server's clock, if anything was heard.
    pub fn at_least(&self, clock: &Clock) -> Option<Timestamp> {
        let (heard, at) = self.heard?;
        Some(heard.plus(clock.elapsed().saturating_sub(at).as_millis() as i64))
    }

    /// The time on the server's clock; none when it is not known.
    pub fn now(&self, clock: &Clock) -> Option<Timestamp> {
        let wall = clock.now();
        let plausible = match self.setting {
            ClockSetting::Unset => false,
            ClockSetting::Auto => wall >= EARLIEST,
            ClockSetting::Trusted => true,
        };
        let at_least = self.at_least(clock);
        let behind = at_least.map_or(0, |at_least| at_least.since(wall));
        (plausible && behind <= BEHIND.as_millis() as i64)
            .then(|| at_least.map_or(wall, |time| time.max(wall)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const NOON: Timestamp = Timestamp(1_790_000_000_000);

    fn at(wall: Timestamp) -> (ManualClock, Clock) {
        let manual = ManualClock::new(wall);
        (manual.clone(), Clock::Manual(manual))
    }

    #[test]
    fn the_setting_says_what_is_plausible() {
        for (setting, wall, known) in [
            (ClockSetting::Auto, NOON, true),
            (ClockSetting::Auto, EARLIEST, true),
            (ClockSetting::Auto, EARLIEST.minus(1), false),
            (ClockSetting::Auto, Timestamp(0), false),
            (ClockSetting::Trusted, Timestamp(0), true),
            (ClockSetting::Unset, NOON, false),
        ] {
            let (_, clock) = at(wall);
            assert_eq!(Reckoning::new(setting).now(&clock), known.then_some(wall), "{setting:?} {wall:?}");
        }
    }

    #[test]
    fn an_old_message_does_not_set_the_clock_back() {
        let (_, clock) = at(NOON);
        let mut reckoning = Reckoning::new(ClockSetting::Auto);
        reckoning.hear(NOON.minus(3_600_000), &clock);
        assert_eq!(reckoning.now(&clock), Some(NOON));
        assert_eq!(reckoning.at_least(&clock), Some(NOON.minus(3_600_000)));
    }

    #[test]
    fn a_clock_behind_what_was_heard_is_wrong() {
        let (manual, clock) = at(NOON);
        let mut reckoning = Reckoning::new(ClockSetting::Auto);
        reckoning.hear(NOON.plus(5_000), &clock);
        assert_eq!(
            reckoning.now(&clock),
            Some(NOON.plus(5_000)),
            "within the tolerance the later one counts"
        );
        reckoning.hear(NOON.plus(5_001), &clock);
        assert_eq!(reckoning.now(&clock), None);
        // What was heard goes on with the time that passes.
        manual.advance(Duration::from_mins(1));
        assert_eq!((reckoning.now(&clock), reckoning.at_least(&clock)), (None, Some(NOON.plus(65_001))));
        // An older message changes nothing, a set clock does.
        reckoning.hear(NOON, &clock);
        assert_eq!(reckoning.now(&clock), None);
        manual.set_wall(NOON.plus(65_100));
        assert_eq!(reckoning.now(&clock), Some(NOON.plus(65_100)));
    }
}
