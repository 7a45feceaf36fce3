//! From what the server says to bytes.

use super::{Qos, Version};
use crate::message::Message;

/// What a CONNACK tells a version 5 client beside the code (section 3.2.2.3); 3.1.1 has no place for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) assigned_client_id: Option<&'a str>,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    /// Seconds, where the server keeps the session shorter than the client asked.
    pub(crate) session_expiry: Option<u32>,
}

/// CONNACK (section 3.2). `offer` is left out of a refusal.
pub(crate) fn connack(
    out: &mut Vec<u8>,
    version: Version,
    session_present: bool,
    code: u8,
    offer: Option<Offer<'_>>,
) {
    if version == Version::V4 {
        out.extend_from_slice(&[0x20, 2, u8::from(session_present), code]);
        return;
    }
    let mut properties = Vec::with_capacity(64);
    if let Some(offer) = offer {
        properties.push(0x21);
        properties.extend_from_slice(&offer.receive_maximum.to_be_bytes());
        properties.extend_from_slice(&[0x24, 1]); // maximum QoS
        properties.push(0x27);
        properties.extend_from_slice(&offer.maximum_packet_size.to_be_bytes());
        properties.extend_from_slice(&[0x29, 0, 0x2A, 0]); // no subscription identifiers, no shared subscriptions
        if let Some(seconds) = offer.session_expiry {
            properties.push(0x11);
            properties.extend_from_slice(&seconds.to_be_bytes());
        }
        if let Some(id) = offer.assigned_client_id {
            properties.push(0x12);
            text(&mut properties, id);
        }
    }
    out.push(0x20);
    variable(out, 2 + variable_size(properties.len()) + properties.len());
    out.extend_from_slice(&[u8::from(session_present), code]);
    variable(out, properties.len());
    out.extend_from_slice(&properties);
}

/// PUBACK (section 3.4): the short form where all went well, the reason otherwise (version 5 alone has one).
pub(crate) fn puback(out: &mut Vec<u8>, version: Version, id: u16, reason: u8) {
    let [high, low] = id.to_be_bytes();
    if version == Version::V5 && reason != 0 {
        out.extend_from_slice(&[0x40, 3, high, low, reason]);
    } else {
        out.extend_from_slice(&[0x40, 2, high, low]);
    }
}

/// SUBACK (section 3.9).
pub(crate) fn suback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8]) {
    acknowledge_list(out, 0x90, version, id, codes);
}

/// UNSUBACK (section 3.11): 3.1.1 has no codes.
pub(crate) fn unsuback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8]) {
    acknowledge_list(out, 0xB0, version, id, if version == Version::V4 { &[] } else { codes });
}

fn acknowledge_list(out: &mut Vec<u8>, head: u8, version: Version, id: u16, codes: &[u8]) {
    let properties = usize::from(version == Version::V5);
    out.push(head);
    variable(out, 2 + properties + codes.len());
    out.extend_from_slice(&id.to_be_bytes());
    if properties == 1 {
        out.push(0);
    }
    out.extend_from_slice(codes);
}

/// PINGRESP (section 3.13).
pub(crate) fn pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xD0, 0]);
}

/// DISCONNECT (section 3.14): a 3.1.1 server has none, it just closes.
pub(crate) fn disconnect(out: &mut Vec<u8>, version: Version, reason: u8) {
    if version == Version::V5 {
        out.extend_from_slice(&[0xE0, 1, reason]);
    }
}

/// How one message goes to one subscriber.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) qos: Qos,
    /// The packet identifier, with QoS 1.
    pub(crate) id: u16,
    pub(crate) retain: bool,
    /// Sent before, on an earlier connection.
    pub(crate) dup: bool,
}

/// PUBLISH (section 3.3) of a message, with the raw properties that travel with it.
pub(crate) fn publish(out: &mut Vec<u8>, version: Version, message: &Message, delivery: Delivery) {
    let Delivery { qos, id, retain, dup } = delivery;
    let (topic, properties, payload) = (message.topic(), message.properties(), message.payload());
    out.push(0x30 | u8::from(dup) << 3 | u8::from(qos == Qos::AtLeastOnce) << 1 | u8::from(retain));
    variable(out, remaining(version, message, qos));
    text(out, topic);
    if qos == Qos::AtLeastOnce {
        out.extend_from_slice(&id.to_be_bytes());
    }
    if version == Version::V5 {
        variable(out, properties.len());
        out.extend_from_slice(properties);
    }
    out.extend_from_slice(payload);
}

/// How many bytes the whole PUBLISH takes: what a client's maximum packet size is held against.
pub(crate) fn publish_size(version: Version, message: &Message, qos: Qos) -> usize {
    let remaining = remaining(version, message, qos);
    1 + variable_size(remaining) + remaining
}

fn remaining(version: Version, message: &Message, qos: Qos) -> usize {
    let id = if qos == Qos::AtLeastOnce { 2 } else { 0 };
    let properties = message.properties().len();
    let properties = if version == Version::V5 { variable_size(properties) + properties } else { 0 };
    2 + message.topic().len() + id + properties + message.payload().len()
}

fn variable(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        out.push(if value > 0 { byte | 0x80 } else { byte });
        if value == 0 {
            return;
        }
    }
}

fn variable_size(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
