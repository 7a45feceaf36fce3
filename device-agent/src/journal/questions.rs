//! What can be asked of the journal.

use std::cmp::Reverse;

use protocol::{CommandId, Timestamp};

use super::{Entry, Journal};

impl Journal {
    /// The version of the last desired twin that was followed.
    pub fn followed(&self) -> Option<u64> {
        self.followed
    }

    /// What is known of a command.
    pub fn get(&self, id: CommandId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// The command that waits longest to be run.
    pub fn next_waiting(&self) -> Option<(CommandId, &Entry)> {
        let id = *self.waiting.first_key_value()?.1;
        Some((id, self.entries.get(&id)?))
    }

    /// How many commands wait to be run.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many answers give something back that the platform does not have yet.
    pub fn results(&self) -> usize {
        self.entries.values().filter(|entry| entry.ack.result.is_some()).count()
    }

    /// Whether the disk has all that is known here; before that nothing of it may be told.
    pub fn is_sound(&self) -> bool {
        self.file.is_sound()
    }

    /// Whether an order with this nonce and this signed deadline was accepted, or may have been as its like is forgotten.
    pub fn may_have_run(&self, nonce: &str, until: Timestamp) -> bool {
        let mut known = self.entries.values().filter_map(|entry| entry.terms.nonce.as_ref());
        self.spent.is_some_and(|spent| until <= spent) || known.any(|known| known.text == nonce)
    }

    /// The commands that came last, the latest first.
    pub fn latest(&self) -> Vec<(CommandId, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(&id, entry)| (id, entry)).collect();
        entries.sort_unstable_by_key(|(_, entry)| Reverse(entry.number));
        entries
    }

    /// The commands whose last answer is not acknowledged, in the order in which they came.
    pub fn unacknowledged(&self) -> Vec<CommandId> {
        let waiting = self.entries.iter().filter(|(_, entry)| !entry.acknowledged);
        let mut waiting: Vec<(u64, CommandId)> = waiting.map(|(&id, entry)| (entry.number, id)).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, id)| id).collect()
    }
}
