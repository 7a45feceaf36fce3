//! MQTT by hand: frames made byte by byte, so that a test can also make the wrong ones.

mod answer;
mod client;
mod connect;
mod cursor;
mod property;
mod request;

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use answer::{Ack, Answer, Connack, Delivery};
pub(crate) use client::{Client, LEVELS};
pub(crate) use connect::{Connect, FLAGS, Will};
pub(crate) use property::{Property, encode, value_of};
pub(crate) use request::{Publish, acknowledgement, disconnect, subscribe_to, unsubscribe_from};

use crate::world::{Gateway, PATIENCE};

/// The first bytes of the acknowledgements.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
pub(crate) const SUBACK: u8 = 0x90;
pub(crate) const UNSUBACK: u8 = 0xB0;

/// A connection that writes what it is told and reads whole packets.
pub(crate) struct Wire {
    socket: TcpStream,
}

/// A packet from the server: its first byte and everything behind the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) head: u8,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket })
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
        Ok(self.socket.write_all(bytes).await?)
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.socket.shutdown().await?)
    }

    /// The next packet; none where the server closed.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Option<Received>> {
        timeout(PATIENCE, self.read_packet()).await.context("the server says nothing")?
    }

    async fn read_packet(&mut self) -> anyhow::Result<Option<Received>> {
        let Ok(head) = self.socket.read_u8().await else { return Ok(None) };
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.socket.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                ensure!(shift == 0 || byte != 0, "a length of more bytes than it needs");
                break;
            }
            shift += 7;
            ensure!(shift < 28, "a length of more than four bytes");
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        Ok(Some(Received { head, body }))
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
