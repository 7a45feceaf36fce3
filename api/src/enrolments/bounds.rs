//! How often devices without credentials may ask, and how often anybody may guess at their codes.
//!
//! Windows of ten minutes, in memory: what a restart forgets costs an attacker more than it gives.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use identity::network;
use protocol::{OrganizationId, Timestamp};
use uuid::Uuid;

use crate::problem::Problem;

/// How long is counted.
const WINDOW_MS: i64 = 10 * 60_000;
/// Requests to come in from an address: each is a row that waits until it is over.
const BEGUN: u32 = 60;
/// The same with a claim key: a shop's fleet is switched on behind one address.
const CLAIMED: u32 = 1_200;
/// Polls from an address: 80 devices, each every five seconds.
const POLLED: u32 = 10_000;
/// Wrong codes of one caller. With 34 bits nobody guesses one of a few in so many.
const WRONG_CODES: u32 = 10;
/// Wrong codes of all callers of an organization together: keys are made as one likes.
const WRONG_CODES_OF_ALL: u32 = 30;
/// Addresses that are remembered; above it, those that began longest ago go.
const REMEMBERED: usize = 100_000;

/// What has been counted lately; cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds(Arc<Mutex<Counts>>);

/// Strangers make up addresses as they like, so they are apart from those who are signed in.
#[derive(Debug, Default)]
struct Counts {
    addresses: HashMap<(Open, IpAddr), Count>,
    callers: HashMap<Uuid, Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    first: Timestamp,
    number: u32,
}

/// What everybody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Open {
    /// To come in.
    Begin,
    /// To come in with a claim key.
    Claim,
    /// Whether it may.
    Poll,
}

/// Somebody who tries a code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guesser {
    /// The person, or else the key or grant.
    pub(super) caller: Uuid,
    /// Whom they act for.
    pub(super) organization: OrganizationId,
}

impl Bounds {
    /// Counts what an address asks, and refuses it when that was too much.
    pub(super) fn ask(&self, what: Open, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let most = match what {
            Open::Begin => BEGUN,
            Open::Claim => CLAIMED,
            Open::Poll => POLLED,
        };
        let addresses = &mut self.counts().addresses;
        if addresses.len() >= REMEMBERED {
            make_room(addresses, now);
        }
        let count = count(addresses, (what, network(address)), now);
        if count.number <= most { Ok(()) } else { Err(count.refusal("this address asked too often", now)) }
    }

    /// Counts a try of a code before it is looked at, so that many at once count as many.
    pub(super) fn try_code(&self, who: Guesser, now: Timestamp) -> Result<(), Problem> {
        let callers = &mut self.counts().callers;
        // They are as few as keys and people; what is over goes whenever somebody tries.
        callers.retain(|_, count| !count.is_over(now));
        for (id, most) in who.counted() {
            let count = count(callers, id, now);
            if count.number > most {
                return Err(count.refusal("too many codes were wrong", now));
            }
        }
        Ok(())
    }

    /// The code was right: it was no guess. Others that were wrong stay counted, since whoever guesses has right ones too.
    pub(super) fn was_right(&self, who: Guesser) {
        let callers = &mut self.counts().callers;
        for (id, _) in who.counted() {
            if let Some(count) = callers.get_mut(&id) {
                count.number = count.number.saturating_sub(1);
            }
        }
    }

    /// A panic elsewhere cannot leave the counts half changed.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bounds {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Bounds>().cloned().unwrap_or_default())
    }
}

impl Guesser {
    fn counted(self) -> [(Uuid, u32); 2] {
        [(self.caller, WRONG_CODES), (self.organization.as_uuid(), WRONG_CODES_OF_ALL)]
    }
}

impl Count {
    fn is_over(self, now: Timestamp) -> bool {
        now.since(self.first) > WINDOW_MS
    }

    fn refusal(self, detail: &str, now: Timestamp) -> Problem {
        let left_ms = (WINDOW_MS - now.since(self.first)).clamp(0, WINDOW_MS);
        Problem::rate_limited(detail, left_ms as u64 / 1_000 + 1)
    }
}

fn count<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, Count>, of: K, now: Timestamp) -> Count {
    let count = counts.entry(of).or_insert(Count { first: now, number: 0 });
    if count.is_over(now) {
        *count = Count { first: now, number: 0 };
    }
    count.number = count.number.saturating_add(1);
    *count
}

fn make_room(addresses: &mut HashMap<(Open, IpAddr), Count>, now: Timestamp) {
    addresses.retain(|_, count| !count.is_over(now));
    if addresses.len() >= REMEMBERED {
        let mut begun: Vec<i64> = addresses.values().map(|count| count.first.0).collect();
        let (_, youngest, _) = begun.select_nth_unstable(REMEMBERED / 10);
        let youngest = *youngest;
        addresses.retain(|_, count| count.first.0 > youngest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_452_800_000);

    #[test]
    fn an_address_asks_so_often_in_a_while() {
        let bounds = Bounds::default();
        let ask = |text: &str, now| bounds.ask(Open::Begin, text.parse().unwrap(), now).is_ok();
        assert!((0..BEGUN).all(|_| ask("192.0.2.1", NOW)));
        assert!(!ask("192.0.2.1", NOW.plus(WINDOW_MS)) && !ask("::ffff:192.0.2.1", NOW));
        assert!(ask("192.0.2.2", NOW) && ask("192.0.2.1", NOW.plus(WINDOW_MS + 1)));
        assert!(bounds.ask(Open::Claim, "192.0.2.1".parse().unwrap(), NOW).is_ok(), "they are counted apart");
        assert!((0..BEGUN).all(|_| ask("2001:db8::1", NOW)) && !ask("2001:db8::2", NOW));
    }

    #[test]
    fn wrong_codes_are_few_and_right_ones_as_many_as_there_are() {
        let bounds = Bounds::default();
        let organization = OrganizationId::from_uuid(Uuid::from_u128(1));
        let who = |caller| Guesser { caller: Uuid::from_u128(caller), organization };
        for _ in 0..100 {
            assert!(bounds.try_code(who(2), NOW).is_ok());
            bounds.was_right(who(2));
        }
        for caller in [2, 3, 4] {
            assert!((0..WRONG_CODES).all(|_| bounds.try_code(who(caller), NOW).is_ok()), "{caller}");
        }
        assert!(bounds.try_code(who(2), NOW).is_err());
        assert!(bounds.try_code(who(5), NOW).is_err(), "all of them together guessed enough");
        let stranger = Guesser { organization: OrganizationId::from_uuid(Uuid::from_u128(9)), ..who(8) };
        assert!(bounds.try_code(stranger, NOW).is_ok());
        assert!(bounds.try_code(who(5), NOW.plus(WINDOW_MS + 1)).is_ok());
    }

    #[test]
    fn what_strangers_make_up_is_bounded() {
        let bounds = Bounds::default();
        for bits in 0..2 * REMEMBERED as u32 {
            let _ = bounds.ask(Open::Poll, bits.to_be_bytes().into(), NOW.plus(i64::from(bits) / 1_000));
        }
        assert!(bounds.counts().addresses.len() <= REMEMBERED);
    }
}
