//! From bytes to packets.

use super::packet::{Acknowledged, Connect, Disconnect, Filters, Packet, Publish, Will};
use super::properties::{Place, Properties};
use super::{DecodeError, Property, Qos, Version, reason};

/// A whole packet at the front of the read buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// The first byte: type and flags.
    pub(crate) head: u8,
    /// Where the variable header begins.
    body: usize,
    /// How many bytes the packet takes in all.
    pub(crate) len: usize,
}

/// Finds the packet at the front of `buffer`: `Ok(None)` while more bytes must come.
///
/// A packet over `max` bytes is refused as soon as its length is known, before it is buffered.
pub(crate) fn frame(buffer: &[u8], max: usize) -> Result<Option<Frame>, DecodeError> {
    let Some((&head, rest)) = buffer.split_first() else { return Ok(None) };
    let mut length = 0_usize;
    for (i, &byte) in rest.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            let body = i + 2;
            if body + length > max {
                return Err(DecodeError::TooLarge);
            }
            return Ok((buffer.len() >= body + length).then_some(Frame { head, body, len: body + length }));
        }
    }
    if rest.len() >= 4 { Err(DecodeError::Malformed) } else { Ok(None) }
}

/// Which version a CONNECT speaks; anything but a CONNECT of a known version is an error (MQTT-3.1.0-1, 3.1.2.2).
pub(crate) fn protocol_version(buffer: &[u8], frame: Frame) -> Result<Version, DecodeError> {
    if frame.head != 0x10 {
        return Err(DecodeError::Protocol);
    }
    let mut rest = &buffer[frame.body..frame.len];
    if binary(&mut rest)? != b"MQTT" {
        return Err(DecodeError::UnsupportedVersion);
    }
    match rest.first() {
        Some(4) => Ok(Version::V4),
        Some(5) => Ok(Version::V5),
        Some(_) => Err(DecodeError::UnsupportedVersion),
        None => Err(DecodeError::Malformed),
    }
}

/// Reads the packet that `frame` found at the front of `buffer`.
pub(crate) fn decode(buffer: &[u8], frame: Frame, version: Version) -> Result<Packet<'_>, DecodeError> {
    let mut rest = &buffer[frame.body..frame.len];
    let (kind, flags) = (frame.head >> 4, frame.head & 0x0F);
    let wanted = match kind {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    // The same holds for the length of the packet in version 5; 3.1.1 does not ask for it.
    let is_long = frame.body > 2 && buffer[frame.body - 1] == 0;
    if flags != wanted || (is_long && version == Version::V5) {
        return Err(DecodeError::Malformed); // MQTT-2.2.2-2
    }
    let rest = &mut rest;
    match kind {
        1 => connect(rest, version).map(Packet::Connect),
        3 => publish(rest, flags, version).map(Packet::Publish),
        4 => acknowledged(rest, version, &TAKEN).map(Packet::PubAck),
        5 => acknowledged(rest, version, &TAKEN).map(Packet::PubRec),
        6 => acknowledged(rest, version, &RELEASED).map(Packet::PubRel),
        7 => acknowledged(rest, version, &RELEASED).map(Packet::PubComp),
        8 => {
            let id = packet_id(rest)?;
            let (mut reserved, mut identifier) = (0xFC, None);
            if version == Version::V5 {
                let properties = Properties::parse(rest, Place::Subscribe)?;
                let mut found = properties.iter().filter_map(|property| match property {
                    Property::SubscriptionIdentifier(identifier) => Some(identifier),
                    _ => None,
                });
                identifier = found.next();
                if found.next().is_some() {
                    return Err(DecodeError::Protocol); // section 3.8.2.1.2: at most one
                }
                reserved = 0xC0;
            }
            Ok(Packet::Subscribe { id, filters: Filters::parse(rest, true, reserved)?, identifier })
        }
        10 => {
            let id = packet_id(rest)?;
            if version == Version::V5 {
                Properties::parse(rest, Place::Unsubscribe)?;
            }
            Ok(Packet::Unsubscribe { id, filters: Filters::parse(rest, false, 0)? })
        }
        12 => end(rest).map(|()| Packet::PingReq),
        14 => disconnect(rest, version).map(Packet::Disconnect),
        2 | 9 | 11 | 13 => Err(DecodeError::ServerPacket),
        // No authentication method was agreed on (section 4.12), and 3.1.1 has no such packet.
        15 if version == Version::V5 => Err(DecodeError::Protocol),
        _ => Err(DecodeError::Malformed),
    }
}

/// The reason codes of PUBACK and PUBREC (sections 3.4.2.1, 3.5.2.1), and those of PUBREL and PUBCOMP (3.6.2.1, 3.7.2.1).
const TAKEN: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASED: [u8; 2] = [0x00, 0x92];

/// Those of a DISCONNECT that a client may give (section 3.14.2.1).
const GOODBYE: [u8; 14] =
    [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];

/// The identifier, and in version 5 perhaps a reason code and properties.
fn acknowledged(rest: &mut &[u8], version: Version, codes: &[u8]) -> Result<Acknowledged, DecodeError> {
    let id = packet_id(rest)?;
    let mut reason = reason::SUCCESS;
    if version == Version::V5 && !rest.is_empty() {
        reason = u8_of(rest)?;
        if !codes.contains(&reason) {
            return Err(DecodeError::Protocol);
        }
        if !rest.is_empty() {
            Properties::parse(rest, Place::Ack)?;
        }
    }
    end(rest).map(|()| Acknowledged { id, reason })
}

fn connect<'a>(rest: &mut &'a [u8], version: Version) -> Result<Connect<'a>, DecodeError> {
    binary(rest)?; // the protocol name and level were read by `protocol_version`
    u8_of(rest)?;
    let flags = u8_of(rest)?;
    let keep_alive = u16_be(rest)?;
    let (has_name, has_password) = (flags & 0x80 != 0, flags & 0x40 != 0);
    let (retain, qos, has_will) = (flags & 0x20 != 0, (flags >> 3) & 3, flags & 4 != 0);
    if flags & 1 != 0 || qos == 3 || (!has_will && (qos != 0 || retain)) {
        return Err(DecodeError::Malformed); // MQTT-3.1.2-3, -13, -14, -15
    }
    if version == Version::V4 && has_password && !has_name {
        return Err(DecodeError::Malformed); // MQTT 3.1.1: MQTT-3.1.2-22
    }
    let properties = properties(rest, version, Place::Connect)?;
    let client_id = text(rest)?;
    let will = if has_will {
        let properties = self::properties(rest, version, Place::Will)?;
        let topic = topic_name(text(rest)?)?;
        let payload = binary(rest)?;
        Some(Will { topic, payload, qos: Qos::of(qos), retain, properties })
    } else {
        None
    };
    let user_name = if has_name { Some(text(rest)?) } else { None };
    let password = if has_password { Some(binary(rest)?) } else { None };
    end(rest)?;
    Ok(Connect { clean: flags & 2 != 0, keep_alive, client_id, will, user_name, password, properties })
}

fn publish<'a>(rest: &mut &'a [u8], flags: u8, version: Version) -> Result<Publish<'a>, DecodeError> {
    let topic = text(rest)?;
    let id = match (flags >> 1) & 3 {
        0 if flags & 8 != 0 => return Err(DecodeError::Malformed), // MQTT-3.3.1-2: DUP needs a QoS
        0 => None,
        1 | 2 => Some(packet_id(rest)?),
        _ => return Err(DecodeError::Malformed), // MQTT-3.3.1-4
    };
    let properties = properties(rest, version, Place::Publish)?;
    let alias = if version == Version::V5 { properties.topic_alias() } else { None };
    if alias == Some(0) {
        return Err(DecodeError::TopicAlias); // MQTT-3.3.2-8
    }
    let topic = match (topic, alias, version) {
        ("", Some(_), _) => "",
        ("", None, Version::V5) => return Err(DecodeError::Protocol), // section 3.3.2.1
        _ => topic_name(topic)?,
    };
    Ok(Publish {
        qos: Qos::of(flags >> 1),
        id,
        retain: flags & 1 != 0,
        topic,
        alias,
        payload: rest,
        properties,
    })
}

fn disconnect(rest: &mut &[u8], version: Version) -> Result<Disconnect, DecodeError> {
    let mut packet = Disconnect { reason: reason::SUCCESS, session_expiry: None };
    if version == Version::V5 && !rest.is_empty() {
        packet.reason = u8_of(rest)?;
        if !GOODBYE.contains(&packet.reason) {
            return Err(DecodeError::Protocol);
        }
        if !rest.is_empty() {
            let properties = Properties::parse(rest, Place::Disconnect)?;
            packet.session_expiry = properties
                .iter()
                .find_map(|p| if let Property::SessionExpiry(s) = p { Some(s) } else { None });
        }
    }
    end(rest).map(|()| packet)
}

fn properties<'a>(
    rest: &mut &'a [u8],
    version: Version,
    place: Place,
) -> Result<Properties<'a>, DecodeError> {
    match version {
        Version::V4 => Ok(Properties::default()),
        Version::V5 => Properties::parse(rest, place),
    }
}

/// A topic name has at least one character and no wildcard (section 4.7.1, 4.7.3).
fn topic_name(text: &str) -> Result<&str, DecodeError> {
    if text.is_empty() || text.bytes().any(|b| b == b'+' || b == b'#') {
        return Err(DecodeError::BadTopic);
    }
    Ok(text)
}

fn end(rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::Malformed) }
}

fn packet_id(rest: &mut &[u8]) -> Result<u16, DecodeError> {
    match u16_be(rest)? {
        0 => Err(DecodeError::Protocol), // MQTT-2.2.1-3
        id => Ok(id),
    }
}

fn u8_of(rest: &mut &[u8]) -> Result<u8, DecodeError> {
    let (&value, tail) = rest.split_first().ok_or(DecodeError::Malformed)?;
    *rest = tail;
    Ok(value)
}

pub(super) fn u16_be(rest: &mut &[u8]) -> Result<u16, DecodeError> {
    let (value, tail) = rest.split_first_chunk().ok_or(DecodeError::Malformed)?;
    *rest = tail;
    Ok(u16::from_be_bytes(*value))
}

pub(super) fn u32_be(rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let (value, tail) = rest.split_first_chunk().ok_or(DecodeError::Malformed)?;
    *rest = tail;
    Ok(u32::from_be_bytes(*value))
}

/// Variable byte integer (section 1.5.5): at most four bytes.
pub(super) fn variable(rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = u8_of(rest)?;
        value |= u32::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            // In no more bytes than it needs (MQTT-1.5.5-1).
            return if byte == 0 && shift > 0 { Err(DecodeError::Malformed) } else { Ok(value) };
        }
    }
    Err(DecodeError::Malformed)
}

/// Binary data (section 1.5.6).
pub(super) fn binary<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = usize::from(u16_be(rest)?);
    if length > rest.len() {
        return Err(DecodeError::Malformed);
    }
    let (bytes, tail) = rest.split_at(length);
    *rest = tail;
    Ok(bytes)
}

/// UTF-8 string (section 1.5.4): well formed and without U+0000.
pub(super) fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let bytes = binary(rest)?;
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::BadText)?;
    if bytes.contains(&0) { Err(DecodeError::BadText) } else { Ok(text) }
}
