//! The packets a client may send, borrowed from the read buffer.

use super::{DecodeError, Properties, Qos};

/// Reason codes of MQTT 5 (section 2.4), by name.
pub(crate) mod reason {
    pub(crate) const SUCCESS: u8 = 0x00;
    pub(crate) const DISCONNECT_WITH_WILL: u8 = 0x04;
    pub(crate) const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;
    pub(crate) const UNSPECIFIED: u8 = 0x80;
    pub(crate) const MALFORMED_PACKET: u8 = 0x81;
    pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
    pub(crate) const UNSUPPORTED_PROTOCOL_VERSION: u8 = 0x84;
    pub(crate) const BAD_CREDENTIALS: u8 = 0x86;
    pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
    pub(crate) const SERVER_UNAVAILABLE: u8 = 0x88;
    pub(crate) const SERVER_SHUTTING_DOWN: u8 = 0x8B;
    pub(crate) const BAD_AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
    pub(crate) const SESSION_TAKEN_OVER: u8 = 0x8E;
    pub(crate) const TOPIC_FILTER_INVALID: u8 = 0x8F;
    pub(crate) const TOPIC_NAME_INVALID: u8 = 0x90;
    pub(crate) const TOPIC_ALIAS_INVALID: u8 = 0x94;
    pub(crate) const PACKET_TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA_EXCEEDED: u8 = 0x97;
    pub(crate) const PAYLOAD_FORMAT_INVALID: u8 = 0x99;
    pub(crate) const QOS_NOT_SUPPORTED: u8 = 0x9B;
    pub(crate) const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: u8 = 0x9E;
    pub(crate) const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: u8 = 0xA1;
}

/// A packet from a client.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    PubAck(Ack),
    Subscribe { id: u16, filters: Filters<'a> },
    Unsubscribe { id: u16, filters: Filters<'a> },
    PingReq,
    Disconnect(Disconnect),
}

/// CONNECT (section 3.1).
#[derive(Debug)]
pub(crate) struct Connect<'a> {
    /// Clean session in 3.1.1, clean start in 5.
    pub(crate) clean: bool,
    /// Seconds; 0 switches the keep-alive off.
    pub(crate) keep_alive: u16,
    pub(crate) client_id: &'a str,
    pub(crate) will: Option<Will<'a>>,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
    pub(crate) properties: Properties<'a>,
}

/// The message to publish for a client that goes without saying so (section 3.1.2.5).
#[derive(Debug)]
pub(crate) struct Will<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) properties: Properties<'a>,
}

/// PUBLISH (section 3.3).
#[derive(Debug)]
pub(crate) struct Publish<'a> {
    /// The packet identifier where the QoS is 1.
    pub(crate) id: Option<u16>,
    pub(crate) retain: bool,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: Properties<'a>,
}

impl Publish<'_> {
    pub(crate) fn qos(&self) -> Qos {
        if self.id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce }
    }
}

/// PUBACK (section 3.4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    pub(crate) id: u16,
}

/// DISCONNECT (section 3.14).
#[derive(Debug)]
pub(crate) struct Disconnect {
    pub(crate) reason: u8,
    /// Seconds, where the client changes its mind about how long its session lives.
    pub(crate) session_expiry: Option<u32>,
}

/// The filters of a SUBSCRIBE or UNSUBSCRIBE, already checked for their framing: iterating cannot fail.
#[derive(Debug, Clone)]
pub(crate) struct Filters<'a> {
    rest: &'a [u8],
    with_options: bool,
}

/// One filter and, in a SUBSCRIBE, its options byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) path: &'a str,
    pub(crate) options: u8,
}

impl Filter<'_> {
    /// What the server grants: the asked QoS, at most 1.
    pub(crate) fn granted(self) -> Qos {
        Qos::asked(self.options)
    }
}

impl<'a> Filters<'a> {
    /// Checks the whole list; `reserved` are the option bits that must be zero in this version.
    pub(super) fn parse(bytes: &'a [u8], with_options: bool, reserved: u8) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        if rest.is_empty() {
            return Err(DecodeError::Protocol); // a list of none is an error: MQTT-3.8.3-3, MQTT-3.10.3-2
        }
        while !rest.is_empty() {
            super::decode::text(&mut rest)?;
            if with_options {
                let (&options, tail) = rest.split_first().ok_or(DecodeError::Malformed)?;
                if options & 3 == 3 || options & reserved != 0 || options & 0x30 == 0x30 {
                    return Err(DecodeError::Malformed); // MQTT-3.8.3-5
                }
                rest = tail;
            }
        }
        Ok(Self { rest: bytes, with_options })
    }
}

impl<'a> Iterator for Filters<'a> {
    type Item = Filter<'a>;

    fn next(&mut self) -> Option<Filter<'a>> {
        let path = super::decode::text(&mut self.rest).ok()?;
        let mut options = 0;
        if self.with_options {
            let (&first, tail) = self.rest.split_first()?;
            (options, self.rest) = (first, tail);
        }
        Some(Filter { path, options })
    }
}
