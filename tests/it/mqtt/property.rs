//! The properties of MQTT 5 (section 2.2.2.2).

use anyhow::{bail, ensure};

use super::cursor::Cursor;
use super::{text, variable};

/// A property with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Property {
    PayloadFormat(u8),
    MessageExpiry(u32),
    ContentType(String),
    ResponseTopic(String),
    CorrelationData(Vec<u8>),
    SubscriptionIdentifier(u32),
    SessionExpiry(u32),
    AssignedClientId(String),
    ServerKeepAlive(u16),
    AuthenticationMethod(String),
    AuthenticationData(Vec<u8>),
    RequestProblemInformation(u8),
    WillDelay(u32),
    RequestResponseInformation(u8),
    ResponseInformation(String),
    ServerReference(String),
    ReasonString(String),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(u8),
    RetainAvailable(u8),
    User(String, String),
    MaximumPacketSize(u32),
    WildcardsAvailable(u8),
    SubscriptionIdentifiersAvailable(u8),
    SharedAvailable(u8),
    /// Bytes that are no property, or one made wrong on purpose: identifier and value.
    Raw(Vec<u8>),
}

/// The value of the one property of that name, if it is there.
macro_rules! value_of {
    ($properties:expr, $name:ident) => {
        $properties.iter().find_map(|property| match property {
            crate::mqtt::Property::$name(value) => Some(value.clone()),
            _ => None,
        })
    };
}
pub(crate) use value_of;

impl Property {
    /// The identifier, and the value as it is written behind it.
    fn parts(&self) -> (u8, Vec<u8>) {
        match self {
            Self::PayloadFormat(value) => (0x01, vec![*value]),
            Self::MessageExpiry(value) => (0x02, value.to_be_bytes().into()),
            Self::ContentType(value) => (0x03, text(value)),
            Self::ResponseTopic(value) => (0x08, text(value)),
            Self::CorrelationData(value) => (0x09, text(value)),
            Self::SubscriptionIdentifier(value) => (0x0B, variable(*value as usize)),
            Self::SessionExpiry(value) => (0x11, value.to_be_bytes().into()),
            Self::AssignedClientId(value) => (0x12, text(value)),
            Self::ServerKeepAlive(value) => (0x13, value.to_be_bytes().into()),
            Self::AuthenticationMethod(value) => (0x15, text(value)),
            Self::AuthenticationData(value) => (0x16, text(value)),
            Self::RequestProblemInformation(value) => (0x17, vec![*value]),
            Self::WillDelay(value) => (0x18, value.to_be_bytes().into()),
            Self::RequestResponseInformation(value) => (0x19, vec![*value]),
            Self::ResponseInformation(value) => (0x1A, text(value)),
            Self::ServerReference(value) => (0x1C, text(value)),
            Self::ReasonString(value) => (0x1F, text(value)),
            Self::ReceiveMaximum(value) => (0x21, value.to_be_bytes().into()),
            Self::TopicAliasMaximum(value) => (0x22, value.to_be_bytes().into()),
            Self::TopicAlias(value) => (0x23, value.to_be_bytes().into()),
            Self::MaximumQos(value) => (0x24, vec![*value]),
            Self::RetainAvailable(value) => (0x25, vec![*value]),
            Self::User(name, value) => (0x26, [text(name), text(value)].concat()),
            Self::MaximumPacketSize(value) => (0x27, value.to_be_bytes().into()),
            Self::WildcardsAvailable(value) => (0x28, vec![*value]),
            Self::SubscriptionIdentifiersAvailable(value) => (0x29, vec![*value]),
            Self::SharedAvailable(value) => (0x2A, vec![*value]),
            Self::Raw(bytes) => (bytes[0], bytes[1..].to_vec()),
        }
    }

    fn read(from: &mut Cursor<'_>) -> anyhow::Result<Self> {
        Ok(match from.byte()? {
            0x01 => Self::PayloadFormat(flag(from)?),
            0x02 => Self::MessageExpiry(from.long()?),
            0x03 => Self::ContentType(from.text()?),
            0x08 => Self::ResponseTopic(from.text()?),
            0x09 => Self::CorrelationData(from.binary()?),
            0x0B => Self::SubscriptionIdentifier(from.variable()?),
            0x11 => Self::SessionExpiry(from.long()?),
            0x12 => Self::AssignedClientId(from.text()?),
            0x13 => Self::ServerKeepAlive(from.short()?),
            0x15 => Self::AuthenticationMethod(from.text()?),
            0x16 => Self::AuthenticationData(from.binary()?),
            0x1A => Self::ResponseInformation(from.text()?),
            0x1C => Self::ServerReference(from.text()?),
            0x1F => Self::ReasonString(from.text()?),
            0x21 => Self::ReceiveMaximum(from.short()?),
            0x22 => Self::TopicAliasMaximum(from.short()?),
            0x23 => Self::TopicAlias(from.short()?),
            0x24 => Self::MaximumQos(flag(from)?),
            0x25 => Self::RetainAvailable(flag(from)?),
            0x26 => Self::User(from.text()?, from.text()?),
            0x27 => Self::MaximumPacketSize(from.long()?),
            0x28 => Self::WildcardsAvailable(flag(from)?),
            0x29 => Self::SubscriptionIdentifiersAvailable(flag(from)?),
            0x2A => Self::SharedAvailable(flag(from)?),
            other => bail!("{other:#04x} is no property that a server may send"),
        })
    }

    /// Whether a packet may hold it more than once: user properties may be repeated, and a message that matches
    /// several subscriptions has the identifier of each (section 3.3.2.3.8).
    fn may_be_repeated(&self) -> bool {
        matches!(self, Self::User(..) | Self::SubscriptionIdentifier(_))
    }
}

/// The limit that a refusal names, beside a reason in words.
pub(crate) fn limit_of(properties: &[Property]) -> anyhow::Result<String> {
    let reason = value_of!(properties, ReasonString).unwrap_or_default();
    ensure!(!reason.is_empty(), "no reason in words: {properties:?}");
    match properties.iter().find(|property| matches!(property, Property::User(..))) {
        Some(Property::User(name, limit)) if name == "limit" => Ok(limit.clone()),
        _ => bail!("no limit is named: {properties:?}"),
    }
}

fn flag(from: &mut Cursor<'_>) -> anyhow::Result<u8> {
    let value = from.byte()?;
    ensure!(value < 2, "a property that is 0 or 1 has the value {value}");
    Ok(value)
}

/// The properties as a packet has them, with their length in front.
pub(crate) fn encode(properties: &[Property]) -> Vec<u8> {
    let mut written = Vec::new();
    for property in properties {
        let (id, value) = property.parts();
        written.push(id);
        written.extend(value);
    }
    [variable(written.len()), written].concat()
}

/// Reads the properties of a packet from a server; only those identifiers may be there, and most of them only once.
pub(super) fn decode(from: &mut Cursor<'_>, allowed: &[u8]) -> anyhow::Result<Vec<Property>> {
    let length = from.variable()?;
    let mut part = Cursor::new(from.take(length as usize)?);
    let mut properties: Vec<Property> = Vec::new();
    while !part.is_empty() {
        let property = Property::read(&mut part)?;
        let (id, _) = property.parts();
        ensure!(allowed.contains(&id), "{property:?} does not belong into this packet");
        let is_there = properties.iter().any(|other| other.parts().0 == id);
        ensure!(property.may_be_repeated() || !is_there, "{property:?} is there twice");
        properties.push(property);
    }
    Ok(properties)
}
