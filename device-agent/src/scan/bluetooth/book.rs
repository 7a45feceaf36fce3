//! The addresses in the air, and what is known of each: bounded, and forgotten by time.
//!
//! Phones change their address every quarter of an hour, and nothing says that one will not come back. So an address that
//! was not heard for a while is forgotten, and when there are too many the longest unheard go first: a day of crowded air
//! takes no more memory than a minute of it.

use std::collections::HashMap;
use std::time::Duration;

use protocol::Identifier;

/// Addresses that are remembered: in some hundred kilobytes, the senders of a full hall.
pub(super) const MOST: usize = 2_048;

/// A device address, most significant byte first.
pub(super) type Address = [u8; 6];

/// What is known of an address.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// When it was heard last, in elapsed time.
    seen: Duration,
    /// The level it was heard at last, in dBm.
    pub(super) rssi: Option<i8>,
    /// Whether its address is random; not known before BlueZ was asked.
    pub(super) random: Option<bool>,
    /// How it speaks.
    pub(super) manner: Manner,
    /// The identifier that it sent last, if that is reported.
    pub(super) id: Option<Identifier>,
}

/// How an address speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// Not known yet.
    #[default]
    Unknown,
    /// It sends no frame of a beacon.
    Plain,
    /// It sends frames of a beacon.
    Beacon,
}

/// The addresses.
#[derive(Debug)]
pub(super) struct Book {
    entries: HashMap<Address, Entry>,
    forget: Duration,
    forget_at: Duration,
}

impl Book {
    /// An empty book that forgets what was not heard for so long.
    pub(super) fn new(forget: Duration) -> Self {
        Self { entries: HashMap::new(), forget, forget_at: Duration::ZERO }
    }

    /// The address, heard now.
    pub(super) fn hear(&mut self, address: Address, elapsed: Duration) -> &mut Entry {
        if elapsed >= self.forget_at {
            self.forget_at = elapsed + self.forget / 4;
            self.keep_after(elapsed.saturating_sub(self.forget));
        }
        if self.entries.len() >= MOST && !self.entries.contains_key(&address) {
            self.make_room();
        }
        let entry = self.entries.entry(address).or_default();
        entry.seen = elapsed;
        entry
    }

    /// The address, if it is known.
    pub(super) fn get(&self, address: Address) -> Option<&Entry> {
        self.entries.get(&address)
    }

    /// Forgets the quarter that was not heard for longest, so that this is not to be done for each new one.
    fn make_room(&mut self) {
        let mut seen: Vec<Duration> = self.entries.values().map(|entry| entry.seen).collect();
        let (_, &mut last, _) = seen.select_nth_unstable(MOST / 4);
        self.keep_after(last);
        // All of them were heard at the same moment: no one of them is better than another.
        if self.entries.len() >= MOST {
            self.entries.clear();
        }
    }

    fn keep_after(&mut self, moment: Duration) {
        self.entries.retain(|_, entry| entry.seen > moment || moment.is_zero());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        let [_, _, address @ ..] = (0x4000_0000_0000_u64 + u64::from(n)).to_be_bytes();
        address
    }

    #[test]
    fn what_was_not_heard_for_a_while_is_forgotten() {
        let mut book = Book::new(Duration::from_mins(15));
        book.hear(address(1), Duration::from_secs(1)).rssi = Some(-60);
        for minute in 1..=30 {
            book.hear(address(2), Duration::from_mins(minute));
            let known = book.get(address(1)).is_some();
            assert!(known || minute > 15, "minute {minute}");
            assert!(!known || minute < 20, "minute {minute}");
        }
        assert_eq!(book.len(), 1);
        assert_eq!(book.hear(address(1), Duration::from_mins(31)).rssi, None, "it is a new one");
    }

    #[test]
    fn the_longest_unheard_make_room() {
        let mut book = Book::new(Duration::from_hours(24));
        for n in 0..MOST as u32 {
            book.hear(address(n), Duration::from_millis(n.into()));
        }
        book.hear(address(0), Duration::from_mins(1));
        book.hear(address(u32::MAX), Duration::from_mins(1));
        assert!(book.len() < MOST);
        for (n, known) in [(0, true), (1, false), (MOST as u32 - 1, true), (u32::MAX, true)] {
            assert_eq!(book.get(address(n)).is_some(), known, "{n}");
        }
    }

    #[test]
    fn a_crowd_of_one_moment_is_bounded_too() {
        let mut book = Book::new(Duration::from_hours(24));
        for n in 0..10 * MOST as u32 {
            book.hear(address(n), Duration::from_secs(9));
            assert!(book.len() <= MOST);
        }
    }
}
