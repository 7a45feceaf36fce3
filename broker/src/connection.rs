//! One client's connection, from the first byte to the last.

mod aliases;
mod answers;
mod delivery;
mod end;
mod flow;
mod handshake;
mod link;
mod publish;
mod retained;
mod sightings;
mod subscribe;
mod wire;

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use protocol::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::access::Access;
use crate::codec::{self, Ack, DecodeError, Packet, Version, reason};
use crate::control::Backlog;
use crate::facts::Observed;
use crate::front::{Front, Peer};
use crate::limits::{Allowance, Counted};
use crate::session::{Session, Will};

use aliases::{Aliases, Named};
use answers::Answers;
use end::End;
use handshake::Welcome;
use retained::HandOut;
use wire::{Timers, Wire};

pub(crate) use answers::Owed;
pub(crate) use link::{Link, Reply};

/// Work that a connection waits for, in a box because most never do.
pub(crate) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many bytes one client may have read in a row.
const TURN: usize = 128 * 1024;

/// Serves one socket until it ends; never fails, whatever the peer does.
pub(crate) async fn serve(front: Arc<Front>, socket: TcpStream, peer: Peer) {
    // In a box of its own, since it needs more room than the rest of a connection's life.
    let Some((mut wire, welcome, mut counted)) = Box::pin(handshake::shake(&front, socket, peer)).await
    else {
        return;
    };
    Connection::new(&front, welcome).live(&mut wire, &mut counted).await;
}

/// The same for a stream of which the transport is open already.
#[cfg(any(test, fuzzing))]
pub(crate) async fn serve_stream<S>(front: Arc<Front>, stream: S, mut peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire::new(stream);
    if let Some(welcome) = handshake::shake_on(&front, &mut wire, &peer).await {
        peer.counted.welcome();
        Connection::new(&front, welcome).live(&mut wire, &mut peer.counted).await;
    }
}

/// What became of a packet.
enum Step {
    Done,
    /// Dealt with, but nothing more is taken from this client before that is done: back-pressure.
    After(Wait),
    /// Not dealt with yet: the same packet again after that.
    Again(Wait),
}

impl Step {
    /// What to wait for.
    fn work(&mut self) -> Option<&mut Wait> {
        match self {
            Self::Done => None,
            Self::After(work) | Self::Again(work) => Some(work),
        }
    }
}

struct Connection<'a> {
    front: &'a Arc<Front>,
    version: Version,
    access: Access,
    /// The device's own pings topic: the hot path compares before it parses.
    pings_topic: Box<str>,
    session: Arc<Session>,
    /// Which connection of the session this is: one that was taken over must not take what is the next one's to send.
    generation: u64,
    link: Arc<Link>,
    /// When it signed in.
    since: Timestamp,
    will: Option<Will>,
    timers: Timers,
    /// How many messages with QoS 1 and 2 the client takes at once.
    window: u16,
    maximum_packet_size: usize,
    /// Seconds that the session lives without a connection.
    session_expiry_s: u32,
    /// Whether the client wants to hear reasons beside codes.
    explains: bool,
    /// The topic aliases that the client set.
    named: Named,
    /// Those set for the client.
    aliases: Aliases,
    answers: Answers,
    /// Where it is noted what a device does; none for others.
    observed: Option<Arc<Observed>>,
    /// What it may send.
    allowance: Allowance,
    /// The number of the next batch that is made of what a scanner reports in a format of its own.
    sighted: u32,
    /// Whether a device was handed the commands that wait for it.
    backlog: Backlog,
    /// What was published before the SUBSCRIBE at the front of the buffer is handed out.
    settled: bool,
    /// Something waits in the session for which the write buffer had no room.
    more: bool,
    /// What new subscriptions are still to get, in a box because most of the time there is nothing.
    hand_out: Option<Box<HandOut>>,
}

impl<'a> Connection<'a> {
    fn new(front: &'a Arc<Front>, welcome: Welcome) -> Self {
        Self {
            pings_topic: publish::pings_topic(welcome.access.identity),
            front,
            version: welcome.version,
            access: welcome.access,
            session: welcome.session,
            generation: welcome.generation,
            link: welcome.link,
            since: welcome.since,
            will: welcome.will,
            timers: welcome.timers,
            window: welcome.window,
            maximum_packet_size: welcome.maximum_packet_size,
            session_expiry_s: welcome.session_expiry_s,
            explains: welcome.explains,
            named: Named::new(front.config.topic_alias_maximum),
            aliases: Aliases::new(welcome.topic_aliases.min(front.config.topic_alias_maximum)),
            answers: Answers::default(),
            observed: welcome.observed,
            allowance: welcome.allowance,
            sighted: 0,
            backlog: Backlog::Due,
            settled: false,
            more: false,
            hand_out: None,
        }
    }

    /// From the CONNACK to the end.
    async fn live<S>(&mut self, wire: &mut Wire<S>, counted: &mut Counted)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.front.metrics.connections.inc();
        self.announce();
        self.resume();
        let mut wait = Step::Done;
        let end = self.serve(wire, &mut wait).await;
        tracing::debug!(session = self.session.id, ?end, "connection ended");
        self.front.metrics.connections.dec();
        Box::pin(self.leave(&end)).await;
        self.announce();
        let may_linger = counted.goodbye();
        Box::pin(self.say_goodbye(wire, &end, may_linger)).await;
        if let Step::After(work) = wait {
            work.await; // what was begun is finished, and has its place until then
        }
    }

    /// Handles what comes and sends what waits; while there is something to `wait` for, nothing more is taken from the client.
    async fn serve<S>(&mut self, wire: &mut Wire<S>, wait: &mut Step) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut heard = 0;
        loop {
            if wait.work().is_none() {
                match self.handle_buffered(&mut wire.input, &mut wire.output) {
                    Ok(work) => *wait = work,
                    Err(end) => return end,
                }
            }
            if let Err(end) = self.collect(&mut wire.output) {
                return end;
            }
            if heard >= TURN {
                heard = 0;
                yield_now().await; // whoever sends without end must not keep the others from their turn
            }
            let goes_on = self.hand_out_some();
            if goes_on {
                yield_now().await;
            }
            // What is written makes room in the session; with nothing to write, its client has to acknowledge something first.
            let draining = goes_on || self.more || (self.hand_out.is_some() && !wire.output.is_empty());
            let wants = wire::Wants { reading: !self.is_paused(), draining };
            match wire.progress(wants, wait, &self.link, &mut self.timers).await {
                Ok(read) => heard += read,
                Err(end) => return end,
            }
        }
    }

    /// While this many answers wait for a commit, the socket is not read: back-pressure, not loss. A version 5 client knows
    /// how many messages it may send, and breaks the protocol with the next; it is held back only where it sends more
    /// than these, such as a PUBREL for each.
    fn is_paused(&self) -> bool {
        let most = usize::from(self.front.config.receive_maximum);
        self.answers.len() >= if self.version == Version::V4 { most } else { 2 * most }
    }

    /// Handles each whole packet in the buffer, or as many as can be without waiting; then answers what to wait for.
    fn handle_buffered(&mut self, buffer: &mut BytesMut, out: &mut Vec<u8>) -> Result<Step, End> {
        let mut heard = false;
        let mut wait = Step::Done;
        while wait.work().is_none() && !self.is_paused() {
            let Some(frame) =
                codec::frame(buffer, self.front.config.maximum_packet_size).map_err(End::Broken)?
            else {
                break;
            };
            heard = true;
            let packet = codec::decode(buffer, frame, self.version).map_err(End::Broken)?;
            match self.handle(packet, out)? {
                Step::Done => buffer.advance(frame.len),
                Step::After(work) => {
                    buffer.advance(frame.len);
                    wait = Step::After(work);
                }
                again @ Step::Again(_) => wait = again,
            }
        }
        if heard {
            self.timers.heard(Instant::now());
            if let Some(observed) = &self.observed {
                observed.heard(self.front.clock.now());
            }
        }
        Ok(wait)
    }

    fn handle(&mut self, packet: Packet<'_>, out: &mut Vec<u8>) -> Result<Step, End> {
        match packet {
            Packet::Publish(publish) => return self.publish(&publish),
            Packet::PubAck(ack) => self.puback(ack),
            Packet::PubRec(ack) => self.pubrec(ack),
            Packet::PubRel(ack) => self.pubrel(ack),
            Packet::PubComp(ack) => self.pubcomp(ack),
            Packet::Subscribe { id, filters, identifier } => return self.subscribe(id, filters, identifier),
            Packet::Unsubscribe { id, filters } => return Ok(self.unsubscribe(id, filters)),
            Packet::PingReq => codec::pingresp(out),
            Packet::Disconnect(disconnect) => {
                if let Some(seconds) = disconnect.session_expiry {
                    // A session that was to end with the connection cannot be prolonged now (MQTT-3.14.2-2).
                    if self.session_expiry_s == 0 && seconds > 0 {
                        return Err(End::Broken(DecodeError::Protocol));
                    }
                    self.session_expiry_s = seconds.min(self.front.config.session_expiry_s);
                }
                return Err(End::Goodbye { with_will: disconnect.reason != reason::SUCCESS });
            }
            Packet::Connect(_) => return Err(End::Broken(DecodeError::Protocol)), // MQTT-3.1.0-2
        }
        Ok(Step::Done)
    }

    /// Acknowledgements that became known, and messages for the client, into the write buffer.
    fn collect(&mut self, out: &mut Vec<u8>) -> Result<(), End> {
        let (session, generation, answers) = (&self.session, self.generation, &mut self.answers);
        let closed = self.link.take(|settled| {
            answers.settle(settled);
            if settled.owed == Owed::Ack(Ack::Pubrec) {
                // A refused QoS 2 message is over: its packet id is free (section 4.3.3).
                if settled.code >= 0x80 {
                    session.release(settled.id)
                } else {
                    session.take_in(generation, settled.id)
                };
            }
        });
        if let Some(code) = closed {
            return Err(End::Closed(code));
        }
        self.answers.write(out, self.version, self.maximum_packet_size);
        self.deliver(out);
        Ok(())
    }

    /// Counts a refusal for want of quota, and notes it where it is a device's.
    fn limited(&self, limit: &'static str) {
        self.front.metrics.refuse(limit);
        if let Some(observed) = &self.observed {
            observed.limited(limit, self.front.clock.now());
        }
    }

    /// Counts a refusal, and notes it where it is a device's.
    fn refuse(&self, cause: &'static str) {
        self.front.metrics.refuse(cause);
        if let Some(observed) = &self.observed {
            observed.refused(cause, self.front.clock.now());
        }
    }

    /// Tells the organization that its device came or went.
    fn announce(&self) {
        self.front.announce(&self.access);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle connection costs is mostly this.
    #[test]
    fn the_life_of_a_connection_is_small() {
        fn size<F: Future>(_: impl FnOnce(Arc<Front>, TcpStream, Peer) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(serve);
        assert!(size <= 1024, "{size} bytes");
    }
}
