//! From the first byte to the CONNACK: who is it, may they come in, and which session is theirs.

mod asked;
mod observed;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use protocol::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use asked::Asked;
use observed::{note_refusal, observe};
use refusal::{Refused, check_client_id, check_will, refuse};

use super::Link;
use super::wire::{Timers, Wire};
use crate::access::Access;
use crate::codec::{self, Connect, DecodeError, Packet, Property, Version, reason};
use crate::facts::Observed;
use crate::front::{Front, Peer};
use crate::journal::expiry;
use crate::limits::{Allowance, Counted, Over, origin};
use crate::message::{Draft, Message};
use crate::session::{Session, SessionKey, Will};
use crate::sessions::Wish;
use crate::sign_in::{Refusal, SignedIn};
use crate::transport::{self, Stream};

/// A client that was let in; its CONNACK is in the write buffer.
pub(super) struct Welcome {
    pub(super) version: Version,
    pub(super) access: Access,
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
    pub(super) link: Arc<Link>,
    pub(super) will: Option<Will>,
    pub(super) timers: Timers,
    pub(super) window: u16,
    pub(super) maximum_packet_size: usize,
    pub(super) session_expiry_s: u32,
    pub(super) topic_aliases: u16,
    pub(super) explains: bool,
    pub(super) since: Timestamp,
    pub(super) observed: Option<Arc<Observed>>,
    pub(super) allowance: Allowance,
}

/// The largest CONNECT taken: a will and a password of 64 KiB each. Whoever has not signed in gets no more of our memory.
const MAX_CONNECT: usize = 132 * 1024;
/// What the request for a WebSocket may have beside it.
const MAX_REQUEST: usize = 16 * 1024;

/// Opens the transport and reads the CONNECT within one deadline, and answers it. `None`: the peer was refused or went, and
/// has been told.
pub(super) async fn shake(
    front: &Arc<Front>,
    socket: TcpStream,
    mut peer: Peer,
) -> Option<(Wire<Stream>, Welcome, Counted)> {
    let deadline = Instant::now() + Duration::from_secs(front.config.connect_timeout_s);
    let largest = front.config.maximum_packet_size;
    let opening =
        transport::open(peer.transport, socket, front.tls.as_deref(), largest, MAX_CONNECT + MAX_REQUEST);
    let opened = tokio::select! {
        biased;
        opened = timeout_at(deadline, opening) => opened,
        () = front.shutdown.cancelled() => return None,
    };
    let stream = match opened {
        Ok(Ok((stream, certificate))) => {
            peer.certificate = certificate;
            peer.is_foreign = stream.is_foreign();
            stream
        }
        Ok(Err(error)) => {
            front.metrics.refuse(error.cause());
            tracing::debug!(%error, address = %peer.address, "not opened");
            return None;
        }
        Err(_) => {
            front.metrics.refuse("connect_timeout");
            return None;
        }
    };
    let mut wire = Wire::new(stream);
    let welcome = welcome(front, &mut wire, &peer, deadline).await?;
    peer.counted.welcome();
    wire.stream().open();
    Some((wire, welcome, peer.counted))
}

/// Reads the CONNECT from an open stream and answers it.
#[cfg(any(test, fuzzing))]
pub(super) async fn shake_on<S>(front: &Arc<Front>, wire: &mut Wire<S>, peer: &Peer) -> Option<Welcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = Instant::now() + Duration::from_secs(front.config.connect_timeout_s);
    welcome(front, wire, peer, deadline).await
}

async fn welcome<S>(front: &Arc<Front>, wire: &mut Wire<S>, peer: &Peer, deadline: Instant) -> Option<Welcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let read = tokio::select! {
        biased;
        read = timeout_at(deadline, read_connect(wire)) => read,
        () = front.shutdown.cancelled() => return None,
    };
    let (frame, version) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(NoConnect::Gone)) => return None,
        Ok(Err(NoConnect::Broken(error))) => {
            front.metrics.refuse(error.cause());
            if error == DecodeError::UnsupportedVersion {
                // MQTT 5 section 3.1.2.2 and MQTT 3.1.1 MQTT-3.1.2-2: each version has its own way to say it.
                let newer =
                    wire.input.windows(5).take(8).any(|bytes| bytes.starts_with(b"MQTT") && bytes[4] > 5);
                let (version, code) = if newer { (Version::V5, error.reason()) } else { (Version::V4, 1) };
                refuse(wire, version, code, None).await;
            }
            return None;
        }
        Err(_) => {
            front.metrics.refuse("connect_timeout");
            return None;
        }
    };
    let packet = codec::decode(&wire.input, frame, version);
    let admitted = match &packet {
        Ok(Packet::Connect(connect)) => admit(front, connect, version, peer, deadline).await,
        Ok(_) => Err(Refused::new(reason::PROTOCOL_ERROR, 0, DecodeError::Protocol.cause())),
        // 3.1.1 has no code for a malformed CONNECT and just closes (MQTT-4.8.0-1).
        Err(error) => Err(Refused::new(error.reason(), 0, error.cause())),
    };
    match admitted {
        Ok((welcome, answer)) => {
            wire.input.advance(frame.len);
            wire.output = answer;
            Some(welcome)
        }
        Err(Refused { v5, v4, cause }) => {
            let mut slow_down = Duration::ZERO;
            front.metrics.refuse(cause);
            if let Ok(Packet::Connect(connect)) = &packet {
                note_refusal(front, connect.user_name, peer, cause);
                let device = connect.user_name.and_then(|name| name.parse().ok());
                if v5 == reason::BAD_CREDENTIALS {
                    let address = origin(peer.address.ip());
                    slow_down = front.limits.failures.note(address, device, Instant::now());
                }
            }
            // Guessing is slow; the right password never waits.
            tokio::select! {
                () = sleep(slow_down) => {}
                () = front.shutdown.cancelled() => {}
            }
            tracing::debug!(cause, "sign-in refused");
            let code = if version == Version::V5 { v5 } else { v4 };
            if code != 0 {
                let maximum = match &packet {
                    Ok(Packet::Connect(connect)) => {
                        Asked::read(connect).map_or(0, |it| it.maximum_packet_size)
                    }
                    _ => 0,
                };
                refuse(wire, version, code, Some((cause, maximum))).await;
            }
            None
        }
    }
}

/// Why no CONNECT came.
enum NoConnect {
    Gone,
    Broken(DecodeError),
}

async fn read_connect<S>(wire: &mut Wire<S>) -> Result<(codec::Frame, Version), NoConnect>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // A first byte that no CONNECT has is told from a slow CONNECT at once.
        if wire.input.first().is_some_and(|&head| head != 0x10) {
            return Err(NoConnect::Broken(DecodeError::Protocol));
        }
        if let Some(frame) = codec::frame(&wire.input, MAX_CONNECT).map_err(NoConnect::Broken)? {
            let version = codec::protocol_version(&wire.input, frame).map_err(NoConnect::Broken)?;
            return Ok((frame, version));
        }
        wire.read().await.ok_or(NoConnect::Gone)?;
    }
}

async fn admit(
    front: &Arc<Front>,
    connect: &Connect<'_>,
    version: Version,
    peer: &Peer,
    deadline: Instant,
) -> Result<(Welcome, Vec<u8>), Refused> {
    let asked = Asked::read(connect)?;
    check_client_id(connect, version)?;
    let limited = |Over(limit)| Refused::new(reason::QUOTA_EXCEEDED, 3, limit);
    let too_often = |Over(limit)| Refused::new(reason::CONNECTION_RATE_EXCEEDED, 3, limit);
    peer.counted.sign_in().map_err(too_often)?;
    let changes = front.sign_in.changes();
    let signed_in = front.sign_in.sign_in(connect.user_name, connect.password, peer).await?;
    let SignedIn { access, expires_at, credential } = signed_in;
    let will = match &connect.will {
        Some(will) if check_will(will, &access, &front.sign_in.registry)? => Some(will),
        _ => None,
    };
    let assigned = connect.client_id.is_empty().then(|| front.assign_client_id());
    let client_id = assigned.as_deref().unwrap_or(connect.client_id).into();
    let key = SessionKey { identity: access.identity, client_id };
    let takes_over = front.sessions.is_in_use(&key);
    let allowance = front.limits.allow(key.identity, access.organization, takes_over).map_err(limited)?;
    let longest = front.config.session_expiry_s;
    let session_expiry_s = match version {
        Version::V4 if connect.clean => 0,
        Version::V4 => longest,
        Version::V5 => asked.session_expiry.min(longest),
    };
    let link = Arc::new(Link::default());
    let most = front.limits.connections(access.identity);
    let attached = front.sessions.attach(
        key,
        &Wish {
            clean: connect.clean,
            expiry_s: session_expiry_s,
            organization: access.organization,
            credential,
            most,
        },
        &link,
    );
    let attached = attached.ok_or(Refused::new(reason::QUOTA_EXCEEDED, 3, "connections_per_device"))?;
    if front.shutdown.is_cancelled() {
        link.close(reason::SERVER_SHUTTING_DOWN); // the round that tells everybody may have passed already
    }
    let will = will.map(|will| read_will(will, &access, &attached.session));
    let back_out = |expiry_s, refused| {
        front.sessions.keep_will(&attached.session, attached.generation, None);
        front.sessions.detach(&attached.session, attached.generation, expiry_s);
        Err(refused)
    };
    if will.is_some() && !front.sessions.keep_will(&attached.session, attached.generation, will.clone()) {
        return back_out(session_expiry_s, Refused::new(reason::QUOTA_EXCEEDED, 3, "will_bytes"));
    }
    if front.sign_in.changes() != changes
        && let Err(refusal) = front.sign_in.sign_in(connect.user_name, connect.password, peer).await
    {
        // The round that ends what these credentials opened may have passed before the session was there.
        let is_over = matches!(refusal, Refusal::BadCredentials | Refusal::NotAuthorized);
        return back_out(if is_over { 0 } else { session_expiry_s }, refusal.into());
    }
    if (attached.session.durable || attached.replaces) && !is_committed(front, deadline).await {
        return back_out(session_expiry_s, Refusal::Unavailable.into());
    }
    let since = front.clock.now();
    let observed = observe(front, &access, &attached.session, credential, version, peer, since);
    let server_keep_alive = front.server_keep_alive(version, connect.keep_alive);
    let mut answer = Vec::with_capacity(64);
    let offer = codec::Offer {
        assigned_client_id: assigned.as_deref(),
        receive_maximum: front.config.receive_maximum,
        maximum_packet_size: front.config.maximum_packet_size as u32,
        topic_alias_maximum: front.config.topic_alias_maximum,
        session_expiry: (session_expiry_s != asked.session_expiry).then_some(session_expiry_s),
        server_keep_alive,
        response_information: front
            .config
            .response_information
            .as_deref()
            .filter(|_| asked.response_information),
    };
    codec::connack(&mut answer, version, attached.present, reason::SUCCESS, Some(offer), None);
    let keep_alive_s = u64::from(server_keep_alive.unwrap_or(connect.keep_alive));
    // One and a half times the keep-alive (MQTT-3.1.2-22).
    let keep_alive = (keep_alive_s > 0).then(|| Duration::from_millis(keep_alive_s * 1500));
    let welcome = Welcome {
        version,
        access,
        session: attached.session,
        generation: attached.generation,
        link,
        will,
        timers: Timers::new(keep_alive, expires_at),
        window: asked.receive_maximum,
        maximum_packet_size: asked.maximum_packet_size,
        session_expiry_s,
        topic_aliases: asked.topic_aliases,
        explains: asked.explains,
        since,
        observed,
        allowance,
    };
    Ok((welcome, answer))
}

/// Whether all that was noted of sessions is committed in time. Until then nothing is said to a client that comes back: it
/// would be told again, and believe, what a crash could still undo (decision 0012).
async fn is_committed(front: &Front, deadline: Instant) -> bool {
    tokio::select! {
        committed = timeout_at(deadline, front.journal.committed()) => committed.unwrap_or(false),
        () = front.shutdown.cancelled() => false,
    }
}

/// The will as it is published, should it be.
fn read_will(will: &codec::Will<'_>, access: &Access, session: &Session) -> Will {
    let delay = |property| if let Property::WillDelay(delay_s) = property { Some(delay_s) } else { None };
    let message = Message::new(Draft {
        organization: access.organization,
        publisher: session.id,
        topic: will.topic,
        properties: &will.properties.forwarded(),
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        // Its time begins when it is published (section 3.1.3.2.4), and one of no seconds is over at once.
        expires_at: will.properties.message_expiry().map(|s| expiry(Timestamp(0), s).max(Timestamp(1))),
    });
    Will { message, delay_s: will.properties.iter().find_map(delay).unwrap_or(0) }
}
