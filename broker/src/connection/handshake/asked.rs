//! The wishes of a version 5 client.

use super::Refused;
use crate::codec::{Connect, DecodeError, Property, reason};

/// What a version 5 client asks for in its CONNECT.
pub(super) struct Asked {
    pub(super) session_expiry: u32,
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: usize,
    pub(super) topic_aliases: u16,
    pub(super) response_information: bool,
    pub(super) explains: bool,
}

impl Asked {
    pub(super) fn read(connect: &Connect<'_>) -> Result<Self, Refused> {
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
