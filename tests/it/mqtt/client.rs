//! A client that the tests steer packet by packet, in either version.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};

use super::request::{Publish, acknowledgement, disconnect, subscribe_to, unsubscribe_from};
use super::{
    Ack, Answer, Connack, Connect, Delivery, PUBACK, PUBCOMP, PUBREC, PUBREL, Property, SUBACK, UNSUBACK,
    Wire, packet, value_of,
};

/// Both versions of the protocol, by their level.
pub(crate) const LEVELS: [u8; 2] = [4, 5];

/// A connection that was let in.
pub(crate) struct Client {
    wire: Wire,
    level: u8,
    /// What the server said when it let the client in.
    pub(crate) connack: Connack,
    /// Whether what arrives is acknowledged.
    pub(crate) acknowledges: bool,
    next_id: u16,
    waiting: VecDeque<Delivery>,
    /// What the server's topic aliases stand for.
    aliases: HashMap<u16, String>,
}

impl Client {
    pub(crate) async fn connect(
        server: impl Into<SocketAddr>,
        hello: impl Into<Connect>,
    ) -> anyhow::Result<Self> {
        match Self::ask(server, hello).await? {
            Ok(client) => Ok(client),
            Err(connack) => bail!("refused with {:#04x}", connack.code),
        }
    }

    /// The code with which the server refuses; none where it lets the client in.
    pub(crate) async fn refusal(
        server: impl Into<SocketAddr>,
        hello: impl Into<Connect>,
    ) -> anyhow::Result<Option<u8>> {
        Ok(Self::ask(server, hello).await?.err().map(|connack| connack.code))
    }

    /// Connects; the CONNACK where the answer is no.
    pub(crate) async fn ask(
        server: impl Into<SocketAddr>,
        hello: impl Into<Connect>,
    ) -> anyhow::Result<Result<Self, Connack>> {
        let server = server.into();
        Self::ask_on(Wire::open(server).await?, hello).await
    }

    /// Connects on a transport that is open; the CONNACK where the answer is no.
    pub(crate) async fn ask_on(
        mut wire: Wire,
        hello: impl Into<Connect>,
    ) -> anyhow::Result<Result<Self, Connack>> {
        let hello = hello.into();
        wire.send(&hello.bytes()).await?;
        Self::answered(wire, hello.level).await
    }

    /// Connects on a transport that is open.
    pub(crate) async fn connect_on(wire: Wire, hello: impl Into<Connect>) -> anyhow::Result<Self> {
        match Self::ask_on(wire, hello).await? {
            Ok(client) => Ok(client),
            Err(connack) => bail!("refused with {:#04x}", connack.code),
        }
    }

    /// Reads the CONNACK of a connection on which a CONNECT of that level was sent.
    pub(crate) async fn answered(mut wire: Wire, level: u8) -> anyhow::Result<Result<Self, Connack>> {
        let answer = wire.receive().await?.context("closed without a CONNACK")?;
        let Answer::Connack(connack) = Answer::read(level, &answer)? else { bail!("no CONNACK: {answer:?}") };
        if connack.code != 0 {
            return Ok(Err(connack));
        }
        let (waiting, aliases) = Default::default();
        Ok(Ok(Self { wire, level, connack, acknowledges: true, next_id: 0, waiting, aliases }))
    }

    /// Whether the server said that an earlier session goes on.
    pub(crate) fn is_resumed(&self) -> bool {
        self.connack.present
    }

    /// Subscribes to filters, each with its options byte; answers the code of each.
    pub(crate) async fn subscribe(&mut self, filters: &[(&str, u8)]) -> anyhow::Result<Vec<u8>> {
        Ok(self.subscribe_with(filters, &[]).await?.codes)
    }

    /// Subscribes with properties of version 5.
    pub(crate) async fn subscribe_with(
        &mut self,
        filters: &[(&str, u8)],
        properties: &[Property],
    ) -> anyhow::Result<Ack> {
        let id = self.fresh_id();
        self.send_bytes(&subscribe_to(self.level, id, filters, properties)).await?;
        self.expect(SUBACK, id).await
    }

    /// Unsubscribes; version 5 has a code for each filter.
    pub(crate) async fn unsubscribe(&mut self, filters: &[&str]) -> anyhow::Result<Vec<u8>> {
        let id = self.fresh_id();
        self.send_bytes(&unsubscribe_from(self.level, id, filters, &[])).await?;
        Ok(self.expect(UNSUBACK, id).await?.codes)
    }

    /// Publishes; waits until the quality of service is satisfied and answers the code, if it has one.
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> anyhow::Result<u8> {
        self.publish_all_of(message(topic, payload, qos, retain)).await
    }

    /// Publishes and waits for nothing.
    pub(crate) async fn send(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> anyhow::Result<()> {
        self.begin(message(topic, payload, qos, retain)).await.map(|_| ())
    }

    /// Publishes with everything that a PUBLISH may say; answers the code of PUBACK or PUBREC.
    pub(crate) async fn publish_all_of(&mut self, publish: Publish) -> anyhow::Result<u8> {
        let qos = publish.qos;
        let id = self.begin(publish).await?;
        let code = match qos {
            0 => return Ok(0),
            1 => self.expect(PUBACK, id).await?.codes[0],
            _ => self.expect(PUBREC, id).await?.codes[0],
        };
        if qos == 2 && code < 0x80 {
            self.acknowledge_with(PUBREL, id, None).await?;
            self.expect(PUBCOMP, id).await?;
        }
        Ok(code)
    }

    /// Sends a PUBLISH, waits for nothing and answers its packet id.
    pub(crate) async fn begin(&mut self, mut publish: Publish) -> anyhow::Result<u16> {
        let id = *publish.id.get_or_insert_with(|| self.fresh_id());
        self.send_bytes(&publish.bytes(self.level)).await?;
        Ok(id)
    }

    /// The next message.
    pub(crate) async fn delivery(&mut self) -> anyhow::Result<Delivery> {
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return Ok(delivery);
            }
            match self.next().await?.context("closed instead of a message")? {
                Answer::Publish(delivery) => return Ok(delivery),
                Answer::Ack(Ack { head: PUBREL, .. }) if self.acknowledges => {}
                other => bail!("no message: {other:?}"),
            }
        }
    }

    /// What arrives up to the message with the payload `last`, which is left out.
    pub(crate) async fn until(&mut self, last: &str) -> anyhow::Result<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        loop {
            let delivery = self.delivery().await.with_context(|| format!("before {last:?}"))?;
            if delivery.payload == last.as_bytes() {
                return Ok(deliveries);
            }
            deliveries.push(delivery);
        }
    }

    /// The payloads of what arrives up to the message with the payload `last`, which is left out.
    pub(crate) async fn payloads_until(&mut self, last: &str) -> anyhow::Result<Vec<String>> {
        let payload = |delivery: Delivery| Ok(String::from_utf8(delivery.payload)?);
        self.until(last).await?.into_iter().map(payload).collect()
    }

    /// What arrived while something else was waited for.
    pub(crate) fn taken(&mut self) -> impl Iterator<Item = Delivery> {
        self.waiting.drain(..)
    }

    /// Waits for the acknowledgement of that kind and packet id; messages in between are kept for later.
    pub(crate) async fn expect(&mut self, head: u8, id: u16) -> anyhow::Result<Ack> {
        loop {
            match self.next().await?.with_context(|| format!("closed instead of {head:#04x} for {id}"))? {
                Answer::Ack(ack) if ack.head == head && ack.id == id => return Ok(ack),
                Answer::Ack(Ack { head: PUBREL, .. }) if self.acknowledges => {}
                Answer::Publish(delivery) => self.waiting.push_back(delivery),
                other => bail!("not {head:#04x} for {id}: {other:?}"),
            }
        }
    }

    /// Acknowledges messages with a quality of service of 1 by their packet ids.
    pub(crate) async fn acknowledge(&mut self, ids: &[u16]) -> anyhow::Result<()> {
        for id in ids {
            self.acknowledge_with(PUBACK, *id, None).await?;
        }
        Ok(())
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP; only version 5 has codes.
    pub(crate) async fn acknowledge_with(
        &mut self,
        head: u8,
        id: u16,
        code: Option<u8>,
    ) -> anyhow::Result<()> {
        self.send_bytes(&acknowledgement(head, id, code)).await
    }

    /// Asks whether the server is there; it answers once it has dealt with everything sent before.
    pub(crate) async fn ping(&mut self) -> anyhow::Result<()> {
        self.send_bytes(&packet(0xC0, &[])).await?;
        loop {
            match self.next().await?.context("closed instead of PINGRESP")? {
                Answer::Pong => return Ok(()),
                Answer::Publish(delivery) => self.waiting.push_back(delivery),
                Answer::Ack(Ack { head: PUBREL, .. }) if self.acknowledges => {}
                other => bail!("not PINGRESP: {other:?}"),
            }
        }
    }

    /// Whether nothing arrived that was not asked for, up to the answer of a ping.
    pub(crate) async fn quiet(&mut self) -> anyhow::Result<()> {
        self.ping().await?;
        ensure!(self.waiting.is_empty(), "this should not have arrived: {:?}", self.waiting);
        Ok(())
    }

    /// Says goodbye and waits until the server has closed; version 5 may give a reason.
    pub(crate) async fn leave(mut self, reason: Option<u8>) -> anyhow::Result<()> {
        self.send_bytes(&packet(0xE0, reason.as_slice())).await?;
        self.ended().await.map(|_| ())
    }

    /// Says goodbye in version 5 with another session expiry, in seconds; the code of the server's DISCONNECT, if any.
    pub(crate) async fn leave_with_expiry(mut self, seconds: u32) -> anyhow::Result<Option<u8>> {
        self.send_bytes(&disconnect(0, &[Property::SessionExpiry(seconds)])).await?;
        self.ended().await
    }

    /// Breaks the connection off without a word.
    pub(crate) fn reset(self) -> anyhow::Result<()> {
        self.wire.reset()
    }

    /// Reads until the server closes, and acknowledges nothing more; the code of its DISCONNECT, if there was one.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<Option<u8>> {
        self.acknowledges = false;
        let mut reason = None;
        while let Some(answer) = self.next().await? {
            ensure!(reason.is_none(), "{answer:?} after a DISCONNECT");
            if let Answer::Disconnect(goodbye) = answer {
                reason = Some(goodbye.code);
            }
        }
        Ok(reason)
    }

    /// The next packet; none where the server closed. While this client acknowledges, messages are.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Answer>> {
        let Some(received) = self.wire.receive().await? else { return Ok(None) };
        let mut answer = Answer::read(self.level, &received)?;
        if let Answer::Publish(delivery) = &mut answer {
            self.resolve(delivery)?;
        }
        if self.acknowledges {
            match &answer {
                Answer::Publish(Delivery { qos: 1, id, .. }) => {
                    self.acknowledge_with(PUBACK, *id, None).await?;
                }
                Answer::Publish(Delivery { qos: 2, id, .. }) => {
                    self.acknowledge_with(PUBREC, *id, None).await?;
                }
                Answer::Ack(Ack { head: PUBREL, id, .. }) => {
                    self.acknowledge_with(PUBCOMP, *id, None).await?;
                }
                _ => {}
            }
        }
        Ok(Some(answer))
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.wire.send(bytes).await
    }

    /// Puts the topic in place that an alias stands for.
    fn resolve(&mut self, delivery: &mut Delivery) -> anyhow::Result<()> {
        match value_of!(delivery.properties, TopicAlias) {
            None => ensure!(!delivery.topic.is_empty(), "a message with neither topic nor alias"),
            Some(alias) if delivery.topic.is_empty() => {
                let known = self.aliases.get(&alias);
                delivery
                    .topic
                    .clone_from(known.with_context(|| format!("the alias {alias} was never said"))?);
            }
            Some(alias) => {
                self.aliases.insert(alias, delivery.topic.clone());
            }
        }
        Ok(())
    }

    fn fresh_id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }
}

fn message(topic: &str, payload: impl AsRef<[u8]>, qos: u8, retain: bool) -> Publish {
    let publish = Publish::new(topic, payload).qos(qos);
    if retain { publish.retained() } else { publish }
}
