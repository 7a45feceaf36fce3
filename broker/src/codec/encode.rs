//! From what the server says to bytes.

use super::{Qos, Version};
use crate::message::Message;

/// What a CONNACK tells a version 5 client beside the code (section 3.2.2.3); 3.1.1 has no place for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) assigned_client_id: Option<&'a str>,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) topic_alias_maximum: u16,
    /// Seconds, where the server keeps the session shorter than the client asked.
    pub(crate) session_expiry: Option<u32>,
    /// Seconds, where the server wants to hear from the client more often than it said.
    pub(crate) server_keep_alive: Option<u16>,
    /// What response topics may begin with, for a client that asked.
    pub(crate) response_information: Option<&'a str>,
}

/// Why something was refused, in words for people and as a property for programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail<'a> {
    /// The reason string (identifier 0x1F).
    pub(crate) reason: &'a str,
    /// The limit that was hit, as the user property `limit`.
    pub(crate) limit: Option<&'a str>,
}

impl<'a> Detail<'a> {
    /// A limit was hit.
    pub(crate) fn over(limit: &'a str) -> Self {
        Self { reason: "over a limit", limit: Some(limit) }
    }

    fn write(self, properties: &mut Vec<u8>) {
        properties.push(0x1F);
        text(properties, self.reason);
        if let Some(limit) = self.limit {
            properties.push(0x26);
            text(properties, "limit");
            text(properties, limit);
        }
    }
}

/// Writes a packet with `detail`, or without it where the packet would be larger than the client takes (MQTT-3.2.2-19,
/// MQTT-3.4.2-2 and the like).
pub(crate) fn with_detail(
    out: &mut Vec<u8>,
    maximum: usize,
    detail: Option<Detail<'_>>,
    write: impl Fn(&mut Vec<u8>, Option<Detail<'_>>),
) {
    let before = out.len();
    write(out, detail);
    if detail.is_some() && out.len() - before > maximum {
        out.truncate(before);
        write(out, None);
    }
}

/// CONNACK (section 3.2). `offer` is left out of a refusal, `detail` of a welcome.
pub(crate) fn connack(
    out: &mut Vec<u8>,
    version: Version,
    session_present: bool,
    code: u8,
    offer: Option<Offer<'_>>,
    detail: Option<Detail<'_>>,
) {
    if version == Version::V4 {
        out.extend_from_slice(&[0x20, 2, u8::from(session_present), code]);
        return;
    }
    let mut properties = Vec::with_capacity(64);
    if let Some(offer) = offer {
        properties.push(0x21);
        properties.extend_from_slice(&offer.receive_maximum.to_be_bytes());
        properties.push(0x27);
        properties.extend_from_slice(&offer.maximum_packet_size.to_be_bytes());
        if offer.topic_alias_maximum > 0 {
            properties.push(0x22);
            properties.extend_from_slice(&offer.topic_alias_maximum.to_be_bytes());
        }
        if let Some(seconds) = offer.session_expiry {
            properties.push(0x11);
            properties.extend_from_slice(&seconds.to_be_bytes());
        }
        if let Some(seconds) = offer.server_keep_alive {
            properties.push(0x13);
            properties.extend_from_slice(&seconds.to_be_bytes());
        }
        if let Some(id) = offer.assigned_client_id {
            properties.push(0x12);
            text(&mut properties, id);
        }
        if let Some(information) = offer.response_information {
            properties.push(0x1A);
            text(&mut properties, information);
        }
    }
    if let Some(detail) = detail {
        detail.write(&mut properties);
    }
    out.push(0x20);
    variable(out, 2 + variable_size(properties.len()) + properties.len());
    out.extend_from_slice(&[u8::from(session_present), code]);
    variable(out, properties.len());
    out.extend_from_slice(&properties);
}

/// The four acknowledgements of a PUBLISH, by their first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ack {
    Puback = 0x40,
    Pubrec = 0x50,
    Pubrel = 0x62,
    Pubcomp = 0x70,
}

/// An acknowledgement (sections 3.4 to 3.7): the short form where all went well, the reason otherwise (version 5 alone has
/// one).
pub(crate) fn ack(
    out: &mut Vec<u8>,
    version: Version,
    kind: Ack,
    id: u16,
    reason: u8,
    detail: Option<Detail<'_>>,
) {
    let [high, low] = id.to_be_bytes();
    let Some(detail) = detail.filter(|_| version == Version::V5) else {
        if version == Version::V5 && reason != 0 {
            out.extend_from_slice(&[kind as u8, 3, high, low, reason]);
        } else {
            out.extend_from_slice(&[kind as u8, 2, high, low]);
        }
        return;
    };
    let mut properties = Vec::with_capacity(64);
    detail.write(&mut properties);
    out.push(kind as u8);
    variable(out, 3 + variable_size(properties.len()) + properties.len());
    out.extend_from_slice(&[high, low, reason]);
    variable(out, properties.len());
    out.extend_from_slice(&properties);
}

/// SUBACK (section 3.9).
pub(crate) fn suback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8], detail: Option<Detail<'_>>) {
    acknowledge_list(out, 0x90, version, id, codes, detail);
}

/// UNSUBACK (section 3.11): 3.1.1 has no codes.
pub(crate) fn unsuback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8]) {
    acknowledge_list(out, 0xB0, version, id, if version == Version::V4 { &[] } else { codes }, None);
}

fn acknowledge_list(
    out: &mut Vec<u8>,
    head: u8,
    version: Version,
    id: u16,
    codes: &[u8],
    detail: Option<Detail<'_>>,
) {
    let mut properties = Vec::new();
    if let Some(detail) = detail.filter(|_| version == Version::V5) {
        detail.write(&mut properties);
    }
    let length = if version == Version::V5 { variable_size(properties.len()) + properties.len() } else { 0 };
    out.push(head);
    variable(out, 2 + length + codes.len());
    out.extend_from_slice(&id.to_be_bytes());
    if version == Version::V5 {
        variable(out, properties.len());
        out.extend_from_slice(&properties);
    }
    out.extend_from_slice(codes);
}

/// PINGRESP (section 3.13).
pub(crate) fn pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xD0, 0]);
}

/// DISCONNECT (section 3.14): a 3.1.1 server has none, it just closes.
pub(crate) fn disconnect(out: &mut Vec<u8>, version: Version, reason: u8, detail: Option<Detail<'_>>) {
    if version != Version::V5 {
        return;
    }
    let Some(detail) = detail else {
        out.extend_from_slice(&[0xE0, 1, reason]);
        return;
    };
    let mut properties = Vec::with_capacity(64);
    detail.write(&mut properties);
    out.push(0xE0);
    variable(out, 1 + variable_size(properties.len()) + properties.len());
    out.push(reason);
    variable(out, properties.len());
    out.extend_from_slice(&properties);
}

/// A topic alias of a delivery (section 3.3.2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alias {
    /// None: the topic is written.
    None,
    /// The topic is written and the alias stands for it from now on.
    Set(u16),
    /// The alias stands for the topic, which is left out.
    Known(u16),
}

/// How one message goes to one subscriber.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) qos: Qos,
    /// The packet identifier, with QoS 1 and 2.
    pub(crate) id: u16,
    pub(crate) retain: bool,
    /// Sent before, on an earlier connection.
    pub(crate) dup: bool,
    pub(crate) alias: Alias,
    /// Seconds that the message is still of use.
    pub(crate) expiry: Option<u32>,
    /// Those of the subscriptions it matched.
    pub(crate) identifiers: &'a [u32],
}

impl Delivery<'_> {
    /// What version 5 writes beside the properties that travel with the message.
    fn added(&self) -> usize {
        let alias = if self.alias == Alias::None { 0 } else { 3 };
        let expiry = if self.expiry.is_some() { 5 } else { 0 };
        let identifiers: usize =
            self.identifiers.iter().map(|&identifier| 1 + variable_size(identifier as usize)).sum();
        alias + expiry + identifiers
    }
}

/// PUBLISH (section 3.3) of a message, with the properties that travel with it.
pub(crate) fn publish(out: &mut Vec<u8>, version: Version, message: &Message, delivery: &Delivery<'_>) {
    let Delivery { qos, id, retain, dup, alias, expiry, identifiers } = *delivery;
    out.push(0x30 | u8::from(dup) << 3 | (qos as u8) << 1 | u8::from(retain));
    variable(out, remaining(version, message, delivery));
    text(out, if matches!(alias, Alias::Known(_)) { "" } else { message.topic() });
    if qos != Qos::AtMostOnce {
        out.extend_from_slice(&id.to_be_bytes());
    }
    if version == Version::V5 {
        let properties = message.properties();
        variable(out, properties.len() + delivery.added());
        out.extend_from_slice(properties);
        if let Alias::Set(alias) | Alias::Known(alias) = alias {
            out.push(0x23);
            out.extend_from_slice(&alias.to_be_bytes());
        }
        if let Some(seconds) = expiry {
            out.push(0x02);
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        for &identifier in identifiers {
            out.push(0x0B);
            variable(out, identifier as usize);
        }
    }
    out.extend_from_slice(message.payload());
}

/// How many bytes the whole PUBLISH takes: what a client's maximum packet size is held against.
pub(crate) fn publish_size(version: Version, message: &Message, delivery: &Delivery<'_>) -> usize {
    let remaining = remaining(version, message, delivery);
    1 + variable_size(remaining) + remaining
}

fn remaining(version: Version, message: &Message, delivery: &Delivery<'_>) -> usize {
    let id = if delivery.qos == Qos::AtMostOnce { 0 } else { 2 };
    let properties = match version {
        Version::V4 => 0,
        Version::V5 => {
            let properties = message.properties().len() + delivery.added();
            variable_size(properties) + properties
        }
    };
    let topic = if matches!(delivery.alias, Alias::Known(_)) { 0 } else { message.topic().len() };
    2 + topic + id + properties + message.payload().len()
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
