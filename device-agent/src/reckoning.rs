//! What time it is on the server's clock, as far as a device can know, and which time is believed for what.
//!
//! Commands say until when they may be begun, on the server's clock. Each also says what that clock showed when it was
//! sent (`now`), and it is tempting to set the own clock by it. That would be wrong twice: a command that was held back on
//! its way (a broker's queue, a suspended machine) brings an old time with it, beside which its deadline looks far off; and
//! nobody signs it, so it may say anything. So:
//!
//! 1. The device's own clock is asked, and only if it is plausible: not before [`EARLIEST`], unless it is said to be
//!    trusted ([`own`](Reckoning::own)).
//! 2. What the server says can only make the device doubt its clock. If the newest `now` of this connection, and the time
//!    that has passed since, is more than [`BEHIND`] later than the own clock, the time is not known
//!    ([`now`](Reckoning::now)).
//! 3. A clock that is ahead is believed: commands are refused then that could have been run, never the other way.
//!
//! | decision | which time |
//! |---|---|
//! | may this command still be begun, and is what is signed due within a week | the own clock, unless the server contradicts it |
//! | may this command, or this nonce, be forgotten | the own clock and elapsed time, whatever the server says |
//! | when is something done or tried again | elapsed time alone |
//!
//! The newest counts and not the latest: messages of one connection come in the order in which they were sent, so an
//! earlier `now` that comes after a later one means that the server's clock was set back, and a server that was wrong for
//! a minute must not be held to it for ever. For the same reason it is forgotten with the connection. Whoever lies about
//! `now` can have commands refused, which whoever sends commands can have anyway, and nothing run or forgotten.
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
    /// The newest time heard of on this connection, and when, in elapsed time.
    heard: Option<(Timestamp, Duration)>,
}

impl Reckoning {
    /// Nothing was heard yet.
    pub fn new(setting: ClockSetting) -> Self {
        Self { setting, heard: None }
    }

    /// Takes in that a message was sent at `now` on the server's clock, in place of what was heard before.
    pub fn hear(&mut self, now: Timestamp, clock: &Clock) {
        self.heard = Some((now, clock.elapsed()));
    }

    /// The connection is over, and what was heard on it is of no account any more.
    pub fn part(&mut self) {
        self.heard = None;
    }

    /// What the device's own clock shows; none if it cannot be right.
    pub fn own(&self, clock: &Clock) -> Option<Timestamp> {
        let wall = clock.now();
        let is_plausible = match self.setting {
            ClockSetting::Unset => false,
            ClockSetting::Auto => wall >= EARLIEST,
            ClockSetting::Trusted => true,
        };
        is_plausible.then_some(wall)
    }

    /// The time on the server's clock, to begin something by; none when it is not known.
    pub fn now(&self, clock: &Clock) -> Option<Timestamp> {
        let own = self.own(clock)?;
        let server = self.server(clock).unwrap_or(own);
        (server.since(own) <= BEHIND.as_millis() as i64).then(|| server.max(own))
    }

    /// How far the own clock is behind what the server said on this connection, at least, in milliseconds; negative if
    /// it is ahead of that, which a message that was under way for long shows too. None if it said nothing.
    pub fn behind_ms(&self, clock: &Clock) -> Option<i64> {
        Some(self.server(clock)?.since(clock.now()))
    }

    /// What the server's clock shows by now at least, if what it said is so.
    fn server(&self, clock: &Clock) -> Option<Timestamp> {
        let (heard, at) = self.heard?;
        Some(heard.plus(clock.elapsed().saturating_sub(at).as_millis() as i64))
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
        assert_eq!(reckoning.behind_ms(&clock), Some(5_001));
        // What was heard goes on with the time that passes; a set clock helps.
        manual.advance(Duration::from_mins(1));
        assert_eq!(reckoning.now(&clock), None);
        manual.set_wall(NOON.plus(65_000));
        assert_eq!(reckoning.now(&clock), Some(NOON.plus(65_001)));
    }

    #[test]
    fn a_server_that_was_ahead_is_believed_again() {
        let (_, clock) = at(NOON);
        let mut reckoning = Reckoning::new(ClockSetting::Auto);
        let ahead = NOON.plus(60_000);
        reckoning.hear(ahead, &clock);
        reckoning.hear(NOON, &clock);
        assert_eq!(reckoning.now(&clock), Some(NOON), "it was set back");
        reckoning.hear(ahead, &clock);
        assert_eq!(reckoning.now(&clock), None);
        reckoning.part();
        assert_eq!(
            reckoning.now(&clock),
            Some(NOON),
            "the next connection is to another, or to a better one"
        );
    }

    #[test]
    fn what_is_heard_does_not_change_the_own_clock() {
        let (_, clock) = at(NOON);
        let mut reckoning = Reckoning::new(ClockSetting::Auto);
        for heard in [0, NOON.0 - 1, NOON.0 + 1, i64::MAX, i64::MIN].map(Timestamp) {
            reckoning.hear(heard, &clock);
            assert_eq!(reckoning.own(&clock), Some(NOON), "{heard:?}");
            let _ = reckoning.now(&clock);
        }
    }
}
