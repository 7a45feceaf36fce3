//! Acknowledgements that are owed: they go out in the order of what they answer (MQTT-4.6.0-2, -3), each once what it
//! promises is true.

use std::collections::VecDeque;

use super::link::Settled;
use crate::codec::{self, Ack, Detail, Version, reason};

/// What a connection owes its client.
#[derive(Debug, Default)]
pub(super) struct Answers {
    queue: VecDeque<Answer>,
    /// How many of them are PUBACKs.
    pubacks: usize,
}

#[derive(Debug)]
struct Answer {
    id: u16,
    what: What,
    /// Known once it may be said.
    code: Option<u8>,
    limit: Option<&'static str>,
}

#[derive(Debug)]
enum What {
    Ack(Ack),
    /// A SUBACK or UNSUBACK, written already.
    Packet(Vec<u8>),
}

/// Which kind of answer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    Ack(Ack),
    /// A SUBACK or UNSUBACK.
    Packet,
}

impl What {
    fn owed(&self) -> Owed {
        match self {
            Self::Ack(ack) => Owed::Ack(*ack),
            Self::Packet(_) => Owed::Packet,
        }
    }
}

impl Answers {
    /// An acknowledgement whose code is known, or comes with [`Answers::settle`].
    pub(super) fn owe(&mut self, ack: Ack, id: u16, code: Option<u8>) {
        self.push(ack, id, code, None);
    }

    /// A refusal that names the limit it hit.
    pub(super) fn refuse(&mut self, ack: Ack, id: u16, code: u8, limit: Option<&'static str>) {
        self.push(ack, id, Some(code), limit);
    }

    /// A packet that is ready but may have to wait.
    pub(super) fn owe_packet(&mut self, id: u16, packet: Vec<u8>, wait: bool) {
        let code = (!wait).then_some(reason::SUCCESS);
        self.queue.push_back(Answer { id, what: What::Packet(packet), code, limit: None });
    }

    /// The first such answer that still waits may be given.
    pub(super) fn settle(&mut self, settled: Settled) {
        let Settled { owed, id, code } = settled;
        let is_meant =
            |answer: &&mut Answer| answer.id == id && answer.code.is_none() && answer.what.owed() == owed;
        if let Some(answer) = self.queue.iter_mut().find(is_meant) {
            answer.code = Some(code);
        }
    }

    /// Writes all that may be said before the first that may not.
    /// No packet gets larger than `maximum` by telling why.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, version: Version, maximum: usize) {
        while let Some(&Answer { id, ref what, code: Some(code), limit }) = self.queue.front() {
            match what {
                What::Ack(ack) => {
                    self.pubacks -= usize::from(*ack == Ack::Puback);
                    codec::with_detail(out, maximum, limit.map(Detail::over), |out, detail| {
                        codec::ack(out, version, *ack, id, code, detail);
                    });
                }
                What::Packet(packet) => out.extend_from_slice(packet),
            }
            self.queue.pop_front();
        }
        if self.queue.is_empty() && self.queue.capacity() > 64 {
            self.queue = VecDeque::new();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn push(&mut self, ack: Ack, id: u16, code: Option<u8>, limit: Option<&'static str>) {
        self.pubacks += usize::from(ack == Ack::Puback);
        self.queue.push_back(Answer { id, what: What::Ack(ack), code, limit });
    }

    /// How many QoS 1 messages of the client are not acknowledged yet.
    pub(super) fn pubacks(&self) -> usize {
        self.pubacks
    }
}
