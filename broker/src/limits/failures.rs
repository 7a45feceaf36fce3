//! Wrong passwords: each makes the answer to the next one slower, for its address and for the name it tried.
//!
//! Only refusals wait. Whoever has the right password is let in at once, so nobody can lock a device out by guessing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::DeviceId;
use tokio::time::Instant;

/// How long the answer to the second wrong password in a row waits; it doubles with each.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// After so long without one, all is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(10);
/// Names and addresses that are remembered; above it, the answer to all waits as long as it may.
const REMEMBERED: usize = 100_000;

/// The latest failures.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    recent: Mutex<HashMap<Who, (u32, Instant)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Device(DeviceId),
}

impl Failures {
    /// Notes a wrong password; answers how long its refusal should wait.
    pub(crate) fn note(&self, address: IpAddr, device: Option<DeviceId>, now: Instant) -> Duration {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let all = [Some(Who::Address(address)), device.map(Who::Device)];
        all.into_iter()
            .flatten()
            .map(|who| {
                if recent.len() >= REMEMBERED && !recent.contains_key(&who) {
                    return LONGEST;
                }
                let (count, last) = recent.entry(who).or_insert((0, now));
                if now.saturating_duration_since(*last) > FORGOTTEN {
                    *count = 0;
                }
                (*count, *last) = (count.saturating_add(1), now);
                if *count == 1 { Duration::ZERO } else { (FIRST * (1 << (*count - 2).min(10))).min(LONGEST) }
            })
            .max()
            .unwrap_or_default()
    }

    pub(super) fn sweep(&self, now: Instant) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, (_, last)| now.saturating_duration_since(*last) <= FORGOTTEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_password_waits_longer_by_address_and_by_name() {
        let failures = Failures::default();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let (now, device) = (Instant::now(), DeviceId::from_uuid(uuid::Uuid::nil()));
        let waits: Vec<_> = (0..9).map(|_| failures.note(address(1), None, now).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(failures.note(address(2), Some(device), now), Duration::ZERO);
        assert_eq!(failures.note(address(3), Some(device), now), FIRST, "the name, from another address");
        let later = now + FORGOTTEN + Duration::from_secs(1);
        assert_eq!(failures.note(address(1), None, later), Duration::ZERO);
        failures.sweep(later + FORGOTTEN * 2);
        assert!(failures.recent.lock().expect("free").is_empty());
    }
}
