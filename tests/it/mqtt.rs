//! MQTT by hand: frames made byte by byte, so that a test can also make the wrong ones.

mod answer;
mod client;
mod connect;
mod cursor;
mod property;
mod request;
mod socket;
pub(crate) mod web;

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::time::timeout;

pub(crate) use answer::{Ack, Answer, Connack, Delivery};
pub(crate) use client::{Client, LEVELS};
pub(crate) use connect::{Connect, FLAGS, Will};
pub(crate) use property::{Property, encode, limit_of, value_of};
pub(crate) use request::{Publish, acknowledgement, disconnect, subscribe_to, unsubscribe_from};
pub(crate) use socket::{Socket, TLS_VERSIONS};

use crate::world::{Certificate, Gateway, PATIENCE, Transport, World};

/// The first bytes of the acknowledgements.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
pub(crate) const SUBACK: u8 = 0x90;
pub(crate) const UNSUBACK: u8 = 0xB0;

/// A connection that writes what it is told and reads whole packets.
pub(crate) struct Wire {
    socket: Socket,
    /// Over WebSocket: what of the frames read is not yet taken.
    frames: Option<Vec<u8>>,
}

/// A packet from the server: its first byte and everything behind the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) head: u8,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self::from(Socket::plain(server).await?))
    }

    /// Opens a transport of a world; over TLS with a certificate, if there is one to show.
    pub(crate) async fn over(
        world: &World,
        transport: Transport,
        shown: Option<&Certificate>,
    ) -> anyhow::Result<Self> {
        let server = world.address(transport)?;
        let mut socket = if transport.is_secure() {
            Socket::secure(server, &TLS_VERSIONS, &world.authority(), shown).await?
        } else {
            Socket::plain(server).await?
        };
        if !transport.is_web() {
            return Ok(Self::from(socket));
        }
        socket.write_all(web::request("/mqtt", Some("mqtt")).as_bytes()).await?;
        let answer = web::answer(&mut socket).await?;
        ensure!(web::status(&answer)? == 101, "no WebSocket: {answer}");
        Ok(Self { socket, frames: Some(Vec::new()) })
    }

    /// Connects and signs in a device; `level` is 4 or 5.
    pub(crate) async fn signed_in(server: SocketAddr, level: u8, gateway: &Gateway) -> anyhow::Result<Self> {
        let mut wire = Self::open(server).await?;
        let user = gateway.device.to_string();
        wire.send(&connect(level, "client", Some((&user, &gateway.secret)))).await?;
        let answer = wire.receive().await?.context("the server closed")?;
        let code = *answer.body.get(1).context("no code")?;
        if answer.head != 0x20 || code != 0 {
            bail!("not let in: {answer:?}");
        }
        Ok(wire)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.frames.is_some() {
            return self.send_frame(web::BINARY, true, bytes).await;
        }
        Ok(self.socket.write_all(bytes).await?)
    }

    /// Over WebSocket: one frame of any kind.
    pub(crate) async fn send_frame(&mut self, kind: u8, is_last: bool, payload: &[u8]) -> anyhow::Result<()> {
        Ok(self.socket.write_all(&web::frame(kind, is_last, payload)).await?)
    }

    /// Bytes as they are, past all frames.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.socket.write_all(bytes).await?)
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.socket.shutdown().await?)
    }

    /// Breaks the connection off: the server gets a reset and not an end.
    pub(crate) fn reset(self) -> anyhow::Result<()> {
        Ok(self.socket.reset()?)
    }

    /// The next packet; none where the server closed.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Option<Received>> {
        timeout(PATIENCE, self.read_packet()).await.context("the server says nothing")?
    }

    async fn read_packet(&mut self) -> anyhow::Result<Option<Received>> {
        let Ok(head) = self.byte().await else { return Ok(None) };
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte().await?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                ensure!(shift == 0 || byte != 0, "a length of more bytes than it needs");
                break;
            }
            shift += 7;
            ensure!(shift < 28, "a length of more than four bytes");
        }
        let mut body = vec![0; length];
        self.fill(&mut body).await?;
        Ok(Some(Received { head, body }))
    }

    async fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.fill(&mut byte).await?;
        Ok(byte[0])
    }

    /// The next bytes of MQTT, whatever they come in.
    async fn fill(&mut self, into: &mut [u8]) -> io::Result<()> {
        let Some(rest) = &mut self.frames else { return self.socket.read_exact(into).await };
        while rest.len() < into.len() {
            match web::read_frame(&mut self.socket).await? {
                (web::BINARY, payload) => rest.extend(payload),
                (web::CLOSE, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
                (kind, _) => return Err(io::Error::other(format!("a frame of the kind {kind}"))),
            }
        }
        into.copy_from_slice(&rest[..into.len()]);
        rest.drain(..into.len());
        Ok(())
    }
}

/// A socket on which MQTT is spoken at once.
impl From<Socket> for Wire {
    fn from(socket: Socket) -> Self {
        Self { socket, frames: None }
    }
}

/// A packet with the remaining length in front of its body.
pub(crate) fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    bytes.extend(variable(body.len()));
    bytes.extend_from_slice(body);
    bytes
}

/// A variable byte integer: seven bits a byte, the lowest first (MQTT 5, section 1.5.5).
pub(crate) fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        bytes.push(if value > 0 { byte | 0x80 } else { byte });
        if value == 0 {
            return bytes;
        }
    }
}

/// Text with its length in front.
pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

/// CONNECT with a clean session and a keep-alive of a minute.
pub(crate) fn connect(level: u8, client_id: &str, credentials: Option<(&str, &str)>) -> Vec<u8> {
    let hello = Connect::new(level, client_id);
    credentials.map_or(hello.clone(), |(user, password)| hello.user(user).password(password)).bytes()
}

/// PUBLISH; QoS 1 where there is a packet id. `level` 5 has no properties.
pub(crate) fn publish(level: u8, topic: impl AsRef<[u8]>, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let publish = Publish::new(topic, payload);
    id.map_or(publish.clone(), |id| publish.qos(1).id(id)).bytes(level)
}

/// SUBSCRIBE to one filter with QoS 1.
pub(crate) fn subscribe(level: u8, id: u16, filter: &str) -> Vec<u8> {
    subscribe_to(level, id, &[(filter, 1)], &[])
}
