//! Who read what about single subjects. A reader who asks page after page is written down once a minute.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use protocol::{Timestamp, VenueId};
use uuid::Uuid;

use super::What;

/// How long one entry stands for all that the same caller reads of the same.
const STANDS_MS: i64 = 60_000;
/// So many are kept in mind; beyond, those whose time is over go, and if none is, each read is an entry of its own.
const REMEMBERED: usize = 10_000;

/// What was read lately and is written down already, shared by all handlers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads(Arc<Mutex<HashMap<Read, Timestamp>>>);

/// A caller's key or grant, what they read, and of which venue.
type Read = (Uuid, What, Option<VenueId>);

impl Reads {
    /// Whether a read is to be written down.
    pub(super) fn is_news(&self, caller: Uuid, what: What, venue: Option<VenueId>, now: Timestamp) -> bool {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back must not keep anything from being written.
        let stands = |at: Timestamp| (0..STANDS_MS).contains(&now.since(at));
        let read = (caller, what, venue);
        if reads.get(&read).is_some_and(|at| stands(*at)) {
            return false;
        }
        if reads.len() >= REMEMBERED {
            reads.retain(|_, at| stands(*at));
        }
        if reads.len() < REMEMBERED {
            reads.insert(read, now);
        }
        true
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reads {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Reads, Infallible> {
        Ok(parts.extensions.get::<Reads>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    #[test]
    fn a_read_is_news_once_a_minute_for_each_caller_thing_and_venue() {
        let reads = Reads::default();
        let [ann, ben] = [1, 2].map(Uuid::from_u128);
        let [shop, hall] = [3, 4].map(|id| Some(VenueId::from_uuid(Uuid::from_u128(id))));
        assert!(reads.is_news(ann, What::StaysRead, shop, NOW));
        assert!(!reads.is_news(ann, What::StaysRead, shop, NOW.plus(STANDS_MS - 1)));
        assert!(reads.is_news(ben, What::StaysRead, shop, NOW));
        assert!(reads.is_news(ann, What::StaysRead, hall, NOW));
        assert!(reads.is_news(ann, What::MovementsRead, shop, NOW));
        assert!(reads.is_news(ann, What::StaysRead, shop, NOW.plus(STANDS_MS)));
        assert!(reads.is_news(ann, What::StaysRead, hall, NOW.minus(1)), "the clock went back");
    }

    #[test]
    fn what_is_kept_in_mind_is_bounded_and_nothing_goes_unwritten() {
        let reads = Reads::default();
        let caller = |number: usize| Uuid::from_u128(number as u128);
        for number in 0..=REMEMBERED {
            assert!(reads.is_news(caller(number), What::StaysRead, None, NOW));
        }
        assert!(reads.is_news(caller(REMEMBERED), What::StaysRead, None, NOW), "there was no room for it");
        let later = NOW.plus(STANDS_MS);
        assert!(reads.is_news(caller(REMEMBERED), What::StaysRead, None, later));
        assert!(!reads.is_news(caller(REMEMBERED), What::StaysRead, None, later), "now there is");
        assert_eq!(reads.0.lock().unwrap().len(), 1);
    }
}
