//! MQTT on the wire, 3.1.1 and 5: what a server reads and what it writes.
//!
//! Decoding borrows from the read buffer, so that a packet costs no allocation before something is done with it. Encoding
//! appends to a buffer that the session writes in one go. The packets that only a server may send have no decoder: a
//! client that sends one breaks the protocol (MQTT 5 section 2.1.2, table 2-1).

mod decode;
mod encode;
mod packet;
mod properties;

pub(crate) use decode::{Frame, decode, frame, protocol_version};
pub(crate) use encode::{
    Ack, Alias, Delivery, Detail, Offer, ack, connack, disconnect, pingresp, publish, publish_size, suback,
    unsuback, with_detail,
};
pub(crate) use packet::{Acknowledged, Connect, Filter, Filters, Packet, Publish, Will, reason};
pub(crate) use properties::{Properties, Property};

/// The two versions spoken on every port; the CONNECT tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1.1 (protocol level 4).
    V4,
    /// MQTT 5.0 (protocol level 5).
    V5,
}

/// What quality of service a message travels with (section 4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::enum_variant_names, reason = "these are the names of the standard")]
pub(crate) enum Qos {
    #[default]
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl Qos {
    /// The two lowest bits; what no level stands for counts as the highest.
    pub(crate) const fn of(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::AtMostOnce,
            1 => Self::AtLeastOnce,
            _ => Self::ExactlyOnce,
        }
    }
}

/// Why bytes are not a packet this server accepts. Each is also a cause in the refusal counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("malformed packet")]
    Malformed,
    #[error("packet larger than the server takes")]
    TooLarge,
    #[error("text is not UTF-8 or holds U+0000")]
    BadText,
    #[error("a packet that only a server may send")]
    ServerPacket,
    #[error("protocol error")]
    Protocol,
    #[error("protocol name or version not supported")]
    UnsupportedVersion,
    #[error("topic name empty or with a wildcard")]
    BadTopic,
    #[error("topic alias 0 or above the maximum")]
    TopicAlias,
    #[error("more unacknowledged messages than the server takes")]
    ReceiveMaximum,
    #[error("a payload that claims to be text is not UTF-8")]
    PayloadFormat,
}

impl DecodeError {
    /// The version 5 reason code that says the same (MQTT 5 section 2.4).
    pub(crate) fn reason(self) -> u8 {
        match self {
            Self::Malformed | Self::BadText => reason::MALFORMED_PACKET,
            Self::TooLarge => reason::PACKET_TOO_LARGE,
            Self::ServerPacket | Self::Protocol => reason::PROTOCOL_ERROR,
            Self::UnsupportedVersion => reason::UNSUPPORTED_PROTOCOL_VERSION,
            Self::BadTopic => reason::TOPIC_NAME_INVALID,
            Self::TopicAlias => reason::TOPIC_ALIAS_INVALID,
            Self::ReceiveMaximum => reason::RECEIVE_MAXIMUM_EXCEEDED,
            Self::PayloadFormat => reason::PAYLOAD_FORMAT_INVALID,
        }
    }

    /// The word under which the refusal counter knows it.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_packet",
            Self::TooLarge => "packet_too_large",
            Self::BadText => "bad_utf8",
            Self::ServerPacket => "server_packet",
            Self::Protocol => "protocol_error",
            Self::UnsupportedVersion => "unsupported_version",
            Self::BadTopic => "bad_topic",
            Self::TopicAlias => "topic_alias",
            Self::ReceiveMaximum => "receive_maximum",
            Self::PayloadFormat => "payload_format",
        }
    }
}

#[cfg(test)]
mod tests;
