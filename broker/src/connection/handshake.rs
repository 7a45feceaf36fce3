//! From the first byte to the CONNACK: who is it, may they come in, and which session is theirs.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::Link;
use crate::access::Access;
use crate::codec::{self, Connect, DecodeError, Packet, Property, Version, reason};
use crate::front::Front;
use crate::message::Message;
use crate::session::{Session, SessionKey};
use crate::sign_in::{Refusal, SignedIn};

/// A client that was let in.
pub(super) struct Welcome {
    pub(super) version: Version,
    pub(super) access: Access,
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
    pub(super) link: Arc<Link>,
    pub(super) will: Option<Message>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) expires_at: Option<Instant>,
    pub(super) window: usize,
    pub(super) maximum_packet_size: usize,
    pub(super) session_expiry: Duration,
    /// The CONNACK, to be written first.
    pub(super) answer: Vec<u8>,
}

/// The largest CONNECT taken: a will and a password of 64 KiB each. Whoever has not signed in gets no more of our memory.
const MAX_CONNECT: usize = 132 * 1024;
/// The longest client id taken; the standard asks for 23 bytes at least and leaves the rest to the server.
const MAX_CLIENT_ID: usize = 256;

/// Reads the CONNECT within its deadline and answers it. `None`: the peer was refused or went, and has been told.
pub(super) async fn shake<S>(front: &Arc<Front>, socket: &mut S, buffer: &mut BytesMut) -> Option<Welcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = Duration::from_secs(front.config.connect_timeout_s);
    let read = timeout(deadline, read_connect(socket, buffer)).await;
    let (frame, version) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(NoConnect::Gone)) => return None,
        Ok(Err(NoConnect::Broken(error))) => {
            front.metrics.refuse(error.cause());
            if error == DecodeError::UnsupportedVersion {
                // MQTT 5 section 3.1.2.2 and MQTT 3.1.1 MQTT-3.1.2-2: each version has its own way to say it.
                let newer = buffer.windows(5).take(8).any(|bytes| bytes.starts_with(b"MQTT") && bytes[4] > 5);
                let (version, code) = if newer { (Version::V5, error.reason()) } else { (Version::V4, 1) };
                refuse(socket, version, code).await;
            }
            return None;
        }
        Err(_) => {
            front.metrics.refuse("connect_timeout");
            return None;
        }
    };
    let packet = codec::decode(buffer, frame, version);
    let welcome = match packet {
        Ok(Packet::Connect(connect)) => admit(front, &connect, version).await,
        Ok(_) => Err((reason::PROTOCOL_ERROR, 0, DecodeError::Protocol.cause())),
        // 3.1.1 has no code for a malformed CONNECT and just closes (MQTT-4.8.0-1).
        Err(error) => Err((error.reason(), 0, error.cause())),
    };
    match welcome {
        Ok(welcome) => {
            buffer.advance(frame.len);
            Some(welcome)
        }
        Err((v5, v4, cause)) => {
            front.metrics.refuse(cause);
            tracing::debug!(cause, "sign-in refused");
            let code = if version == Version::V5 { v5 } else { v4 };
            if code != 0 {
                refuse(socket, version, code).await;
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

async fn read_connect<S>(socket: &mut S, buffer: &mut BytesMut) -> Result<(codec::Frame, Version), NoConnect>
where
    S: AsyncRead + Unpin,
{
    loop {
        // A first byte that no CONNECT has is told from a slow CONNECT at once.
        if buffer.first().is_some_and(|&head| head != 0x10) {
            return Err(NoConnect::Broken(DecodeError::Protocol));
        }
        if let Some(frame) = codec::frame(buffer, MAX_CONNECT).map_err(NoConnect::Broken)? {
            let version = codec::protocol_version(buffer, frame).map_err(NoConnect::Broken)?;
            return Ok((frame, version));
        }
        if socket.read_buf(buffer).await.map_err(|_| NoConnect::Gone)? == 0 {
            return Err(NoConnect::Gone);
        }
    }
}

/// Refused: the version 5 code, the 3.1.1 code (0: just close) and the cause counted.
type Refused = (u8, u8, &'static str);

async fn admit(front: &Arc<Front>, connect: &Connect<'_>, version: Version) -> Result<Welcome, Refused> {
    let asked = Asked::read(connect)?;
    if connect.client_id.len() > MAX_CLIENT_ID {
        return Err((0x85, 2, "client_id_too_long"));
    }
    // An empty client id in 3.1.1 is for clean sessions alone (MQTT-3.1.3-8).
    if version == Version::V4 && connect.client_id.is_empty() && !connect.clean {
        return Err((0x85, 2, "client_id_missing"));
    }
    let SignedIn { access, expires_at } =
        front.sign_in.sign_in(connect.user_name, connect.password).await.map_err(
            |refusal| match refusal {
                Refusal::BadCredentials => (reason::BAD_CREDENTIALS, 4, "bad_credentials"),
                Refusal::NotAuthorized => (reason::NOT_AUTHORIZED, 5, "sign_in_missing"),
                Refusal::Unavailable => (reason::SERVER_UNAVAILABLE, 3, "store_unavailable"),
            },
        )?;
    let will = match &connect.will {
        Some(will) if access.publish(will.topic).is_none() => {
            return Err((reason::NOT_AUTHORIZED, 5, "will_not_authorized"));
        }
        will => will.as_ref(),
    };
    let assigned = connect.client_id.is_empty().then(|| front.assign_client_id());
    let client_id: Box<str> = assigned.as_deref().unwrap_or(connect.client_id).into();
    let link = Arc::new(Link::default());
    let key = SessionKey { identity: access.identity, client_id };
    let attached = front.sessions.attach(&key, connect.clean, &link);
    let will = will.map(|will| {
        let properties = will.properties.without_will_delay();
        Message::new(will.topic, will.payload, &properties, will.qos, will.retain, attached.session.id)
    });
    let longest = front.config.session_expiry_s;
    let expiry = match version {
        Version::V4 => {
            if connect.clean {
                0
            } else {
                longest
            }
        }
        Version::V5 => asked.session_expiry.min(longest),
    };
    let mut answer = Vec::with_capacity(64);
    let offer = codec::Offer {
        assigned_client_id: assigned.as_deref(),
        receive_maximum: front.config.receive_maximum,
        maximum_packet_size: front.config.maximum_packet_size as u32,
        session_expiry: (version == Version::V5 && expiry != asked.session_expiry).then_some(expiry),
    };
    codec::connack(&mut answer, version, attached.present, reason::SUCCESS, Some(offer));
    Ok(Welcome {
        version,
        access,
        session: attached.session,
        generation: attached.generation,
        link,
        will,
        // One and a half times the keep-alive (MQTT-3.1.2-22).
        keep_alive: (connect.keep_alive > 0)
            .then(|| Duration::from_millis(u64::from(connect.keep_alive) * 1500)),
        expires_at,
        window: usize::from(asked.receive_maximum),
        maximum_packet_size: asked.maximum_packet_size,
        session_expiry: Duration::from_secs(u64::from(expiry)),
        answer,
    })
}

/// What a version 5 client asks for in its CONNECT.
struct Asked {
    session_expiry: u32,
    receive_maximum: u16,
    maximum_packet_size: usize,
}

impl Asked {
    fn read(connect: &Connect<'_>) -> Result<Self, Refused> {
        let mut asked =
            Self { session_expiry: 0, receive_maximum: u16::MAX, maximum_packet_size: usize::MAX };
        for property in connect.properties.iter() {
            match property {
                Property::SessionExpiry(seconds) => asked.session_expiry = seconds,
                Property::ReceiveMaximum(count) => asked.receive_maximum = count,
                Property::MaximumPacketSize(bytes) => asked.maximum_packet_size = bytes as usize,
                Property::AuthenticationMethod(_) => {
                    return Err((reason::BAD_AUTHENTICATION_METHOD, 0, "authentication_method"));
                }
                _ => {}
            }
        }
        Ok(asked)
    }
}

async fn refuse<S: AsyncWrite + Unpin>(socket: &mut S, version: Version, code: u8) {
    let mut answer = Vec::with_capacity(8);
    codec::connack(&mut answer, version, false, code, None);
    let _ = timeout(Duration::from_secs(5), async {
        socket.write_all(&answer).await?;
        socket.shutdown().await
    })
    .await;
}
