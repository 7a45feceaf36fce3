//! MQTT 5 properties (section 2.2.2): checked once, then read in place.

use std::borrow::Cow;

use super::DecodeError;
use super::decode::{binary, text, u16_be, u32_be, variable};

/// One property; those the server has no use for are kept apart only by their identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    PayloadFormat(u8),
    MessageExpiry(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(u32),
    SessionExpiry(u32),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(u8),
    WillDelay(u32),
    RequestResponseInformation(u8),
    ReasonString(&'a str),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumPacketSize(u32),
    User(&'a str, &'a str),
}

/// In which packet properties stand: each allows its own (table 2-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Connect,
    Will,
    Publish,
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
}

/// The properties of one packet; empty for 3.1.1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Properties<'a> {
    raw: &'a [u8],
    /// A bit for each identifier that is there, so that nobody walks through them for what is not.
    seen: u64,
}

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const WILL_DELAY: u8 = 0x18;
const TOPIC_ALIAS: u8 = 0x23;

impl<'a> Properties<'a> {
    /// Takes the length and the properties off the front of `rest` and checks each: known, allowed here, not given twice.
    pub(super) fn parse(rest: &mut &'a [u8], place: Place) -> Result<Self, DecodeError> {
        let length = variable(rest)? as usize;
        if length > rest.len() {
            return Err(DecodeError::Malformed);
        }
        let (raw, tail) = rest.split_at(length);
        *rest = tail;
        let (mut left, mut seen) = (raw, 0_u64);
        while !left.is_empty() {
            let id = left[0];
            let property = property(&mut left)?;
            if !property.allowed(place) {
                return Err(DecodeError::Protocol);
            }
            let repeatable = matches!(property, Property::User(..) | Property::SubscriptionIdentifier(_));
            if !repeatable && seen & (1 << id) != 0 {
                return Err(DecodeError::Protocol);
            }
            seen |= 1 << id;
        }
        Ok(Self { raw, seen })
    }

    /// The properties in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Property<'a>> {
        let mut left = self.raw;
        std::iter::from_fn(move || if left.is_empty() { None } else { property(&mut left).ok() })
    }

    /// What travels on with a message: all but what is between this client and the server, or is written anew on delivery
    /// (sections 3.3.2.3 and 3.1.3.2).
    #[inline]
    pub(crate) fn forwarded(self) -> Cow<'a, [u8]> {
        if [MESSAGE_EXPIRY, WILL_DELAY, TOPIC_ALIAS].iter().all(|id| !self.has(*id)) {
            return Cow::Borrowed(self.raw);
        }
        let (mut left, mut kept) = (self.raw, Vec::with_capacity(self.raw.len()));
        while !left.is_empty() {
            let before = left;
            match property(&mut left) {
                Ok(property) if property.travels() => {
                    kept.extend_from_slice(&before[..before.len() - left.len()]);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Cow::Owned(kept)
    }

    /// How long the message is of use, in seconds.
    pub(crate) fn message_expiry(self) -> Option<u32> {
        let expiry = |p| if let Property::MessageExpiry(seconds) = p { Some(seconds) } else { None };
        self.has(MESSAGE_EXPIRY).then(|| self.iter().find_map(expiry))?
    }

    /// Whether the sender says that the payload is UTF-8 text.
    pub(crate) fn claims_text(self) -> bool {
        self.has(PAYLOAD_FORMAT) && self.iter().any(|property| property == Property::PayloadFormat(1))
    }

    /// The media type of a payload, where the sender names one.
    pub(crate) fn content_type(self) -> Option<&'a str> {
        let named = |p| if let Property::ContentType(text) = p { Some(text) } else { None };
        self.has(CONTENT_TYPE).then(|| self.iter().find_map(named))?
    }

    /// The number that stands for a topic.
    #[inline]
    pub(super) fn topic_alias(self) -> Option<u16> {
        let alias = |p| if let Property::TopicAlias(alias) = p { Some(alias) } else { None };
        self.has(TOPIC_ALIAS).then(|| self.iter().find_map(alias))?
    }

    #[inline]
    fn has(self, id: u8) -> bool {
        self.seen & (1 << id) != 0
    }
}

impl Property<'_> {
    /// Whether it belongs to the message rather than to the exchange of it.
    fn travels(self) -> bool {
        !matches!(self, Self::TopicAlias(_) | Self::MessageExpiry(_) | Self::WillDelay(_))
    }

    fn allowed(&self, place: Place) -> bool {
        use Place::{Ack, Connect, Disconnect, Publish, Subscribe, Will};
        match self {
            Self::PayloadFormat(_)
            | Self::MessageExpiry(_)
            | Self::ContentType(_)
            | Self::ResponseTopic(_)
            | Self::CorrelationData(_) => matches!(place, Publish | Will),
            Self::SubscriptionIdentifier(_) => place == Subscribe,
            Self::SessionExpiry(_) => matches!(place, Connect | Disconnect),
            Self::WillDelay(_) => place == Will,
            Self::ReasonString(_) => matches!(place, Ack | Disconnect),
            Self::TopicAlias(_) => place == Publish,
            Self::AuthenticationMethod(_)
            | Self::AuthenticationData(_)
            | Self::RequestProblemInformation(_)
            | Self::RequestResponseInformation(_)
            | Self::ReceiveMaximum(_)
            | Self::TopicAliasMaximum(_)
            | Self::MaximumPacketSize(_) => place == Connect,
            Self::User(..) => true,
        }
    }
}

/// A response topic is a topic name (MQTT-3.3.2-14, MQTT-4.7.3-1).
fn response_topic<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let topic = text(rest)?;
    if topic.is_empty() || topic.contains(['+', '#']) { Err(DecodeError::Protocol) } else { Ok(topic) }
}

fn property<'a>(rest: &mut &'a [u8]) -> Result<Property<'a>, DecodeError> {
    let (&id, tail) = rest.split_first().ok_or(DecodeError::Malformed)?;
    *rest = tail;
    let flag = |rest: &mut &'a [u8]| {
        let (&value, tail) = rest.split_first().ok_or(DecodeError::Malformed)?;
        *rest = tail;
        if value > 1 { Err(DecodeError::Protocol) } else { Ok(value) }
    };
    let positive = |value: u32| if value == 0 { Err(DecodeError::Protocol) } else { Ok(value) };
    Ok(match id {
        PAYLOAD_FORMAT => Property::PayloadFormat(flag(rest)?),
        MESSAGE_EXPIRY => Property::MessageExpiry(u32_be(rest)?),
        CONTENT_TYPE => Property::ContentType(text(rest)?),
        0x08 => Property::ResponseTopic(response_topic(rest)?),
        0x09 => Property::CorrelationData(binary(rest)?),
        0x0B => Property::SubscriptionIdentifier(positive(variable(rest)?)?),
        0x11 => Property::SessionExpiry(u32_be(rest)?),
        0x15 => Property::AuthenticationMethod(text(rest)?),
        0x16 => Property::AuthenticationData(binary(rest)?),
        0x17 => Property::RequestProblemInformation(flag(rest)?),
        WILL_DELAY => Property::WillDelay(u32_be(rest)?),
        0x19 => Property::RequestResponseInformation(flag(rest)?),
        0x1F => Property::ReasonString(text(rest)?),
        0x21 => Property::ReceiveMaximum(positive(u32::from(u16_be(rest)?))? as u16),
        0x22 => Property::TopicAliasMaximum(u16_be(rest)?),
        TOPIC_ALIAS => Property::TopicAlias(u16_be(rest)?),
        0x26 => Property::User(text(rest)?, text(rest)?),
        0x27 => Property::MaximumPacketSize(positive(u32_be(rest)?)?),
        _ => return Err(DecodeError::Malformed),
    })
}
