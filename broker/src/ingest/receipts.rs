//! Receipts: the platform's word to a reporter, at most one a second for each boot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Boot, DeviceId, Receipt, Refused, Topic};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::access::NOBODY;
use crate::codec::Qos;
use crate::message::Message;
use crate::sessions::Sessions;

const INTERVAL: Duration = Duration::from_secs(1);
/// More refusals than this between two receipts are not listed one by one; `through` still covers them.
const LISTED: usize = 500;
/// A boot that was not heard from for this long is forgotten here; the next batch brings it back.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// The receipts that are owed.
pub(crate) struct Receipts {
    sessions: Arc<Sessions>,
    owed: Mutex<HashMap<(DeviceId, Option<Boot>), Owed>>,
}

#[derive(Debug)]
struct Owed {
    through: Option<u64>,
    refused: Vec<Refused>,
    /// Something is to be said.
    due: bool,
    said_at: Option<Instant>,
    heard_at: Instant,
}

/// What became of batches of one boot; `boot` is none where no number could be read.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) device: DeviceId,
    pub(super) boot: Option<Boot>,
    pub(super) through: Option<u64>,
    pub(super) refused: Vec<Refused>,
}

impl Receipts {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, owed: Mutex::default() }
    }

    /// Takes in what was just committed or refused, and says at once what may be said at once.
    pub(super) fn note(&self, notes: impl IntoIterator<Item = Note>) {
        let now = Instant::now();
        let mut ready = Vec::new();
        let mut owed = self.lock();
        for Note { device, boot, through, refused } in notes {
            let entry = owed.entry((device, boot)).or_insert_with(|| Owed::new(now));
            entry.through = through.or(entry.through);
            // What should come again is named anew by each note, all of it; some of it may have come since the last one.
            entry
                .refused
                .retain(|known| !matches!(known, Refused::Batches { reason, .. } if reason.is_retryable()));
            for refused in refused {
                if entry.refused.len() < LISTED && !entry.refused.contains(&refused) {
                    entry.refused.push(refused);
                }
            }
            entry.due = true;
            entry.heard_at = now;
            ready.extend(entry.say((device, boot), now));
        }
        drop(owed);
        self.send(ready);
    }

    /// Says again what was last said to a device, as soon as the pace allows.
    pub(crate) fn repeat(&self, device: DeviceId) {
        let now = Instant::now();
        let mut ready = Vec::new();
        let mut owed = self.lock();
        for (key, entry) in owed.iter_mut().filter(|((of, boot), _)| *of == device && boot.is_some()) {
            entry.due = true;
            ready.extend(entry.say(*key, now));
        }
        drop(owed);
        self.send(ready);
    }

    /// Sends what had to wait, until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut tick = interval(INTERVAL / 4);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => return,
            }
            let now = Instant::now();
            let mut ready = Vec::new();
            self.lock().retain(|key, entry| {
                ready.extend(entry.say(*key, now));
                entry.due || now.duration_since(entry.heard_at) < FORGOTTEN
            });
            self.send(ready);
        }
    }

    fn send(&self, ready: Vec<(DeviceId, Receipt)>) {
        for (device, receipt) in ready {
            let topic = Topic::Receipts(device).to_string();
            let body = serde_json::to_vec(&receipt).unwrap_or_default();
            let message = Message::of_platform(NOBODY, &topic, &body, Qos::AtMostOnce, false);
            self.sessions.deliver_to_device(device, &message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(DeviceId, Option<Boot>), Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owed {
    fn new(now: Instant) -> Self {
        Self { through: None, refused: Vec::new(), due: false, said_at: None, heard_at: now }
    }

    /// The receipt, if one is due and the last is a second old.
    fn say(&mut self, (device, boot): (DeviceId, Option<Boot>), now: Instant) -> Option<(DeviceId, Receipt)> {
        if !self.due || self.said_at.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            return None;
        }
        self.due = false;
        self.said_at = Some(now);
        let refused = self.refused.clone();
        // What should come again is said again, until a note no longer names it.
        self.refused
            .retain(|known| matches!(known, Refused::Batches { reason, .. } if reason.is_retryable()));
        Some((device, Receipt { boot, through: self.through, refused }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_a_second_and_nothing_is_left_out() {
        let start = Instant::now();
        let key = (DeviceId::from_uuid(uuid::Uuid::nil()), "b".parse().ok());
        let mut owed = Owed::new(start);
        assert!(owed.say(key, start).is_none(), "nothing to say");
        (owed.due, owed.through) = (true, Some(3));
        assert_eq!(owed.say(key, start).map(|(_, receipt)| receipt.through), Some(Some(3)));
        (owed.due, owed.through) = (true, Some(4));
        assert!(owed.say(key, start + INTERVAL / 2).is_none(), "too soon");
        assert_eq!(owed.say(key, start + INTERVAL).map(|(_, receipt)| receipt.through), Some(Some(4)));
        assert!(owed.say(key, start + INTERVAL * 5).is_none(), "said already");
    }
}
