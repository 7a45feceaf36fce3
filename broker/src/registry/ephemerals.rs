//! From an identifier that changes to the device that sent it.
//!
//! Every key makes another identifier for each window of its time, so they are computed ahead into tables: one for each rotation
//! exponent and slot of time, when a ping of that time comes. What is heard now needs two or three tables; a backlog needs more,
//! and what one batch may have computed for it is bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::beacon::{Eids, IdentityKey, Rotation};
use protocol::{DeviceId, Timestamp};

/// Windows in a slot: 2^this. More of them make tables rarer and larger.
const SLOT_EXPONENT: u8 = 2;
/// Identifiers kept in all tables together; above that the oldest tables go. Some tens of MiB.
const MOST_KEPT: usize = 500_000;
/// What a table counts for at least, however few identifiers are in it.
const LEAST_OF_A_TABLE: usize = 8;

/// The keys of this installation, and the tables that are at hand.
#[derive(Debug, Default)]
pub(super) struct Ephemerals {
    /// By rotation exponent.
    keys: BTreeMap<u8, HashMap<DeviceId, Arc<Ephemeral>>>,
    tables: Mutex<Tables>,
}

/// What makes the identifiers of one device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ephemeral {
    pub(super) device: DeviceId,
    pub(super) key: IdentityKey,
    pub(super) rotation: Rotation,
}

/// What may still be computed for one batch.
#[derive(Debug)]
pub(crate) struct Effort(usize);

/// Identifiers of one slot, each with whose it is and in which window.
type Table = HashMap<[u8; 8], (Arc<Ephemeral>, u32)>;
/// A rotation exponent, and which slot of it.
type Slot = (u8, i64);

#[derive(Debug, Default)]
struct Tables {
    by_slot: HashMap<Slot, Arc<Table>>,
    /// In the order in which they were computed.
    order: VecDeque<Slot>,
    identifiers: usize,
}

impl Effort {
    /// For one batch: some 30 ms of it.
    pub(crate) const BATCH: usize = 200_000;

    pub(crate) fn new(identifiers: usize) -> Self {
        Self(identifiers)
    }

    /// As how many pings it counts against what the device may send: as much work.
    pub(crate) fn in_pings(&self) -> usize {
        Self::BATCH.saturating_sub(self.0) / 200
    }

    /// Whether nothing more is computed: what is not in a table yet stays unresolved.
    pub(crate) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

impl Ephemerals {
    /// The device that sent `eid` at `at`.
    pub(super) fn device_of(&self, eid: [u8; 8], at: Timestamp, effort: &mut Effort) -> Option<DeviceId> {
        self.keys.iter().find_map(|(exponent, keys)| {
            let slot_ms = 1_000_i64 << (exponent + SLOT_EXPONENT);
            let slot = (*exponent, at.0.div_euclid(slot_ms));
            let table = self.at_hand(slot).or_else(|| self.compute(slot, slot_ms, keys, effort))?;
            let (ephemeral, window) = table.get(&eid)?;
            ephemeral.rotation.windows(at, at).contains(window).then_some(ephemeral.device)
        })
    }

    /// Gives a device a key, another key, or none.
    pub(super) fn put(&mut self, device: DeviceId, ephemeral: Option<Ephemeral>) {
        let known = self.keys.values().find_map(|keys| keys.get(&device));
        if known.map(AsRef::as_ref) == ephemeral.as_ref() {
            return;
        }
        self.keys.retain(|_, keys| {
            keys.remove(&device);
            !keys.is_empty()
        });
        if let Some(ephemeral) = ephemeral {
            let of_exponent = self.keys.entry(ephemeral.rotation.exponent()).or_default();
            of_exponent.insert(device, Arc::new(ephemeral));
        }
        *self.tables.get_mut().unwrap_or_else(PoisonError::into_inner) = Tables::default();
    }

    fn at_hand(&self, slot: Slot) -> Option<Arc<Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).by_slot.get(&slot).cloned()
    }

    /// Not under the lock: two may compute the same, and nobody waits for either.
    fn compute(
        &self,
        slot: Slot,
        slot_ms: i64,
        keys: &HashMap<DeviceId, Arc<Ephemeral>>,
        effort: &mut Effort,
    ) -> Option<Arc<Table>> {
        if effort.is_spent() {
            return None;
        }
        let from = Timestamp(slot.1.saturating_mul(slot_ms));
        let mut table = Table::new();
        for ephemeral in keys.values() {
            let windows = ephemeral.rotation.windows(from, from.plus(slot_ms - 1));
            for (window, eid) in Eids::new(&ephemeral.key, &ephemeral.rotation, windows) {
                table.insert(eid, (Arc::clone(ephemeral), window));
            }
        }
        effort.0 = effort.0.saturating_sub(weight(&table));
        let table = Arc::new(table);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).keep(slot, Arc::clone(&table));
        Some(table)
    }
}

/// What a table costs, in identifiers.
fn weight(table: &Table) -> usize {
    table.len().max(LEAST_OF_A_TABLE)
}

impl Tables {
    fn keep(&mut self, slot: Slot, table: Arc<Table>) {
        self.identifiers += weight(&table);
        match self.by_slot.insert(slot, table) {
            Some(same) => self.identifiers -= weight(&same),
            None => self.order.push_back(slot),
        }
        while self.identifiers > MOST_KEPT && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|slot| self.by_slot.remove(&slot));
            self.identifiers -= oldest.map_or(0, |table| weight(&table));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);
    const DAY: i64 = 86_400_000;

    fn device(number: u8) -> DeviceId {
        DeviceId::new(Timestamp(1), [number; 10])
    }

    fn ephemeral(number: u8, exponent: u8, counter: u32) -> Ephemeral {
        let rotation = Rotation::new(exponent, counter, NOW).unwrap();
        Ephemeral { device: device(number), key: IdentityKey::new([number; 16]), rotation }
    }

    /// What the device sends when its counter stands there.
    fn sent(of: &Ephemeral, counter: u32) -> [u8; 8] {
        let window = counter >> of.rotation.exponent();
        Eids::new(&of.key, &of.rotation, window..=window).next().unwrap().1
    }

    #[test]
    fn an_identifier_is_resolved_in_its_time_and_one_window_around_it() {
        let mut ephemerals = Ephemerals::default();
        let first = ephemeral(1, 10, 10_000_000);
        let (now, other) = (sent(&first, 10_000_000), ephemeral(2, 4, 70_000));
        let quick = sent(&other, 70_000);
        ephemerals.put(first.device, Some(first));
        ephemerals.put(other.device, Some(other));
        let find = |eid, at| ephemerals.device_of(eid, at, &mut Effort::new(Effort::BATCH));
        assert_eq!(find(now, NOW), Some(device(1)));
        assert_eq!(find(quick, NOW), Some(device(2)));
        // 10,000,000 stands 640 s into its window of 1,024 s.
        for (seconds, found) in [(-1_665, false), (-1_664, true), (1_407, true), (1_408, false)] {
            assert_eq!(find(now, NOW.plus(seconds * 1_000)).is_some(), found, "{seconds} s off");
        }
        assert_eq!(find(quick, NOW.plus(60_000)), None);
        assert_eq!(find([0; 8], NOW), None);
    }

    #[test]
    fn what_was_heard_days_ago_is_resolved_for_its_own_time() {
        let mut ephemerals = Ephemerals::default();
        let one = ephemeral(1, 8, 10_000_000);
        let old = sent(&one, 10_000_000 - 7 * 86_400);
        ephemerals.put(one.device, Some(one));
        let mut effort = Effort::new(Effort::BATCH);
        assert_eq!(ephemerals.device_of(old, NOW.minus(7 * DAY), &mut effort), Some(device(1)));
        assert_eq!(ephemerals.device_of(old, NOW, &mut effort), None);
    }

    #[test]
    fn work_for_one_batch_is_bounded_and_tables_too() {
        let mut ephemerals = Ephemerals::default();
        let one = ephemeral(1, 0, 10_000_000);
        let (now, before) = (sent(&one, 10_000_000), sent(&one, 9_000_000));
        ephemerals.put(one.device, Some(one));
        let mut effort = Effort::new(1);
        assert_eq!(ephemerals.device_of(now, NOW, &mut effort), Some(device(1)));
        assert!(effort.is_spent());
        assert_eq!(
            ephemerals.device_of(before, NOW.minus(1_000_000_000), &mut effort),
            None,
            "nothing is left"
        );
        assert_eq!(
            ephemerals.device_of(now, NOW, &mut effort),
            Some(device(1)),
            "what is at hand costs nothing"
        );
        let (mut tables, whose) = (Tables::default(), Arc::new(ephemeral(1, 0, 0)));
        for slot in 0..10 {
            let entry = |eid: u32| (u64::from(eid).to_be_bytes(), (Arc::clone(&whose), 0));
            tables.keep((0, slot), Arc::new((0..MOST_KEPT as u32 / 4).map(entry).collect()));
        }
        assert_eq!((tables.by_slot.len(), tables.order.len()), (4, 4));
        assert_eq!(tables.identifiers, MOST_KEPT);
    }

    #[test]
    fn another_key_replaces_the_one_before() {
        let mut ephemerals = Ephemerals::default();
        let before = sent(&ephemeral(1, 10, 5_000), 5_000);
        ephemerals.put(device(1), Some(ephemeral(1, 10, 5_000)));
        let find =
            |ephemerals: &Ephemerals, eid| ephemerals.device_of(eid, NOW, &mut Effort::new(Effort::BATCH));
        assert_eq!(find(&ephemerals, before), Some(device(1)));
        let next = Ephemeral { device: device(1), ..ephemeral(9, 12, 5_000) };
        let after = sent(&next, 5_000);
        ephemerals.put(device(1), Some(next));
        assert_eq!((find(&ephemerals, before), find(&ephemerals, after)), (None, Some(device(1))));
        ephemerals.put(device(1), None);
        assert_eq!(find(&ephemerals, after), None);
        assert!(ephemerals.keys.is_empty());
    }
}
