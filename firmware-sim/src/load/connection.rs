//! One connection of the load: a window of publishes, and the acknowledgements that come back.

use super::frame::{self, Incoming};
use super::latency::Latencies;
use super::socket::Socket;
use super::template::{FIRST_SEQ, Template};
use super::{EventClock, LoadError};
use protocol::{Receipt, Refused};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A broker that says nothing for so long while something is awaited is broken.
const SILENCE: Duration = Duration::from_secs(30);
/// What is read at once, unless a connection asks for another amount.
const READ: usize = 64 * 1024;

/// Who signs in.
#[derive(Clone, Debug, Default)]
pub(super) struct SignIn {
    pub(super) client_id: String,
    /// User name and password.
    pub(super) user: Option<(String, String)>,
    /// Seconds; 0 is none.
    pub(super) keep_alive: u16,
}

impl SignIn {
    /// Without a name and a password.
    pub(super) fn anonymous(client_id: String) -> Self {
        Self { client_id, ..Self::default() }
    }
}

/// A signed-in connection and what it has read but not understood yet.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    read: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: &str, sign_in: &SignIn) -> Result<Self, LoadError> {
        let socket = Socket::open(TcpStream::connect(address).await?, None).await?;
        Self::sign_in(socket, sign_in, READ).await
    }

    /// Signs in on a connected socket, of which `reads` bytes are read at once.
    pub(super) async fn sign_in(socket: Socket, sign_in: &SignIn, reads: usize) -> Result<Self, LoadError> {
        let mut connection = Self { socket, read: Vec::with_capacity(reads) };
        let mut out = Vec::new();
        frame::connect(&sign_in.client_id, sign_in.user.as_ref(), sign_in.keep_alive, &mut out);
        connection.write(&out).await?;
        let mut answer = None;
        while answer.is_none() {
            connection.receive(|incoming| answer = answer.or(code(&incoming))).await?;
        }
        match answer {
            Some(0) => Ok(connection),
            _ => Err(LoadError::Unexpected(format!("CONNACK {answer:?} for {}", sign_in.client_id))),
        }
    }

    pub(super) async fn subscribe(&mut self, filter: &str, qos: u8) -> Result<(), LoadError> {
        let mut out = Vec::new();
        frame::subscribe(1, filter, qos, &mut out);
        self.write(&out).await?;
        let mut answer = None;
        while answer.is_none() {
            self.receive(|incoming| answer = answer.or(code(&incoming))).await?;
        }
        match answer {
            Some(granted) if granted <= 2 => Ok(()),
            _ => Err(LoadError::Unexpected(format!("SUBACK {answer:?} for {filter}"))),
        }
    }

    /// Another handle of the socket, which like it never blocks: for whoever writes at times of their own.
    pub(super) fn writer(&self) -> Result<std::net::TcpStream, LoadError> {
        let hidden = || LoadError::Plan("with TLS nobody writes past the connection".to_owned());
        Ok(self.socket.plain().ok_or_else(hidden)?.as_fd().try_clone_to_owned()?.into())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.socket.write_all(bytes).await?;
        Ok(self.socket.flush().await?)
    }

    /// Waits for something to come and hands over every complete packet; a broker that stays silent is an error.
    pub(super) async fn receive(&mut self, handle: impl FnMut(Incoming<'_>)) -> Result<(), LoadError> {
        let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "the broker is silent");
        timeout(SILENCE, self.receive_patiently(handle)).await.map_err(silent)?
    }

    /// Waits as long as it takes for something to come and hands over every complete packet.
    ///
    /// May be dropped at any time: what was not handed over stays.
    pub(super) async fn receive_patiently(
        &mut self,
        mut handle: impl FnMut(Incoming<'_>),
    ) -> Result<(), LoadError> {
        if self.socket.read_buf(&mut self.read).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut used = 0;
        while let Some((incoming, length)) = frame::parse(&self.read[used..])? {
            handle(incoming);
            used += length;
        }
        self.read.drain(..used);
        Ok(())
    }
}

fn code(incoming: &Incoming<'_>) -> Option<u8> {
    match incoming {
        Incoming::ConnAck { code } | Incoming::SubAck { code } => Some(*code),
        _ => None,
    }
}

/// A connection with its batches.
#[derive(Debug)]
pub(super) struct Sender {
    connection: Connection,
    topic: String,
    templates: Vec<Template>,
    window: u16,
}

/// What one connection achieved.
#[derive(Debug)]
pub(super) struct Sent {
    /// One for each acknowledged batch.
    pub(super) latencies: Latencies,
    pub(super) refusals: u64,
    pub(super) refused_as: Option<String>,
}

impl Sender {
    pub(super) fn new(connection: Connection, topic: &str, templates: Vec<Template>, window: u16) -> Self {
        Self { connection, topic: topic.to_owned(), templates, window }
    }

    pub(super) fn batch_bytes(&self) -> usize {
        self.templates.first().map_or(0, Template::len)
    }

    /// Keeps the window full until the deadline or until the clock gives no more, then waits for what is left.
    pub(super) async fn send(mut self, clock: &EventClock, deadline: Instant) -> Result<Sent, LoadError> {
        let mut sent = Sent { latencies: Latencies::default(), refusals: 0, refused_as: None };
        let mut free: Vec<u16> = (1..=self.window).rev().collect();
        let mut written_at = vec![Instant::now(); usize::from(self.window) + 1];
        let (mut number, mut out, mut is_over) = (0_usize, Vec::with_capacity(256 * 1024), false);
        loop {
            let now = Instant::now();
            is_over |= now >= deadline;
            out.clear();
            while !is_over && let Some(packet) = free.pop() {
                let Some(at) = clock.next() else {
                    free.push(packet);
                    is_over = true;
                    break;
                };
                let template = &self.templates[number % self.templates.len()];
                frame::publish(&self.topic, packet, template.len(), &mut out);
                template.write(FIRST_SEQ + number as u64, at, &mut out);
                written_at[usize::from(packet)] = now;
                number += 1;
            }
            if !out.is_empty() {
                self.connection.write(&out).await?;
            }
            if is_over && free.len() == usize::from(self.window) {
                self.connection.write(&frame::DISCONNECT).await?;
                return Ok(sent);
            }
            let mut came = None;
            self.connection
                .receive(|incoming| match incoming {
                    Incoming::PubAck { packet } if packet <= self.window => {
                        let now = *came.get_or_insert_with(Instant::now);
                        sent.latencies.record(now - written_at[usize::from(packet)]);
                        free.push(packet);
                    }
                    Incoming::Publish { body, .. } => sent.receipt(body),
                    _ => {}
                })
                .await?;
        }
    }
}

impl Sent {
    fn receipt(&mut self, body: &[u8]) {
        let Ok(receipt) = serde_json::from_slice::<Receipt>(body) else { return };
        self.refusals += receipt.refused.len() as u64;
        if let Some(refused) = receipt.refused.first()
            && self.refused_as.is_none()
        {
            let (Refused::Batches { reason, .. } | Refused::Pings { reason, .. } | Refused::Whole { reason }) =
                refused;
            self.refused_as = Some(reason.to_string());
        }
    }
}
