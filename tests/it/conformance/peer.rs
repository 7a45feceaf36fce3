//! The server under test, as one case in one version sees it.

use std::net::SocketAddr;

use anyhow::{anyhow, bail, ensure};

use crate::mqtt::{Answer, Client, Connack, Connect, Publish, Wire, packet};

/// Where the server is, which version is spoken, and names that belong to this case alone.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    server: SocketAddr,
    /// 4 or 5.
    pub(super) level: u8,
    /// Letters and digits that no other case has.
    name: String,
}

/// What version 5 may say where a packet is not as it must be: malformed, or against the protocol.
pub(super) const BROKEN: &[u8] = &[0x81, 0x82];

impl Peer {
    pub(super) fn new(server: SocketAddr, level: u8, number: usize) -> Self {
        Self { server, level, name: format!("c{number}v{level}") }
    }

    pub(super) fn is_5(&self) -> bool {
        self.level == 5
    }

    /// The same server and names in the other version.
    pub(super) fn other_version(&self) -> Self {
        Self { level: 9 - self.level, ..self.clone() }
    }

    /// A client id of this case alone, in the characters that every server must take.
    pub(super) fn id(&self, who: &str) -> String {
        format!("{}{who}", self.name)
    }

    /// A topic of this case alone.
    pub(super) fn topic(&self, leaf: &str) -> String {
        format!("case/{}/{leaf}", self.name)
    }

    /// CONNECT with a session that ends with the connection.
    pub(super) fn hello(&self, who: &str) -> Connect {
        Connect::new(self.level, self.id(who))
    }

    /// CONNECT with a session that goes on and stays for an hour.
    pub(super) fn lasting(&self, who: &str) -> Connect {
        self.hello(who).lasting(3600)
    }

    pub(super) async fn join(&self, hello: Connect) -> anyhow::Result<Client> {
        Client::connect(self.server, hello).await
    }

    /// Connects and goes on with a session that must be there.
    pub(super) async fn resume(&self, hello: &Connect) -> anyhow::Result<Client> {
        let client = self.join(hello.clone()).await?;
        ensure!(client.is_resumed(), "the session is gone");
        Ok(client)
    }

    /// A client whose session ends with its connection.
    pub(super) async fn client(&self, who: &str) -> anyhow::Result<Client> {
        self.join(self.hello(who)).await
    }

    /// Such a client with subscriptions, each with its options byte.
    pub(super) async fn subscriber(&self, who: &str, filters: &[(&str, u8)]) -> anyhow::Result<Client> {
        let mut client = self.client(who).await?;
        self.subscribe(&mut client, filters).await?;
        Ok(client)
    }

    /// Subscribes and expects to be granted what was asked for.
    pub(super) async fn subscribe(&self, client: &mut Client, filters: &[(&str, u8)]) -> anyhow::Result<()> {
        let codes = client.subscribe(filters).await?;
        let asked: Vec<_> = filters.iter().map(|(_, options)| options & 3).collect();
        super::case::equal("granted", codes, asked)
    }

    /// Publishes one message with a client of its own, and returns when the server has dealt with it.
    pub(super) async fn tell(&self, topic: &str, payload: &str, qos: u8) -> anyhow::Result<()> {
        self.say(Publish::new(topic, payload).qos(qos)).await
    }

    /// Leaves a retained message with a client of its own.
    pub(super) async fn retain(&self, topic: &str, payload: &str, qos: u8) -> anyhow::Result<()> {
        self.say(Publish::new(topic, payload).qos(qos).retained()).await
    }

    /// Publishes one message, whatever is in it, with a client of its own.
    pub(super) async fn say(&self, publish: Publish) -> anyhow::Result<()> {
        let mut client = self.client("teller").await?;
        let code = client.publish_all_of(publish).await?;
        ensure!(code < 0x80, "the message is refused with {code:#04x}");
        client.ping().await
    }

    pub(super) async fn open(&self) -> anyhow::Result<Wire> {
        Wire::open(self.server).await
    }

    /// Waits for the CONNACK on a connection on which the CONNECT was sent already.
    pub(super) async fn let_in(&self, wire: Wire) -> anyhow::Result<Client> {
        Client::answered(wire, self.level).await?.map_err(|connack| anyhow!("refused: {connack:?}"))
    }

    pub(super) async fn ask(&self, hello: Connect) -> anyhow::Result<Result<Client, Connack>> {
        Client::ask(self.server, hello).await
    }

    /// Sends the first bytes of a connection; the server must close it, with a CONNACK of one of the codes or without.
    pub(super) async fn not_let_in(&self, bytes: &[u8], codes: &[u8]) -> anyhow::Result<()> {
        let mut wire = self.open().await?;
        wire.send(bytes).await?;
        let Some(answer) = wire.receive().await? else { return Ok(()) };
        // Who speaks another version may be answered in the oldest that all understand: two bytes.
        let level = if answer.body.len() == 2 { 4 } else { self.level };
        match Answer::read(level, &answer)? {
            Answer::Connack(connack) => {
                ensure!(codes.contains(&connack.code), "an unfit CONNACK: {connack:?}");
                ensure!(!connack.present, "a refusal with a session: {connack:?}");
            }
            other => bail!("not closed: {other:?}"),
        }
        ensure!(wire.receive().await?.is_none(), "still open after the refusal");
        Ok(())
    }

    /// The server must end the connection for what it was just sent; where version 5 says why, it is with one of these codes.
    pub(super) async fn cut_off(&self, client: &mut Client, codes: &[u8]) -> anyhow::Result<()> {
        client.acknowledges = false;
        // A server that goes on answers a ping, so that nobody waits for an end that does not come. One that closed already
        // may not take it.
        let _ = client.send_bytes(&packet(0xC0, &[])).await;
        let mut reason = None;
        while let Some(answer) = client.next().await? {
            ensure!(reason.is_none(), "{answer:?} after a DISCONNECT");
            match answer {
                Answer::Pong => bail!("the connection goes on"),
                Answer::Disconnect(goodbye) => reason = Some(goodbye.code),
                _ => {}
            }
        }
        if let Some(code) = reason {
            ensure!(codes.contains(&code), "cut off with {code:#04x} and not {codes:x?}");
        }
        Ok(())
    }

    /// Lets more than so many seconds pass on the server's clock: a client that says nothing for one and a half times its
    /// keep-alive is thrown out.
    pub(super) async fn pass(&self, seconds: u16) -> anyhow::Result<()> {
        self.join(self.hello("hourglass").keep_alive(seconds)).await?.ended().await.map(|_| ())
    }
}
