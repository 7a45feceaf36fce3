//! Which batches are on their way without a receipt.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::LinkConfig;
use crate::spool::Number;

/// How often the wait for a receipt doubles.
const DOUBLINGS: u32 = 4;

#[derive(Debug)]
pub(super) struct Window {
    batches: usize,
    most_bytes: usize,
    deadline: Duration,
    flights: BTreeMap<Number, Flight>,
    bytes: usize,
    /// The newest batch sent on this connection.
    last: Option<Number>,
}

#[derive(Debug)]
struct Flight {
    bytes: usize,
    tries: u32,
    /// When it is to be sent again, in elapsed time.
    due: Duration,
}

impl Window {
    pub(super) fn new(config: &LinkConfig) -> Self {
        Self {
            batches: config.window.into(),
            most_bytes: config.window_bytes,
            deadline: Duration::from_millis(config.receipt_deadline_ms),
            flights: BTreeMap::new(),
            bytes: 0,
            last: None,
        }
    }

    /// Nothing is on its way: a new connection begins with the oldest batch held.
    pub(super) fn clear(&mut self) {
        self.flights.clear();
        self.bytes = 0;
        self.last = None;
    }

    /// Whether one more batch may be sent; its size is not asked, so that any batch fits once.
    pub(super) fn has_room(&self) -> bool {
        self.flights.len() < self.batches && self.bytes < self.most_bytes
    }

    /// The newest batch sent on this connection: the next one to send is the one after it.
    pub(super) fn last(&self) -> Option<Number> {
        self.last
    }

    /// Notes that a batch was sent, for the first time or again.
    pub(super) fn sent(&mut self, number: Number, bytes: usize, now: Duration) {
        let tries = match self.flights.remove(&number) {
            Some(before) => {
                self.bytes -= before.bytes;
                before.tries + 1
            }
            None => 0,
        };
        let due = now + self.deadline * (1 << tries.min(DOUBLINGS));
        self.flights.insert(number, Flight { bytes, tries, due });
        self.bytes += bytes;
        self.last = self.last.max(Some(number));
    }

    /// Forgets the batches that are no longer held.
    pub(super) fn keep(&mut self, held: impl Fn(Number) -> bool) {
        self.flights.retain(|&number, flight| {
            let keep = held(number);
            if !keep {
                self.bytes -= flight.bytes;
            }
            keep
        });
    }

    /// The oldest batch whose receipt should have come.
    pub(super) fn overdue(&self, now: Duration) -> Option<Number> {
        self.flights.iter().find(|(_, flight)| flight.due <= now).map(|(&number, _)| number)
    }

    /// When the next batch will be overdue.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.flights.values().map(|flight| flight.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(seq: u64) -> Number {
        Number { age: 1, seq }
    }

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn window(batches: u16) -> Window {
        let config = LinkConfig {
            window: batches,
            window_bytes: 100,
            receipt_deadline_ms: 10_000,
            ..LinkConfig::default()
        };
        Window::new(&config)
    }

    #[test]
    fn room_is_bounded_in_batches_and_bytes() {
        let mut window = window(3);
        for seq in 0..3 {
            assert!(window.has_room());
            window.sent(number(seq), 10, s(0));
        }
        assert!(!window.has_room());
        window.keep(|other| other != number(1));
        assert!(window.has_room());
        window.sent(number(3), 80, s(0));
        window.keep(|other| other != number(0));
        assert!(window.has_room(), "90 of 100 bytes");
        window.keep(|other| other == number(3));
        window.sent(number(3), 80, s(0));
        window.sent(number(4), 1_000, s(0));
        assert!(!window.has_room());
        window.clear();
        assert!(window.has_room() && window.last().is_none());
    }

    #[test]
    fn a_missing_receipt_is_waited_for_twice_as_long_each_time() {
        let mut window = window(3);
        window.sent(number(0), 10, s(0));
        window.sent(number(1), 10, s(1));
        assert_eq!((window.overdue(s(9)), window.next_due()), (None, Some(s(10))));
        let mut now = s(10);
        for wait in [20, 40, 80, 160, 160, 160] {
            assert_eq!(window.overdue(now), Some(number(0)));
            window.sent(number(0), 10, now);
            window.keep(|other| other != number(1));
            now += s(wait);
            assert_eq!(window.next_due(), Some(now));
        }
        assert_eq!(window.last(), Some(number(1)), "a repeat is not the newest");
    }
}
