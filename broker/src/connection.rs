//! One client's connection, from the first byte to the last.

mod handshake;
mod link;
mod publish;
mod subscribe;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::Access;
use crate::codec::{self, DecodeError, Delivery, Packet, Version, reason};
use crate::front::Front;
use crate::session::{Outgoing, Session};

pub(crate) use link::Link;

/// How long a peer may take to accept what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// What is written in one go at the most before the socket gets it.
const WRITE_CHUNK: usize = 64 * 1024;
const READ_CHUNK: usize = 4 * 1024;
const READ_CHUNK_MAX: usize = 64 * 1024;

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client said goodbye; `with_will` if it asked for its will all the same.
    Goodbye { with_will: bool },
    /// The socket closed or broke, or the peer took nothing.
    Lost,
    /// The keep-alive passed without a packet.
    Silent,
    /// The client broke the protocol.
    Broken(DecodeError),
    /// Something not allowed was asked for; the code and the cause counted.
    Refused(u8, &'static str),
    /// The server ends it: taken over, revoked, expired, shutting down.
    Closed(u8),
}

/// Serves one socket until it ends; never fails, whatever the peer does.
pub(crate) async fn serve<S>(front: Arc<Front>, mut socket: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::with_capacity(READ_CHUNK);
    let Some(welcome) = handshake::shake(&front, &mut socket, &mut buffer).await else { return };
    let keep_alive = welcome.keep_alive;
    let deadline = keep_alive.map(|every| Instant::now() + every);
    front.metrics.connections.inc();
    let mut connection = Connection {
        pings_topic: publish::pings_topic(welcome.access.identity),
        front: &front,
        version: welcome.version,
        access: welcome.access,
        session: welcome.session,
        generation: welcome.generation,
        link: welcome.link,
        window: welcome.window,
        maximum_packet_size: welcome.maximum_packet_size,
        session_expiry: welcome.session_expiry,
        out: welcome.answer,
        acks: VecDeque::new(),
    };
    connection.announce().await;
    let timers = Timers { keep_alive, silent_at: deadline, expires_at: welcome.expires_at };
    let end = connection.run(&mut socket, &mut buffer, timers).await;
    connection.say_goodbye(&mut socket, &end).await;
    front.metrics.connections.dec();
    let with_will = !matches!(end, End::Goodbye { with_will: false });
    if let (true, Some(will)) = (with_will, welcome.will) {
        connection.publish_will(&will).await;
    }
    connection.front.sessions.detach(&connection.session, welcome.generation, connection.session_expiry);
    connection.announce().await;
}

struct Timers {
    keep_alive: Option<Duration>,
    silent_at: Option<Instant>,
    expires_at: Option<Instant>,
}

struct Connection<'a> {
    front: &'a Front,
    version: Version,
    access: Access,
    /// The device's own pings topic: the hot path compares before it parses.
    pings_topic: String,
    session: Arc<Session>,
    /// Which connection of the session this is: one that was taken over must not take what is the next one's to send.
    generation: u64,
    link: Arc<Link>,
    /// How many QoS 1 messages the client takes at once.
    window: usize,
    maximum_packet_size: usize,
    session_expiry: Duration,
    out: Vec<u8>,
    /// QoS 1 messages received and not yet acknowledged, in their order (MQTT-4.6.0-2); the code once it is known.
    acks: VecDeque<(u16, Option<u8>)>,
}

impl Connection<'_> {
    async fn run<S>(&mut self, socket: &mut S, buffer: &mut BytesMut, mut timers: Timers) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let heard = match self.handle_buffered(buffer).await {
                Ok(heard) => heard,
                Err(end) => return end,
            };
            if let Err(end) = self.take_from_link(socket).await {
                return end;
            }
            if self.flush(socket).await.is_err() {
                return End::Lost;
            }
            if heard && let Some(every) = timers.keep_alive {
                timers.silent_at = Some(Instant::now() + every);
            }
            let paused = self.is_paused();
            let room = buffer.capacity() - buffer.len();
            if room < READ_CHUNK / 2 {
                buffer.reserve((buffer.capacity() * 2).clamp(READ_CHUNK, READ_CHUNK_MAX));
            }
            tokio::select! {
                // In this order: what waits in the socket is read before the peer is called silent, since it may have been
                // us who did not read.
                biased;
                () = self.front.shutdown.cancelled() => return End::Closed(reason::SERVER_SHUTTING_DOWN),
                () = until(timers.expires_at) => return End::Closed(reason::NOT_AUTHORIZED),
                () = self.link.signalled() => {}
                read = socket.read_buf(buffer), if !paused => match read {
                    Ok(0) | Err(_) => return End::Lost,
                    Ok(_) => {}
                },
                // A session we stopped reading must not time out for what we did not read.
                () = until(timers.silent_at), if !paused => return End::Silent,
            }
        }
    }

    /// While this many messages wait for their commit, the socket is not read: back-pressure, not loss.
    fn is_paused(&self) -> bool {
        self.acks.len() >= usize::from(self.front.config.receive_maximum)
    }

    /// Handles each whole packet in the buffer; says whether there was one.
    async fn handle_buffered(&mut self, buffer: &mut BytesMut) -> Result<bool, End> {
        let mut heard = false;
        while !self.is_paused() {
            let Some(frame) =
                codec::frame(buffer, self.front.config.maximum_packet_size).map_err(End::Broken)?
            else {
                break;
            };
            heard = true;
            let packet = codec::decode(buffer, frame, self.version).map_err(End::Broken)?;
            self.handle(packet).await?;
            buffer.advance(frame.len);
        }
        Ok(heard)
    }

    async fn handle(&mut self, packet: Packet<'_>) -> Result<(), End> {
        match packet {
            Packet::Publish(publish) => self.publish(&publish).await,
            Packet::PubAck(ack) => {
                if !self.session.state().acknowledge(ack.id) {
                    tracing::debug!(id = ack.id, "a client acknowledged what it was not sent");
                }
                Ok(())
            }
            Packet::Subscribe { id, filters } => {
                self.subscribe(id, filters);
                Ok(())
            }
            Packet::Unsubscribe { id, filters } => {
                self.unsubscribe(id, filters);
                Ok(())
            }
            Packet::PingReq => {
                codec::pingresp(&mut self.out);
                Ok(())
            }
            Packet::Disconnect(disconnect) => {
                if let Some(seconds) = disconnect.session_expiry {
                    // A session that was to end with the connection cannot be prolonged now (MQTT-3.14.2-2).
                    if self.session_expiry.is_zero() && seconds > 0 {
                        return Err(End::Broken(DecodeError::Protocol));
                    }
                    let longest = self.front.config.session_expiry_s;
                    self.session_expiry = Duration::from_secs(u64::from(seconds.min(longest)));
                }
                Err(End::Goodbye { with_will: disconnect.reason == reason::DISCONNECT_WITH_WILL })
            }
            Packet::Connect(_) => Err(End::Broken(DecodeError::Protocol)), // MQTT-3.1.0-2
        }
    }

    /// Acknowledgements that became known, and messages for the client, into the write buffer.
    async fn take_from_link<S: AsyncWrite + Unpin>(&mut self, socket: &mut S) -> Result<(), End> {
        if let Some(code) = self.link.take(&mut |id, code| settle(&mut self.acks, id, code)) {
            return Err(End::Closed(code));
        }
        while let Some(&(id, Some(code))) = self.acks.front() {
            codec::puback(&mut self.out, self.version, id, code);
            self.acks.pop_front();
        }
        loop {
            let next = {
                let mut state = self.session.state();
                if state.generation == self.generation { state.next(self.window) } else { None }
            };
            let Some((id, outgoing)) = next else { return Ok(()) };
            self.write(id, &outgoing);
            if self.out.len() >= WRITE_CHUNK && self.flush(socket).await.is_err() {
                return Err(End::Lost);
            }
        }
    }

    fn write(&mut self, id: u16, outgoing: &Outgoing) {
        let Outgoing { message, qos, retain, again } = outgoing;
        if codec::publish_size(self.version, message, *qos) > self.maximum_packet_size {
            // The client said that it cannot take this; it counts as delivered (MQTT-3.1.2-25).
            self.session.state().acknowledge(id);
            self.front.metrics.dropped.inc();
            return;
        }
        codec::publish(
            &mut self.out,
            self.version,
            message,
            Delivery { qos: *qos, id, retain: *retain, dup: again.is_some() },
        );
        self.front.metrics.sent.inc();
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, socket: &mut S) -> Result<(), ()> {
        if self.out.is_empty() {
            return Ok(());
        }
        // At shutdown nobody waits for a peer that takes nothing; what can be written at once still is.
        let written = tokio::select! {
            biased;
            written = timeout(WRITE_TIMEOUT, socket.write_all(&self.out)) => matches!(written, Ok(Ok(()))),
            () = self.front.shutdown.cancelled() => false,
        };
        self.out.clear();
        if self.out.capacity() > 2 * WRITE_CHUNK {
            self.out.shrink_to(WRITE_CHUNK);
        }
        if written { Ok(()) } else { Err(()) }
    }

    async fn say_goodbye<S: AsyncWrite + Unpin>(&mut self, socket: &mut S, end: &End) {
        let code = match end {
            End::Goodbye { .. } | End::Lost => None,
            End::Silent => {
                self.front.metrics.refuse("keep_alive_timeout");
                Some(reason::KEEP_ALIVE_TIMEOUT)
            }
            End::Broken(error) => {
                self.front.metrics.refuse(error.cause());
                Some(error.reason())
            }
            End::Refused(code, cause) => {
                self.front.metrics.refuse(cause);
                Some(*code)
            }
            End::Closed(code) => {
                if *code == reason::NOT_AUTHORIZED {
                    self.front.metrics.refuse("credentials_ended");
                }
                Some(*code)
            }
        };
        tracing::debug!(session = self.session.id, ?end, "connection ended");
        if let Some(code) = code {
            codec::disconnect(&mut self.out, self.version, code);
        }
        if self.flush(socket).await.is_ok() {
            let _ = timeout(Duration::from_secs(1), socket.shutdown()).await;
        }
    }
}

/// The first message with this id that is still waiting gets its code; ingest answers in the order it was asked.
fn settle(acks: &mut VecDeque<(u16, Option<u8>)>, id: u16, code: u8) {
    if let Some(ack) = acks.iter_mut().find(|ack| ack.0 == id && ack.1.is_none()) {
        ack.1 = Some(code);
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
