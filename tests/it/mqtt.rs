//! MQTT by hand: frames made byte by byte, so that a test can also make the wrong ones.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{Gateway, PATIENCE};

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
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        Ok(Some(Received { head, body }))
    }
}

/// A packet with the remaining length in front of its body.
pub(crate) fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut length = body.len();
    loop {
        let byte = (length & 0x7F) as u8;
        length >>= 7;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
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
    let mut body = text("MQTT");
    body.extend([level, if credentials.is_some() { 0xC2 } else { 0x02 }, 0, 60]);
    if level == 5 {
        body.push(0);
    }
    body.extend(text(client_id));
    if let Some((user, password)) = credentials {
        body.extend(text(user));
        body.extend(text(password));
    }
    packet(0x10, &body)
}

/// PUBLISH; QoS 1 where there is a packet id. `level` 5 has no properties.
pub(crate) fn publish(level: u8, topic: impl AsRef<[u8]>, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    if let Some(id) = id {
        body.extend(id.to_be_bytes());
    }
    if level == 5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    packet(if id.is_some() { 0x32 } else { 0x30 }, &body)
}

/// SUBSCRIBE to one filter with QoS 1.
pub(crate) fn subscribe(level: u8, id: u16, filter: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if level == 5 {
        body.push(0);
    }
    body.extend(text(filter));
    body.push(1);
    packet(0x82, &body)
}
