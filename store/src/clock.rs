//! Where the time comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::Timestamp;

/// The one source of "now" for servers: the system's, or one that a test or a simulation turns.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Unix milliseconds that somebody else sets.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until it is set.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.0)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(system_now()),
            Self::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now() -> i64 {
    // A machine whose clock stands before 1970 has not been told the time yet.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_set() {
        let clock = Clock::manual(Timestamp(7));
        assert_eq!(clock.now(), Timestamp(7));
        let Clock::Manual(hand) = &clock else { unreachable!() };
        hand.store(9, Ordering::SeqCst);
        assert_eq!(clock.clone().now(), Timestamp(9));
    }

    #[test]
    fn the_system_clock_is_past_2026() {
        assert!(Clock::System.now() > Timestamp(1_767_225_600_000));
    }
}
