//! Devices for which there may be more than what is just ordered: they came, or have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::DeviceId;
use tokio::sync::Notify;

/// Devices for which there may be more than what is just ordered. Bounded by how many devices there are.
#[derive(Debug, Default)]
pub(crate) struct Came {
    devices: Mutex<Waiting>,
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// These listen from now on.
    came: BTreeMap<DeviceId, Wanted>,
    /// These have answered, and more waits for them.
    next: BTreeSet<DeviceId>,
    /// More waits for these, and they have first to answer or to take what they were sent.
    behind: BTreeSet<DeviceId>,
}

/// What a device that came listens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) commands: bool,
    pub(super) wishes: bool,
}

impl Came {
    pub(super) fn add(&self, devices: impl IntoIterator<Item = (DeviceId, Wanted)>) {
        let mut waiting = self.lock();
        let before = waiting.came.len();
        for (device, wanted) in devices {
            let known = waiting.came.entry(device).or_default();
            known.commands |= wanted.commands;
            known.wishes |= wanted.wishes;
        }
        // Who puts back what is left of nothing must not wake itself for ever.
        if waiting.came.len() > before {
            self.changed.notify_one();
        }
    }

    pub(super) fn fall_behind(&self, device: DeviceId) {
        self.lock().behind.insert(device);
    }

    pub(super) fn answered(&self, device: DeviceId) {
        let mut waiting = self.lock();
        if waiting.behind.remove(&device) {
            waiting.next.insert(device);
            self.changed.notify_one();
        }
    }

    /// Those that are behind are tried again, whether they answered or not.
    pub(super) fn retry(&self) {
        let mut waiting = self.lock();
        let mut behind = std::mem::take(&mut waiting.behind);
        waiting.next.append(&mut behind);
    }

    /// Whether more waits for a device, which has to come before anything new.
    pub(super) fn has(&self, device: DeviceId) -> bool {
        let waiting = self.lock();
        let came = waiting.came.get(&device).is_some_and(|wanted| wanted.commands);
        came || waiting.next.contains(&device) || waiting.behind.contains(&device)
    }

    /// Those that came, and those that have answered.
    pub(super) fn take(&self) -> (BTreeMap<DeviceId, Wanted>, BTreeSet<DeviceId>) {
        let mut waiting = self.lock();
        let came = std::mem::take(&mut waiting.came);
        let mut next = std::mem::take(&mut waiting.next);
        for device in came.iter().filter(|(_, wanted)| wanted.commands).map(|(device, _)| device) {
            // It begins anew.
            waiting.behind.remove(device);
            next.remove(device);
        }
        (came, next)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use protocol::Timestamp;

    use super::*;

    #[test]
    fn only_who_came_wakes_the_one_who_tells() {
        let came = Came::default();
        let wakes = || came.changed.notified().now_or_never().is_some();
        came.add([]);
        assert!(!wakes(), "nothing was left to put back");
        let device = DeviceId::new(Timestamp(1), [2; 10]);
        came.add([(device, Wanted { commands: true, wishes: false })]);
        assert!(wakes() && !wakes());
        came.fall_behind(device);
        assert!(came.has(device));
        came.add(came.take().0);
        assert!(wakes(), "who could not be looked after is put back");
        assert_eq!(came.take().0.len(), 1);
        assert!(!came.has(device), "it began anew");
    }

    #[test]
    fn who_is_behind_goes_on_with_an_answer() {
        let came = Came::default();
        let device = DeviceId::new(Timestamp(1), [2; 10]);
        let next = || came.take().1.into_iter().collect::<Vec<_>>();
        came.answered(device);
        assert!(!came.has(device) && next().is_empty(), "nothing more waits for it");
        came.fall_behind(device);
        assert!(came.has(device) && next().is_empty());
        came.answered(device);
        assert!(came.has(device), "until it is looked after");
        assert_eq!(next(), [device]);
        came.fall_behind(device);
        came.retry();
        assert_eq!(next(), [device]);
        assert!(!came.has(device));
    }
}
