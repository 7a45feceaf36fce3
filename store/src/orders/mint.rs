//! Ids of commands that order as the commands were given, those of one millisecond too.

use std::sync::{Mutex, PoisonError};

use protocol::{CommandId, Timestamp};

/// A clock that is set back by less than this is waited for; by more, ids begin again at what it says.
const PATIENCE_MS: i64 = 1_000;

/// The last id's time and random part.
#[derive(Debug, Default)]
pub(super) struct Mint(Mutex<(Timestamp, [u8; 10])>);

impl Mint {
    /// The next id: within a millisecond its random part counts on (RFC 9562 section 6.2, method 2).
    pub(super) fn next(&self, now: Timestamp, mut random: [u8; 10]) -> CommandId {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, before) = *last;
        if at < now || now.plus(PATIENCE_MS) < at {
            // What is counted has 62 bits, and begins in the lower half of them.
            random[2] &= 0x1f;
            *last = (now, random);
        } else {
            let [_, _, counter @ ..] = before;
            let counter = u64::from_be_bytes(counter).wrapping_add(1);
            last.1[2..].copy_from_slice(&counter.to_be_bytes());
        }
        CommandId::new(last.0, last.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_over_small_steps_back() {
        let mint = Mint::default();
        let mut ids: Vec<CommandId> = Vec::new();
        for (now, random) in [(5, 0xff), (5, 0x00), (5, 0x80), (4, 0x00), (6, 0x00), (6, 0xff), (5, 0x01)] {
            ids.push(mint.next(Timestamp(1_000 + now), [random; 10]));
        }
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    }

    #[test]
    fn a_clock_that_is_set_right_is_followed() {
        let mint = Mint::default();
        let wrong = mint.next(Timestamp(90_000_000), [1; 10]);
        let right = mint.next(Timestamp(1_000), [2; 10]);
        assert!(right < wrong);
    }
}
