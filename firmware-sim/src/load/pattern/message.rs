//! Messages that say who wrote them, which one of theirs they are and since when they are on their way.

use crate::load::frame;
use crate::load::latency::Latencies;
use std::time::Duration;

/// Publisher, number and time stand at the beginning of a body: 4, 4 and 8 bytes, big-endian.
pub(super) const SMALLEST: usize = 16;

/// The next message of a publisher: a PUBLISH that is rendered once and written over.
#[derive(Clone, Debug)]
pub(super) struct Message {
    frame: Vec<u8>,
    /// Where the packet id stands, if it has one.
    packet: Option<usize>,
    body: usize,
    number: u32,
}

/// The beginning of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: u32,
    pub(super) number: u32,
    /// On the clock that both ends share.
    pub(super) at: Duration,
}

/// Which number of each publisher comes next.
#[derive(Clone, Debug)]
pub(super) struct Expected(Vec<u32>);

/// What reached subscribers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) deliveries: u64,
    /// Not the next one nor a later one of their publisher.
    pub(super) again: u64,
    pub(super) latencies: Latencies,
}

impl Message {
    /// The first of a publisher; the body has `bytes`, but at least its stamp.
    pub(super) fn new(topic: &str, publisher: u32, qos: u8, bytes: usize) -> Self {
        let (bytes, mut frame) = (bytes.max(SMALLEST), Vec::new());
        let packet = if qos == 0 {
            frame::publish_unacknowledged(topic, bytes, &mut frame);
            None
        } else {
            frame::publish(topic, 0, bytes, &mut frame);
            Some(frame.len() - 2)
        };
        let body = frame.len();
        frame.extend_from_slice(&publisher.to_be_bytes());
        // Something that does not look alike everywhere and is valid as text.
        frame.extend((4..bytes).map(|index| b'a' + (index % 26) as u8));
        Self { frame, packet, body, number: 0 }
    }

    /// Writes it and makes it the next one.
    pub(super) fn write(&mut self, packet: u16, at: Duration, out: &mut Vec<u8>) {
        if let Some(place) = self.packet {
            self.frame[place..place + 2].copy_from_slice(&packet.to_be_bytes());
        }
        self.frame[self.body + 4..self.body + 8].copy_from_slice(&self.number.to_be_bytes());
        self.frame[self.body + 8..self.body + 16].copy_from_slice(&(at.as_nanos() as u64).to_be_bytes());
        self.number += 1;
        out.extend_from_slice(&self.frame);
    }

    /// How many were written.
    pub(super) fn written(&self) -> u64 {
        u64::from(self.number)
    }
}

impl Stamp {
    /// `None` if nobody of us wrote this.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let (publisher, rest) = body.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (at, _) = rest.split_first_chunk()?;
        let at = Duration::from_nanos(u64::from_be_bytes(*at));
        Some(Self { publisher: u32::from_be_bytes(*publisher), number: u32::from_be_bytes(*number), at })
    }
}

impl Expected {
    /// Nothing came yet from so many publishers.
    pub(super) fn from(publishers: usize) -> Self {
        Self(vec![0; publishers])
    }

    /// Whether it is the next of its publisher or a later one.
    fn take(&mut self, stamp: Stamp) -> bool {
        let Some(next) = self.0.get_mut(stamp.publisher as usize) else { return false };
        let is_new = stamp.number >= *next;
        *next = (*next).max(stamp.number + 1);
        is_new
    }
}

impl Tally {
    /// Counts a body that came at `now` to the subscriber with these expectations.
    pub(super) fn take(&mut self, body: &[u8], expected: &mut Expected, now: Duration) {
        let Some(stamp) = Stamp::read(body) else { return };
        if expected.take(stamp) {
            self.deliveries += 1;
            self.latencies.record(now.saturating_sub(stamp.at));
        } else {
            self.again += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::{Incoming, parse};

    #[test]
    fn a_message_carries_its_stamp_at_either_qos() {
        for qos in [0, 1] {
            let (mut message, mut out) = (Message::new("bench/x", 7, qos, 120), Vec::new());
            message.write(300, Duration::from_micros(5), &mut out);
            message.write(301, Duration::from_micros(6), &mut out);
            let (_, length) = parse(&out).unwrap().unwrap();
            let (incoming, _) = parse(&out[length..]).unwrap().unwrap();
            let Incoming::Publish { packet, body, .. } = incoming else { panic!("{incoming:?}") };
            assert_eq!((packet, body.len()), (if qos == 0 { 0 } else { 301 }, 120));
            let stamp = Stamp { publisher: 7, number: 1, at: Duration::from_micros(6) };
            assert_eq!((Stamp::read(body), message.written()), (Some(stamp), 2));
        }
        assert_eq!(Stamp::read(&[0; SMALLEST - 1]), None);
    }

    #[test]
    fn what_comes_again_is_not_counted_twice() {
        let (mut tally, mut expected) = (Tally::default(), Expected::from(2));
        let mut message = Message::new("t", 1, 0, 0);
        let bodies: Vec<Vec<u8>> = (0..4)
            .map(|at| {
                let mut out = Vec::new();
                message.write(0, Duration::from_micros(at), &mut out);
                out.split_off(out.len() - SMALLEST)
            })
            .collect();
        for number in [0, 1, 1, 3, 2] {
            tally.take(&bodies[number], &mut expected, Duration::from_micros(10));
        }
        tally.take(b"something else", &mut expected, Duration::ZERO);
        assert_eq!((tally.deliveries, tally.again, tally.latencies.longest()), (3, 2, 10));
    }
}
