//! The packets a client may send, borrowed from the read buffer.

use super::{DecodeError, Properties, Qos};

/// Reason codes of MQTT 5 (section 2.4), by name.
pub(crate) mod reason {
    pub(crate) const SUCCESS: u8 = 0x00;
    pub(crate) const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;
    pub(crate) const UNSPECIFIED: u8 = 0x80;
    pub(crate) const MALFORMED_PACKET: u8 = 0x81;
    pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
    pub(crate) const UNSUPPORTED_PROTOCOL_VERSION: u8 = 0x84;
    pub(crate) const CLIENT_IDENTIFIER_NOT_VALID: u8 = 0x85;
    pub(crate) const BAD_CREDENTIALS: u8 = 0x86;
    pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
    pub(crate) const SERVER_UNAVAILABLE: u8 = 0x88;
    pub(crate) const SERVER_SHUTTING_DOWN: u8 = 0x8B;
    pub(crate) const BAD_AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
    pub(crate) const SESSION_TAKEN_OVER: u8 = 0x8E;
    pub(crate) const TOPIC_FILTER_INVALID: u8 = 0x8F;
    pub(crate) const TOPIC_NAME_INVALID: u8 = 0x90;
    pub(crate) const PACKET_IDENTIFIER_NOT_FOUND: u8 = 0x92;
    pub(crate) const RECEIVE_MAXIMUM_EXCEEDED: u8 = 0x93;
    pub(crate) const TOPIC_ALIAS_INVALID: u8 = 0x94;
    pub(crate) const PACKET_TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA_EXCEEDED: u8 = 0x97;
    pub(crate) const PAYLOAD_FORMAT_INVALID: u8 = 0x99;
    pub(crate) const CONNECTION_RATE_EXCEEDED: u8 = 0x9F;
}

/// A packet from a client.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    PubAck(Acknowledged),
    PubRec(Acknowledged),
    PubRel(Acknowledged),
    PubComp(Acknowledged),
    Subscribe { id: u16, filters: Filters<'a>, identifier: Option<u32> },
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
#[derive(Debug, Clone, Copy)]
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
    pub(crate) qos: Qos,
    /// The packet identifier; none with QoS 0.
    pub(crate) id: Option<u16>,
    pub(crate) retain: bool,
    /// Empty where `alias` stands for it.
    pub(crate) topic: &'a str,
    /// The topic alias of version 5, never 0.
    pub(crate) alias: Option<u16>,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: Properties<'a>,
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7), which look alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged {
    pub(crate) id: u16,
    /// Success in 3.1.1, which has no codes here.
    pub(crate) reason: u8,
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
    /// What is asked for and granted (section 3.8.3.1).
    pub(crate) fn qos(self) -> Qos {
        Qos::of(self.options)
    }

    /// Messages of the session itself are left out.
    pub(crate) fn no_local(self) -> bool {
        self.options & 0x04 != 0
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
