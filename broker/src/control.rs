//! What the platform and a device have to say to each other: commands and wishes to it, answers and reports from it.
//!
//! Both meet in rows. What was ordered waits in the outbox and goes to the device's connection (`tell`); what the device
//! says goes into the next commit and is acknowledged after it (`hear`), as does what services order over MQTT (`place`).

mod hear;
mod place;
mod tell;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Ack, CommandId, DeviceId, OrganizationId, Topic};
use serde_json::{Map, Value};
use store::{Author, Said};
use tokio::sync::{Notify, mpsc};

use crate::codec::reason;
use crate::connection::{Reply, Wait};
use crate::filter;
use crate::metrics::Metrics;

pub(crate) use hear::Hearing;
pub(crate) use place::{Ordered, Placing};
pub(crate) use tell::Telling;

/// What devices say that may wait for its commit before their sockets are no longer read.
const QUEUE: usize = 4_096;

/// Bytes of an ack or a report.
const MAX_SAYING: usize = 64 * 1024;

/// Where connections bring what devices say and services order, and that devices listen.
pub(crate) struct Control {
    said: mpsc::Sender<Saying>,
    ordered: mpsc::Sender<Ordered>,
    came: Arc<Came>,
    metrics: Metrics,
}

/// Which of its topics a device speaks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// How far it got with a command.
    Ack(CommandId),
    /// What it is.
    Reported,
}

/// What a device said.
#[derive(Debug)]
pub(crate) struct Saying {
    organization: OrganizationId,
    device: DeviceId,
    said: Said,
    /// Whom to answer.
    reply: Option<Reply>,
}

/// What connections bring, for those who take it further.
pub(crate) struct Brought {
    pub(crate) sayings: mpsc::Receiver<Saying>,
    pub(crate) orders: mpsc::Receiver<Ordered>,
}

/// Devices for which there may be more than what is just ordered. Bounded by how many devices there are.
#[derive(Debug, Default)]
pub(crate) struct Came {
    devices: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// These listen to their commands or wishes from now on.
    came: BTreeSet<DeviceId>,
    /// These have answered, and more waits for them.
    next: BTreeSet<DeviceId>,
    /// More waits for these, and they have first to answer or to take what they were sent.
    behind: BTreeSet<DeviceId>,
}

impl Control {
    pub(crate) fn new(metrics: Metrics) -> (Self, Brought) {
        let (said, sayings) = mpsc::channel(QUEUE);
        let (ordered, orders) = mpsc::channel(QUEUE);
        (Self { said, ordered, came: Arc::default(), metrics }, Brought { sayings, orders })
    }

    pub(crate) fn came(&self) -> Arc<Came> {
        Arc::clone(&self.came)
    }

    /// Takes in what a device says; answers what to wait for before more is read of it. The reply comes after the commit, and
    /// at once for what cannot be read.
    pub(crate) fn hear(
        &self,
        (organization, device): (OrganizationId, DeviceId),
        subject: Subject,
        payload: &[u8],
        reply: Option<Reply>,
    ) -> Option<Wait> {
        let said = match read(subject, payload) {
            Ok(said) => said,
            Err(cause) => {
                self.refuse(cause, reply.as_ref());
                return None;
            }
        };
        bring(&self.said, Saying { organization, device, said, reply })
    }

    /// Takes in what a service orders of a device, as [`Control::hear`] does what devices say.
    pub(crate) fn order(
        &self,
        (organization, author): (OrganizationId, Author),
        device: DeviceId,
        payload: &[u8],
        reply: Option<Reply>,
    ) -> Option<Wait> {
        match place::read(payload) {
            Ok((order, ttl_ms)) => {
                bring(&self.ordered, Ordered { organization, device, author, order, ttl_ms, reply })
            }
            Err(cause) => {
                self.refuse(cause, reply.as_ref());
                None
            }
        }
    }

    /// What cannot be read is acknowledged as such, so that nobody sends it for ever.
    fn refuse(&self, cause: &'static str, reply: Option<&Reply>) {
        self.metrics.refuse(cause);
        if let Some(reply) = reply {
            reply.settle(reason::PAYLOAD_FORMAT_INVALID);
        }
    }

    /// A device has subscribed, or came back to a session in which it had; tells those who have something for it.
    pub(crate) fn subscribed<'a>(&self, device: DeviceId, mut paths: impl Iterator<Item = &'a str>) {
        let command = Topic::Command { device, command: CommandId::from_uuid(uuid::Uuid::nil()) };
        let topics = [command.to_string(), Topic::TwinDesired(device).to_string()];
        // Once, whatever it subscribed to: it would get everything twice.
        if paths.any(|path| topics.iter().any(|topic| filter::matches(path, topic))) {
            self.came.add([device]);
        }
    }
}

impl Saying {
    /// As if it were committed.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn settle(self) {
        if let Some(reply) = self.reply {
            reply.settle(reason::SUCCESS);
        }
    }
}

impl Came {
    fn add(&self, devices: impl IntoIterator<Item = DeviceId>) {
        let mut waiting = self.lock();
        let before = waiting.came.len();
        waiting.came.extend(devices);
        // Who puts back what is left of nothing must not wake itself for ever.
        if waiting.came.len() > before {
            self.changed.notify_one();
        }
    }

    fn fall_behind(&self, device: DeviceId) {
        self.lock().behind.insert(device);
    }

    fn answered(&self, device: DeviceId) {
        let mut waiting = self.lock();
        if waiting.behind.remove(&device) {
            waiting.next.insert(device);
            self.changed.notify_one();
        }
    }

    /// Those that are behind are tried again, whether they answered or not.
    fn retry(&self) {
        let mut waiting = self.lock();
        let mut behind = std::mem::take(&mut waiting.behind);
        waiting.next.append(&mut behind);
    }

    /// Whether more waits for a device, which has to come before anything new.
    fn has(&self, device: DeviceId) -> bool {
        let waiting = self.lock();
        [&waiting.came, &waiting.next, &waiting.behind].iter().any(|devices| devices.contains(&device))
    }

    /// Those that came, and those that have answered.
    fn take(&self) -> (BTreeSet<DeviceId>, BTreeSet<DeviceId>) {
        let mut waiting = self.lock();
        (std::mem::take(&mut waiting.came), std::mem::take(&mut waiting.next))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings something where it is taken further; answers what to wait for where there is no room.
fn bring<T: Send + 'static>(queue: &mpsc::Sender<T>, brought: T) -> Option<Wait> {
    match queue.try_send(brought) {
        Err(mpsc::error::TrySendError::Full(brought)) => {
            let queue = queue.clone();
            // The receiver goes last at shutdown; what is not taken is not acknowledged and comes again.
            Some(Box::pin(async move { drop(queue.send(brought).await) }))
        }
        Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
    }
}

/// What a device says, or the cause why it cannot be read.
fn read(subject: Subject, payload: &[u8]) -> Result<Said, &'static str> {
    if payload.len() > MAX_SAYING {
        return Err("control_too_large");
    }
    match subject {
        Subject::Ack(command) => {
            let ack = serde_json::from_slice::<Ack>(payload).map_err(|_| "unreadable_ack")?;
            Ok(Said::Ack(command, Box::new(ack)))
        }
        Subject::Reported => {
            let patch = serde_json::from_slice::<Map<String, Value>>(payload);
            patch.map(Said::Report).map_err(|_| "unreadable_report")
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use protocol::{AckStatus, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_from_what_can() {
        let command = CommandId::new(Timestamp(1), [1; 10]);
        let ack = Subject::Ack(command);
        let done = Said::Ack(command, Box::new(Ack::new(AckStatus::Done)));
        assert_eq!(read(ack, br#"{"status":"done","later":1}"#), Ok(done));
        let report = Said::Report(Map::from_iter([("a".to_owned(), json!(1))]));
        assert_eq!(read(Subject::Reported, br#"{"a":1}"#), Ok(report));
        for (subject, payload, cause) in [
            (ack, &b""[..], "unreadable_ack"),
            (ack, b"{}", "unreadable_ack"),
            (ack, br#"{"status":"expired"}"#, "unreadable_ack"),
            (ack, br#"{"status":"done","reported":1}"#, "unreadable_ack"),
            (Subject::Reported, b"[]", "unreadable_report"),
            (Subject::Reported, b"{\"a\":", "unreadable_report"),
            (Subject::Reported, &vec![b' '; MAX_SAYING + 1], "control_too_large"),
        ] {
            assert_eq!(read(subject, payload), Err(cause), "{subject:?}");
        }
    }

    #[test]
    fn only_who_listens_to_commands_or_wishes_has_come() {
        let (control, _brought) = Control::new(Metrics::default());
        let device = DeviceId::new(Timestamp(1), [2; 10]);
        for path in ["receipts", "commands/x/ack"] {
            control.subscribed(device, [&*format!("v1/{device}/{path}")].into_iter());
        }
        assert_eq!(control.came.take().0, BTreeSet::new());
        for path in ["commands/+", "twin/desired", "twin/#", "#"] {
            control.subscribed(device, [&*format!("v1/{device}/{path}")].into_iter());
            assert_eq!(control.came.take().0, BTreeSet::from([device]), "{path}");
        }
    }

    #[test]
    fn only_who_came_wakes_the_one_who_tells() {
        let came = Came::default();
        let wakes = || came.changed.notified().now_or_never().is_some();
        came.add([]);
        assert!(!wakes(), "nothing was left to put back");
        let device = DeviceId::new(Timestamp(1), [2; 10]);
        came.add([device]);
        assert!(wakes() && !wakes());
        came.add(came.take().0);
        assert!(wakes(), "who could not be looked after is put back");
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
