//! What the platform and a device have to say to each other: commands and wishes to it, answers and reports from it.
//!
//! Both meet in rows. What was ordered waits in the outbox and goes to the device's connection (`tell`); what the device
//! says goes into the next commit and is acknowledged after it (`hear`), as does what services order over MQTT (`place`).

mod came;
mod hear;
mod place;
mod tell;
mod welcome;

use std::sync::Arc;

use protocol::{Ack, CommandId, DeviceId, OrganizationId, Topic};
use serde_json::{Map, Value};
use store::{Author, Said};
use tokio::sync::mpsc;

use crate::codec::reason;
use crate::connection::{Reply, Wait};
use crate::filter;
use crate::metrics::Metrics;

use came::Wanted;

pub(crate) use came::Came;
pub(crate) use hear::{Hearing, pass_on_report};
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

/// Whether a device was handed, or is about to be, the commands that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backlog {
    Due,
    Done,
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

    /// A device has subscribed, or came back to a session in which it had; tells those who have something for it. Commands that
    /// wait are handed out once on a connection; answers whether that is still due.
    pub(crate) fn subscribed<'a>(
        &self,
        device: DeviceId,
        paths: impl Iterator<Item = &'a str>,
        backlog: Backlog,
    ) -> Backlog {
        let command = Topic::Command { device, command: CommandId::from_uuid(uuid::Uuid::nil()) }.to_string();
        let wish = Topic::TwinDesired(device).to_string();
        let mut wanted = Wanted::default();
        for path in paths {
            wanted.commands |= filter::matches(path, &command);
            wanted.wishes |= filter::matches(path, &wish);
        }
        let listens = wanted.commands;
        wanted.commands &= backlog == Backlog::Due;
        if wanted != Wanted::default() {
            self.came.add([(device, wanted)]);
        }
        if listens { Backlog::Done } else { backlog }
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
    fn who_listens_to_commands_or_wishes_has_come_and_gets_commands_once() {
        use Backlog::{Done, Due};
        let (control, _brought) = Control::new(Metrics::default());
        let device = DeviceId::new(Timestamp(1), [2; 10]);
        let came = |paths: &[&str], backlog| {
            let paths: Vec<_> = paths.iter().map(|path| format!("v1/{device}/{path}")).collect();
            let backlog = control.subscribed(device, paths.iter().map(String::as_str), backlog);
            let wanted = control.came.take().0.remove(&device).unwrap_or_default();
            (backlog, wanted.commands, wanted.wishes)
        };
        assert_eq!(came(&["receipts", "commands/x/ack"], Due), (Due, false, false));
        assert_eq!(came(&["commands/+"], Due), (Done, true, false));
        assert_eq!(came(&["commands/+"], Done), (Done, false, false));
        assert_eq!(came(&["twin/desired"], Due), (Due, false, true));
        assert_eq!(came(&["twin/desired"], Done), (Done, false, true));
        assert_eq!(came(&["#"], Due), (Done, true, true));
        assert_eq!(came(&["commands/+", "twin/#"], Due), (Done, true, true));
    }
}
