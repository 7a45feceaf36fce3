//! Devices that answer what they are sent, at once and from the same connection.

use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::frame::{self, Incoming};
use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;

/// What a device reads at once: commands are small and few.
pub(super) const READS: usize = 1024;

/// How many ids of commands a device remembers.
const REMEMBERED: usize = 64;

/// How a device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// A command by `accepted` and `done`.
    Twice,
    /// A command by `done` alone.
    Once,
    /// A request by the same body, on the topic where `res` stands in the place of `req`.
    Echo,
}

/// What all devices together did.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// Messages that were answered, repeats not counted.
    pub(super) messages: Cell<u64>,
    /// Messages that came again, and were answered again.
    pub(super) again: Cell<u64>,
}

/// One device.
#[derive(Debug)]
pub(super) struct Responder<'a> {
    connection: Connection,
    answers: Answers,
    /// The ends of the topics of its last commands, which are their ids.
    known: VecDeque<Vec<u8>>,
    packet: u16,
    answered: &'a Answered,
}

impl<'a> Responder<'a> {
    /// A device that is subscribed.
    pub(super) fn new(connection: Connection, answers: Answers, answered: &'a Answered) -> Self {
        Self { connection, answers, known: VecDeque::new(), packet: 0, answered }
    }

    /// Answers until the connection breaks.
    pub(super) async fn run(mut self) -> Result<Infallible, LoadError> {
        let mut out = Vec::new();
        loop {
            let Self { connection, answers, known, packet: last, answered } = &mut self;
            connection
                .receive_patiently(|incoming| {
                    let Incoming::Publish { packet, topic, body } = incoming else { return };
                    if packet != 0 {
                        frame::puback(packet, &mut out);
                    }
                    let is_again = *answers != Answers::Echo && !is_new(known, topic);
                    let count = if is_again { &answered.again } else { &answered.messages };
                    count.set(count.get() + 1);
                    answer(*answers, topic, body, last, &mut out);
                })
                .await?;
            if !out.is_empty() {
                connection.write(&out).await?;
                out.clear();
            }
        }
    }
}

fn answer(answers: Answers, topic: &[u8], body: &[u8], packet: &mut u16, out: &mut Vec<u8>) {
    let topic = String::from_utf8_lossy(topic);
    let mut publish = |topic: &str, body: &[u8]| {
        *packet = packet.checked_add(1).unwrap_or(1);
        frame::publish(topic, *packet, body.len(), out);
        out.extend_from_slice(body);
    };
    match answers {
        Answers::Echo => {
            let stem = topic.strip_suffix("req").unwrap_or(&topic);
            publish(&format!("{stem}res"), body);
        }
        Answers::Once | Answers::Twice => {
            let topic = format!("{topic}/ack");
            if answers == Answers::Twice {
                publish(&topic, br#"{"status":"accepted"}"#);
            }
            publish(&topic, br#"{"status":"done"}"#);
        }
    }
}

/// Whether a command is none of the last ones.
fn is_new(known: &mut VecDeque<Vec<u8>>, topic: &[u8]) -> bool {
    let id = topic.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    if known.iter().any(|known| known == id) {
        return false;
    }
    if known.len() == REMEMBERED {
        known.pop_front();
    }
    known.push_back(id.to_vec());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::parse;

    fn answers(answers: Answers, topic: &str, body: &[u8]) -> Vec<(u16, String, String)> {
        let (mut packet, mut out, mut read) = (u16::MAX, Vec::new(), Vec::new());
        answer(answers, topic.as_bytes(), body, &mut packet, &mut out);
        let mut at = 0;
        while let Some((incoming, length)) = parse(&out[at..]).unwrap() {
            let Incoming::Publish { packet, topic, body } = incoming else { panic!("{incoming:?}") };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            read.push((packet, text(topic), text(body)));
            at += length;
        }
        read
    }

    #[test]
    fn a_command_is_answered_once_or_twice_and_a_request_echoed() {
        let ack = |packet, status: &str| {
            (packet, "v1/d/commands/c/ack".into(), format!(r#"{{"status":"{status}"}}"#))
        };
        assert_eq!(answers(Answers::Twice, "v1/d/commands/c", b"{}"), [ack(1, "accepted"), ack(2, "done")]);
        assert_eq!(answers(Answers::Once, "v1/d/commands/c", b"{}"), [ack(1, "done")]);
        assert_eq!(answers(Answers::Echo, "echo/7/req", b"x"), [(1, "echo/7/res".into(), "x".into())]);
    }

    #[test]
    fn a_command_that_comes_again_is_told_from_a_new_one() {
        let mut known = VecDeque::new();
        let mut come = |number: usize| is_new(&mut known, format!("v1/d/commands/{number}").as_bytes());
        assert!(come(0) && come(1) && !come(0));
        assert!((2..=REMEMBERED).all(&mut come), "new ones");
        assert!(come(0) && !come(REMEMBERED), "the oldest is forgotten");
    }
}
