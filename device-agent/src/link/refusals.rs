//! What the platform refuses for good, said once and then now and then: a device that is placed nowhere has every batch
//! refused, every two seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Reason;
use tracing::warn;

use crate::spool::Loss;

/// The least time between two lines for the same reason.
const PAUSE: Duration = Duration::from_mins(10);

/// What was refused since it was said last, by reason. There are no more reasons than the protocol has.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<Reason, Tally>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    batches: u64,
    pings: u64,
    /// When it may be said again, in elapsed time.
    due: Duration,
}

impl Refusals {
    /// Says what was lost, as far as it is time to.
    pub(super) fn tell(&mut self, losses: &[Loss], now: Duration) {
        for loss in losses {
            if let Some(Tally { batches, pings, .. }) = self.note(*loss, now) {
                warn!(reason = %loss.reason, batches, pings, "the platform refused what was sent");
            }
        }
    }

    /// Counts a loss; gives what was counted if it is to be said now.
    fn note(&mut self, loss: Loss, now: Duration) -> Option<Tally> {
        let tally = self.0.entry(loss.reason).or_default();
        tally.batches += loss.batches;
        tally.pings += loss.pings;
        if now < tally.due {
            return None;
        }
        Some(std::mem::replace(tally, Tally { due: now + PAUSE, ..Tally::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn each_reason_is_said_at_once_and_then_every_ten_minutes_with_what_came_between() {
        let mut refusals = Refusals::default();
        let batch = Loss { reason: Reason::NotPlaced, batches: 1, pings: 0 };
        let pings = Loss { reason: Reason::TooOld, batches: 0, pings: 3 };
        let mut said = Vec::new();
        for second in (0..=1_200).step_by(2) {
            let told = refusals.note(batch, s(second)).map(|tally| (second, tally.batches, tally.pings));
            said.extend(told);
        }
        assert_eq!(said, [(0, 1, 0), (600, 300, 0), (1_200, 300, 0)]);
        let other = refusals.note(pings, s(1_201)).map(|tally| (tally.batches, tally.pings));
        assert_eq!(other, Some((0, 3)), "another reason waits for nobody");
    }
}
