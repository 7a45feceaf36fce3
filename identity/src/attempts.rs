//! Failed tries: each makes the refusal of the next one slower, and where guessing is cheap, many are too many.
//!
//! A wrong password only waits. Whoever has the right one is let in at once, so nobody can lock a person out. Guessing a
//! second factor or a code on a screen is another matter: they are short, and such tries are counted before they are looked
//! at, so that many at once count as many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{AccountId, Timestamp};

/// How long the refusal of the second wrong try in a row waits; it doubles with each.
const FIRST_MS: u64 = 100;
const LONGEST_MS: u64 = 5_000;
/// After so long without a try, all is forgotten.
const FORGOTTEN_MS: i64 = 10 * 60_000;
/// How many short codes may be tried in that time.
const TRIES: u32 = 10;
/// Names and addresses that are remembered; above it, every refusal waits as long as it may, and no short code is tried.
const REMEMBERED: usize = 100_000;

/// Whose tries are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Everybody behind an address.
    Address(IpAddr),
    /// An e-mail address, whether or not anybody has it.
    Email(String),
    /// The second factor of an account.
    SecondFactor(AccountId),
    /// The codes of devices that an account types.
    UserCode(AccountId),
    /// Answers of providers that come from an address and are refused.
    Answer(IpAddr),
    /// Mail that anybody can have sent to an address.
    Mail(String),
}

/// The latest tries.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    recent: Mutex<HashMap<Who, (u32, Timestamp)>>,
}

impl Attempts {
    /// Notes a wrong password; answers how long its refusal should wait.
    pub(crate) fn failed(&self, all: impl IntoIterator<Item = Who>, now: Timestamp) -> Duration {
        let mut recent = self.recent();
        let waits = all.into_iter().map(|who| match count(&mut recent, who, now) {
            None => LONGEST_MS,
            Some(1) => 0,
            Some(tries) => (FIRST_MS << (tries - 2).min(10)).min(LONGEST_MS),
        });
        Duration::from_millis(waits.max().unwrap_or_default())
    }

    /// Counts a try of a short code before it is looked at. Gives whether it may be.
    pub(crate) fn may_try(&self, who: Who, now: Timestamp) -> bool {
        count(&mut self.recent(), who, now).is_some_and(|tries| tries <= TRIES)
    }

    /// Forgets the tries of whoever succeeded.
    pub(crate) fn succeeded(&self, who: &Who) {
        self.recent().remove(who);
    }

    /// Forgets what is old.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.recent().retain(|_, (_, last)| now.since(*last) <= FORGOTTEN_MS);
    }

    /// A panic elsewhere cannot leave the map half changed.
    fn recent(&self) -> MutexGuard<'_, HashMap<Who, (u32, Timestamp)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many tries that makes; none when nobody else can be remembered.
fn count(recent: &mut HashMap<Who, (u32, Timestamp)>, who: Who, now: Timestamp) -> Option<u32> {
    if recent.len() >= REMEMBERED && !recent.contains_key(&who) {
        return None;
    }
    let (tries, last) = recent.entry(who).or_insert((0, now));
    if now.since(*last) > FORGOTTEN_MS {
        *tries = 0;
    }
    (*tries, *last) = (tries.saturating_add(1), now);
    Some(*tries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_452_800_000);

    #[test]
    fn each_wrong_password_waits_longer_by_address_and_by_name() {
        let attempts = Attempts::default();
        let address = |last: u8| Who::Address(IpAddr::from([10, 0, 0, last]));
        let email = || Who::Email("ann@example.com".to_owned());
        let waits: Vec<_> = (0..8).map(|_| attempts.failed([address(1)], NOW).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(attempts.failed([address(2), email()], NOW), Duration::ZERO);
        assert_eq!(attempts.failed([address(3), email()], NOW).as_millis(), 100, "the name, from elsewhere");
        let later = NOW.plus(FORGOTTEN_MS + 1);
        assert_eq!(attempts.failed([address(1)], later), Duration::ZERO);
        attempts.sweep(later.plus(FORGOTTEN_MS + 1));
        assert!(attempts.recent().is_empty());
    }

    #[test]
    fn short_codes_are_tried_a_few_times() {
        let attempts = Attempts::default();
        let who = || Who::UserCode(AccountId::from_uuid(uuid::Uuid::nil()));
        assert!((0..TRIES).all(|_| attempts.may_try(who(), NOW)));
        assert!(!attempts.may_try(who(), NOW));
        attempts.succeeded(&who());
        assert!(attempts.may_try(who(), NOW));
    }
}
