//! From the first byte to the CONNACK: who is it, may they come in, and which session is theirs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Link;
use super::wire::{Timers, Wire};
use crate::access::{Access, Route};
use crate::codec::{self, Connect, DecodeError, Detail, Packet, Property, Version, reason};
use crate::front::{Front, Peer};
use crate::journal::expiry;
use crate::message::{Draft, Message};
use crate::session::{Session, SessionKey, Will};
use crate::sessions::Wish;
use crate::sign_in::{Refusal, SignedIn};

/// A client that was let in; its CONNACK is in the write buffer.
pub(super) struct Welcome {
    pub(super) version: Version,
    pub(super) access: Access,
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
    pub(super) link: Arc<Link>,
    pub(super) will: Option<Will>,
    pub(super) timers: Timers,
    pub(super) window: usize,
    pub(super) maximum_packet_size: usize,
    pub(super) session_expiry_s: u32,
    pub(super) topic_aliases: u16,
    pub(super) explains: bool,
}

/// The largest CONNECT taken: a will and a password of 64 KiB each. Whoever has not signed in gets no more of our memory.
const MAX_CONNECT: usize = 132 * 1024;
/// The longest client id taken; the standard asks for 23 bytes at least and leaves the rest to the server.
const MAX_CLIENT_ID: usize = 256;
/// How long a refused peer may take to read why.
const REFUSAL: Duration = Duration::from_secs(5);

/// Reads the CONNECT within its deadline and answers it. `None`: the peer was refused or went, and has been told.
pub(super) async fn shake<S>(front: &Arc<Front>, wire: &mut Wire<S>, peer: &Peer) -> Option<Welcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = Duration::from_secs(front.config.connect_timeout_s);
    let read = tokio::select! {
        biased;
        read = timeout(deadline, read_connect(wire)) => read,
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
    let admitted = match packet {
        Ok(Packet::Connect(connect)) => admit(front, &connect, version, peer).await,
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
            front.metrics.refuse(cause);
            tracing::debug!(cause, "sign-in refused");
            let code = if version == Version::V5 { v5 } else { v4 };
            if code != 0 {
                refuse(wire, version, code, Some(cause)).await;
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

/// The version 5 code, the 3.1.1 code (0: just close) and the cause counted.
struct Refused {
    v5: u8,
    v4: u8,
    cause: &'static str,
}

impl Refused {
    fn new(v5: u8, v4: u8, cause: &'static str) -> Self {
        Self { v5, v4, cause }
    }
}

async fn admit(
    front: &Arc<Front>,
    connect: &Connect<'_>,
    version: Version,
    peer: &Peer,
) -> Result<(Welcome, Vec<u8>), Refused> {
    let asked = Asked::read(connect)?;
    if connect.client_id.len() > MAX_CLIENT_ID {
        return Err(Refused::new(reason::CLIENT_IDENTIFIER_NOT_VALID, 2, "client_id_too_long"));
    }
    // An empty client id in 3.1.1 is for clean sessions alone (MQTT-3.1.3-8).
    if version == Version::V4 && connect.client_id.is_empty() && !connect.clean {
        return Err(Refused::new(reason::CLIENT_IDENTIFIER_NOT_VALID, 2, "client_id_missing"));
    }
    let signed_in = front.sign_in.sign_in(connect.user_name, connect.password, peer).await;
    let SignedIn { access, expires_at } = signed_in.map_err(|refusal| match refusal {
        Refusal::BadCredentials => Refused::new(reason::BAD_CREDENTIALS, 4, "bad_credentials"),
        Refusal::NotAuthorized => Refused::new(reason::NOT_AUTHORIZED, 5, "sign_in_missing"),
        Refusal::Unavailable => Refused::new(reason::SERVER_UNAVAILABLE, 3, "store_unavailable"),
    })?;
    if let Some(will) = &connect.will {
        if access.publish(will.topic) != Some(Route::Free) {
            return Err(Refused::new(reason::NOT_AUTHORIZED, 5, "will_not_authorized"));
        }
        if will.properties.claims_text() && std::str::from_utf8(will.payload).is_err() {
            return Err(Refused::new(reason::PAYLOAD_FORMAT_INVALID, 0, DecodeError::PayloadFormat.cause()));
        }
    }
    let assigned = connect.client_id.is_empty().then(|| front.assign_client_id());
    let longest = front.config.session_expiry_s;
    let session_expiry_s = match version {
        Version::V4 if connect.clean => 0,
        Version::V4 => longest,
        Version::V5 => asked.session_expiry.min(longest),
    };
    let link = Arc::new(Link::default());
    let client_id = assigned.as_deref().unwrap_or(connect.client_id).into();
    let attached = front.sessions.attach(
        SessionKey { identity: access.identity, client_id },
        &Wish { clean: connect.clean, expiry_s: session_expiry_s, organization: access.organization },
        &link,
    );
    if front.shutdown.is_cancelled() {
        link.close(reason::SERVER_SHUTTING_DOWN); // the round that tells everybody may have passed already
    }
    let will = connect.will.as_ref().map(|will| {
        let delay = |property| if let Property::WillDelay(delay_s) = property { Some(delay_s) } else { None };
        let message = Message::new(Draft {
            organization: access.organization,
            publisher: attached.session.id,
            topic: will.topic,
            properties: &will.properties.forwarded(),
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            expires_at: will.properties.message_expiry().map(|s| expiry(front.clock.now(), s)),
        });
        Will { message, delay_s: will.properties.iter().find_map(delay).unwrap_or(0) }
    });
    if will.is_some() {
        front.sessions.keep_will(&attached.session, attached.generation, will.clone());
    }
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
        window: usize::from(asked.receive_maximum),
        maximum_packet_size: asked.maximum_packet_size,
        session_expiry_s,
        topic_aliases: asked.topic_aliases,
        explains: asked.explains,
    };
    Ok((welcome, answer))
}

/// What a version 5 client asks for in its CONNECT.
struct Asked {
    session_expiry: u32,
    receive_maximum: u16,
    maximum_packet_size: usize,
    topic_aliases: u16,
    response_information: bool,
    explains: bool,
}

impl Asked {
    fn read(connect: &Connect<'_>) -> Result<Self, Refused> {
        let mut asked = Self {
            session_expiry: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: usize::MAX,
            topic_aliases: 0,
            response_information: false,
            explains: true,
        };
        let (mut method, mut data) = (false, false);
        for property in connect.properties.iter() {
            match property {
                Property::SessionExpiry(seconds) => asked.session_expiry = seconds,
                Property::ReceiveMaximum(count) => asked.receive_maximum = count,
                Property::MaximumPacketSize(bytes) => asked.maximum_packet_size = bytes as usize,
                Property::TopicAliasMaximum(count) => asked.topic_aliases = count,
                Property::RequestResponseInformation(wanted) => asked.response_information = wanted == 1,
                Property::RequestProblemInformation(wanted) => asked.explains = wanted == 1,
                Property::AuthenticationMethod(_) => method = true,
                Property::AuthenticationData(_) => data = true,
                _ => {}
            }
        }
        if method {
            return Err(Refused::new(reason::BAD_AUTHENTICATION_METHOD, 0, "authentication_method"));
        }
        if data {
            // Section 3.1.2.11.10: data without a method.
            return Err(Refused::new(reason::PROTOCOL_ERROR, 0, DecodeError::Protocol.cause()));
        }
        Ok(asked)
    }
}

async fn refuse<S>(wire: &mut Wire<S>, version: Version, code: u8, limit: Option<&str>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limit = limit.filter(|_| code == reason::QUOTA_EXCEEDED || code == reason::CONNECTION_RATE_EXCEEDED);
    let detail = limit.map(|limit| Detail { reason: "over a limit", limit: Some(limit) });
    codec::connack(&mut wire.output, version, false, code, None, detail);
    wire.finish(REFUSAL).await;
}
