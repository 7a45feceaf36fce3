//! A client that the tests steer packet by packet, in either version.

use std::collections::VecDeque;

use anyhow::{Context, bail, ensure};

use super::hello::Hello;
use crate::mqtt::{Received, Wire, packet, text};
use crate::world::{Gateway, World};

/// Both versions of the protocol, by their level.
pub(super) const LEVELS: [u8; 2] = [4, 5];

/// A message as a subscriber gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) dup: bool,
    /// The packet id; 0 where there is none.
    pub(super) id: u16,
}

/// A connection that was let in.
pub(super) struct Client {
    wire: Wire,
    level: u8,
    /// Whether the server said that an earlier session goes on.
    pub(super) present: bool,
    /// Whether what arrives is acknowledged.
    pub(super) acknowledges: bool,
    next_id: u16,
    waiting: VecDeque<Delivery>,
}

impl Client {
    pub(super) async fn connect(world: &World, hello: Hello<'_>) -> anyhow::Result<Self> {
        match Self::ask(world, hello).await? {
            Ok(client) => Ok(client),
            Err(code) => bail!("refused with {code:#04x}"),
        }
    }

    /// Connects as a device.
    pub(super) async fn device(world: &World, level: u8, gateway: &Gateway) -> anyhow::Result<Self> {
        let name = gateway.device.to_string();
        Self::connect(world, Hello::new(level, "device").as_user(&name, &gateway.secret)).await
    }

    /// Connects; the code of the CONNACK where the answer is no.
    pub(super) async fn ask(world: &World, hello: Hello<'_>) -> anyhow::Result<Result<Self, u8>> {
        let mut wire = Wire::open(world.mqtt()).await?;
        wire.send(&hello.bytes()).await?;
        let answer = wire.receive().await?.context("closed without a CONNACK")?;
        ensure!(answer.head == 0x20, "no CONNACK: {answer:?}");
        if answer.body[1] != 0 {
            return Ok(Err(answer.body[1]));
        }
        let present = answer.body[0] == 1;
        let (level, waiting) = (hello.level, VecDeque::new());
        Ok(Ok(Self { wire, level, present, acknowledges: true, next_id: 1, waiting }))
    }

    /// Subscribes to filters, each with its options byte; answers the code of each.
    pub(super) async fn subscribe(&mut self, filters: &[(&str, u8)]) -> anyhow::Result<Vec<u8>> {
        let mut body = self.fresh_id().to_be_bytes().to_vec();
        if self.level == 5 {
            body.push(0);
        }
        for (filter, options) in filters {
            body.extend(text(filter));
            body.push(*options);
        }
        self.wire.send(&packet(0x82, &body)).await?;
        let answer = self.answer(0x90).await?;
        Ok(answer.body[if self.level == 5 { 3 } else { 2 }..].to_vec())
    }

    /// Unsubscribes; version 5 has a code for each filter.
    pub(super) async fn unsubscribe(&mut self, filters: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut body = self.fresh_id().to_be_bytes().to_vec();
        if self.level == 5 {
            body.push(0);
        }
        for filter in filters {
            body.extend(text(filter));
        }
        self.wire.send(&packet(0xA2, &body)).await?;
        let answer = self.answer(0xB0).await?;
        Ok(answer.body.get(3..).unwrap_or_default().to_vec())
    }

    /// Publishes; waits for the acknowledgement and answers its code where the quality of service has one.
    pub(super) async fn publish(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> anyhow::Result<u8> {
        self.send(topic, payload, qos, retain).await?;
        if qos == 0 {
            return Ok(0);
        }
        let answer = self.answer(0x40).await?;
        Ok(answer.body.get(2).copied().unwrap_or(0))
    }

    /// Publishes and waits for nothing.
    pub(super) async fn send(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> anyhow::Result<()> {
        let mut body = text(topic);
        if qos > 0 {
            body.extend(self.fresh_id().to_be_bytes());
        }
        if self.level == 5 {
            body.push(0);
        }
        body.extend_from_slice(payload.as_ref());
        self.wire.send(&packet(0x30 | (qos << 1) | u8::from(retain), &body)).await
    }

    /// The next message.
    pub(super) async fn delivery(&mut self) -> anyhow::Result<Delivery> {
        if let Some(delivery) = self.waiting.pop_front() {
            return Ok(delivery);
        }
        let received = self.wire.receive().await?.context("closed instead of a message")?;
        self.read_delivery(&received).await?.with_context(|| format!("no message: {received:?}"))
    }

    /// The payloads of what arrives up to the message with the payload `last`, which is left out.
    pub(super) async fn payloads_until(&mut self, last: &str) -> anyhow::Result<Vec<String>> {
        let mut payloads = Vec::new();
        loop {
            let payload = String::from_utf8(self.delivery().await?.payload)?;
            if payload == last {
                return Ok(payloads);
            }
            payloads.push(payload);
        }
    }

    /// What arrived while something else was waited for.
    pub(super) fn taken(&mut self) -> impl Iterator<Item = Delivery> {
        self.waiting.drain(..)
    }

    /// Acknowledges messages by their packet ids.
    pub(super) async fn acknowledge(&mut self, ids: &[u16]) -> anyhow::Result<()> {
        for id in ids {
            self.wire.send(&packet(0x40, &id.to_be_bytes())).await?;
        }
        Ok(())
    }

    /// Asks whether the server is there; it answers once it has dealt with everything sent before.
    pub(super) async fn ping(&mut self) -> anyhow::Result<()> {
        self.wire.send(&packet(0xC0, &[])).await?;
        self.answer(0xD0).await.map(|_| ())
    }

    /// Says goodbye and waits until the server has closed; version 5 may give a reason.
    pub(super) async fn leave(mut self, reason: Option<u8>) -> anyhow::Result<()> {
        self.wire.send(&packet(0xE0, reason.as_slice())).await?;
        self.ended().await.map(|_| ())
    }

    /// Says goodbye in version 5 with another session expiry, in seconds; the code of the server's DISCONNECT, if any.
    pub(super) async fn leave_with_expiry(mut self, seconds: u32) -> anyhow::Result<Option<u8>> {
        let mut body = vec![0, 5, 0x11];
        body.extend(seconds.to_be_bytes());
        self.wire.send(&packet(0xE0, &body)).await?;
        self.ended().await
    }

    /// Reads until the server closes; the code of its DISCONNECT, if there was one.
    pub(super) async fn ended(&mut self) -> anyhow::Result<Option<u8>> {
        let mut reason = None;
        while let Some(received) = self.wire.receive().await? {
            if received.head == 0xE0 {
                reason = received.body.first().copied();
            }
        }
        Ok(reason)
    }

    async fn answer(&mut self, head: u8) -> anyhow::Result<Received> {
        loop {
            let received = self.wire.receive().await?.context("closed instead of an answer")?;
            if received.head == head {
                return Ok(received);
            }
            match self.read_delivery(&received).await? {
                Some(delivery) => self.waiting.push_back(delivery),
                None => bail!("not the answer {head:#04x}: {received:?}"),
            }
        }
    }

    async fn read_delivery(&mut self, received: &Received) -> anyhow::Result<Option<Delivery>> {
        if received.head >> 4 != 3 {
            return Ok(None);
        }
        let (qos, body) = (received.head >> 1 & 3, &received.body);
        let topic_end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..topic_end].to_vec())?;
        let mut at = topic_end;
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([body[at], body[at + 1]]);
            at += 2;
        }
        if self.level == 5 {
            at += 1 + usize::from(body[at]); // no test has more properties than one byte can count
        }
        if qos > 0 && self.acknowledges {
            self.wire.send(&packet(0x40, &id.to_be_bytes())).await?;
        }
        let (retain, dup) = (received.head & 1 == 1, received.head & 8 == 8);
        Ok(Some(Delivery { topic, payload: body[at..].to_vec(), qos, retain, dup, id }))
    }

    fn fresh_id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }
}
