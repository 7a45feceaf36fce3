//! The loss ledger: which batches of a device were refused, why and when, so that exactly those can be sent again.
//!
//! A row is a run of numbers of one boot that were refused for one cause. It is written in the transaction of the group
//! that refused them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use protocol::{Boot, DeviceId, OrganizationId, Reason, Timestamp};
use store::{Loss, Store, StoreError};

/// Above this many boots in memory, those without a change to write are let go; the store still knows them.
const SWEEP_ABOVE: usize = 10_000;
/// Runs of one boot that are kept apart. A device whose numbers jump has its last run widened from there on: it is broken, or
/// means harm, and must not cost more with each refusal.
const RUNS: usize = 1_000;
/// Where no number could be read, a row counts those of one hour, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

type Key = (DeviceId, Option<Boot>);

/// The runs that may still grow or be made good.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    boots: HashMap<Key, Vec<Loss>>,
    /// What changed since the last commit, by the place in its boot's list.
    dirty: HashSet<(Key, usize)>,
}

impl Ledger {
    /// A new group begins; what the last one changed is written.
    pub(super) fn begin(&mut self) {
        self.dirty.clear();
        if self.boots.len() > SWEEP_ABOVE {
            self.boots.clear();
        }
    }

    /// Reads what the store knows of a boot, the first time.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        organization: OrganizationId,
        key: Key,
    ) -> Result<(), StoreError> {
        if let Entry::Vacant(place) = self.boots.entry(key) {
            place.insert(store.open_losses(organization, key.0, key.1).await?);
        }
        Ok(())
    }

    /// Batch `seq` of a boot that was read was refused.
    pub(super) fn refuse(
        &mut self,
        organization: OrganizationId,
        key: Key,
        cause: Reason,
        seq: u64,
        now: Timestamp,
    ) {
        let losses = self.boots.entry(key).or_default();
        let numbered = key.1.is_some();
        let same = |loss: &Loss| {
            let next = numbered && seq <= loss.to.saturating_add(1) && seq >= loss.from;
            let same_hour = !numbered && now.since(loss.first_at) < HOUR_MS;
            loss.cause == cause && (next || same_hour)
        };
        let widened = || {
            let is_full = losses.len() >= RUNS;
            losses.iter().rposition(|loss| loss.cause == cause).filter(|_| is_full)
        };
        let index = losses.iter().rposition(same).or_else(widened).unwrap_or_else(|| {
            let (device, boot) = key;
            let (batches, recovered) = (0, 0);
            let at = now;
            let loss = Loss {
                organization,
                device,
                boot,
                cause,
                from: seq,
                to: seq,
                batches,
                recovered,
                first_at: at,
                last_at: at,
            };
            losses.push(loss);
            losses.len() - 1
        });
        let loss = &mut losses[index];
        if !numbered || loss.batches == 0 || seq > loss.to || seq < loss.from {
            loss.batches += 1; // refused for the first time
        }
        loss.to = loss.to.max(seq);
        loss.last_at = now;
        self.dirty.insert((key, index));
    }

    /// Batch `seq` was refused before and is accepted now.
    pub(super) fn recover(&mut self, key: Key, seq: u64) {
        let Some(losses) = self.boots.get_mut(&key) else { return };
        let found =
            losses.iter().position(|loss| loss.cause.is_retryable() && (loss.from..=loss.to).contains(&seq));
        if let Some(index) = found {
            let loss = &mut losses[index];
            loss.recovered = (loss.recovered + 1).min(loss.batches);
            self.dirty.insert((key, index));
        }
    }

    /// The rows that changed.
    pub(super) fn rows(&self) -> Vec<Loss> {
        let row = |(key, index): &(Key, usize)| self.boots.get(key)?.get(*index).copied();
        self.dirty.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Limit;

    const LIMITED: Reason = Reason::RateLimited(Limit::PingsPerMinute);

    fn key(boot: Option<&str>) -> Key {
        (DeviceId::from_uuid(uuid::Uuid::nil()), boot.map(|boot| boot.parse().expect("a boot")))
    }

    fn refuse(ledger: &mut Ledger, boot: Option<&str>, cause: Reason, seq: u64, at: i64) {
        let organization = OrganizationId::from_uuid(uuid::Uuid::nil());
        ledger.refuse(organization, key(boot), cause, seq, Timestamp(at));
    }

    fn rows(ledger: &Ledger) -> Vec<(Reason, u64, u64, u64, u64, i64, i64)> {
        let mut rows: Vec<_> = ledger
            .rows()
            .iter()
            .map(|l| (l.cause, l.from, l.to, l.batches, l.recovered, l.first_at.0, l.last_at.0))
            .collect();
        rows.sort_by_key(|row| (row.1, row.2));
        rows
    }

    #[test]
    fn refusals_one_after_the_other_are_one_run() {
        let mut ledger = Ledger::default();
        for (seq, at) in [(4, 10), (5, 20), (6, 30), (5, 40), (9, 50)] {
            refuse(&mut ledger, Some("b"), LIMITED, seq, at);
        }
        refuse(&mut ledger, Some("b"), Reason::ClockSkew, 7, 60);
        let expected = [
            (LIMITED, 4, 6, 3, 0, 10, 40),
            (Reason::ClockSkew, 7, 7, 1, 0, 60, 60),
            (LIMITED, 9, 9, 1, 0, 50, 50),
        ];
        assert_eq!(rows(&ledger), expected);
        ledger.begin();
        assert!(rows(&ledger).is_empty(), "written already");
        refuse(&mut ledger, Some("b"), LIMITED, 10, 70);
        assert_eq!(rows(&ledger), [(LIMITED, 9, 10, 2, 0, 50, 70)], "it grows after a commit too");
    }

    #[test]
    fn numbers_that_jump_widen_the_last_run() {
        let mut ledger = Ledger::default();
        for number in 0..2 * RUNS as u64 {
            refuse(&mut ledger, Some("b"), LIMITED, 2 * number, 10);
        }
        let rows = rows(&ledger);
        assert_eq!(rows.len(), RUNS);
        assert_eq!(rows.iter().map(|row| row.3).sum::<u64>(), 2 * RUNS as u64, "all are counted");
        assert_eq!(rows.last().map(|row| row.2), Some(2 * (2 * RUNS as u64 - 1)));
        refuse(&mut ledger, Some("b"), Reason::ClockSkew, 7, 20);
        assert_eq!(ledger.rows().len(), RUNS + 1, "another cause has a run of its own");
    }

    #[test]
    fn what_is_accepted_later_is_made_good() {
        let mut ledger = Ledger::default();
        for seq in 4..8 {
            refuse(&mut ledger, Some("b"), LIMITED, seq, 10);
        }
        ledger.recover(key(Some("b")), 5);
        ledger.recover(key(Some("b")), 99);
        ledger.recover(key(Some("other")), 5);
        assert_eq!(rows(&ledger), [(LIMITED, 4, 7, 4, 1, 10, 10)]);
    }

    #[test]
    fn what_has_no_number_is_counted_by_the_hour() {
        let mut ledger = Ledger::default();
        for at in [0, 10, HOUR_MS - 1, HOUR_MS] {
            refuse(&mut ledger, None, Reason::Unreadable, 0, at);
        }
        let mut counts: Vec<_> = ledger.rows().iter().map(|loss| (loss.first_at.0, loss.batches)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(0, 3), (HOUR_MS, 1)]);
    }
}
