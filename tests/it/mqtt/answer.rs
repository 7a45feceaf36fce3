//! What a server sends, taken apart. Whatever a server must not send is an error here: wrong flags, reason codes that the
//! packet does not have, properties that do not belong there, bytes too many.

use anyhow::{bail, ensure};

use super::cursor::Cursor;
use super::property::{Property, decode};
use super::{PUBACK, PUBCOMP, PUBREC, PUBREL, Received, SUBACK, UNSUBACK};

/// A packet from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Connack(Connack),
    Publish(Delivery),
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK or UNSUBACK.
    Ack(Ack),
    Pong,
    Disconnect(Goodbye),
    Auth(Goodbye),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connack {
    pub(crate) present: bool,
    pub(crate) code: u8,
    pub(crate) properties: Vec<Property>,
}

/// A message as a subscriber gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// As it was written; `Client` puts the topic here that an alias stands for.
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// The packet id; 0 where there is none.
    pub(crate) id: u16,
    pub(crate) properties: Vec<Property>,
}

/// An acknowledgement: its first byte tells of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) head: u8,
    pub(crate) id: u16,
    /// One for each filter; one for a message, which is 0 where the packet leaves it out.
    pub(crate) codes: Vec<u8>,
    pub(crate) properties: Vec<Property>,
}

/// The reason of a DISCONNECT or AUTH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) code: u8,
    pub(crate) properties: Vec<Property>,
}

const IN_CONNACK: &[u8] =
    &[0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A];
const IN_PUBLISH: &[u8] = &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26];
const IN_ACKNOWLEDGEMENTS: &[u8] = &[0x1F, 0x26];
const IN_DISCONNECT: &[u8] = &[0x1C, 0x1F, 0x26];
const IN_AUTH: &[u8] = &[0x15, 0x16, 0x1F, 0x26];

/// The codes with which a server may answer a CONNECT (3.1.1: table 3.1; 5: section 3.2.2.2).
const CONNACK_CODES: [&[u8]; 2] = [
    &[0, 1, 2, 3, 4, 5],
    &[
        0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
        0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
    ],
];
const PUBLISH_CODES: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASE_CODES: &[u8] = &[0x00, 0x92];
const SUBACK_CODES: [&[u8]; 2] =
    [&[0, 1, 2, 0x80], &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]];
const UNSUBACK_CODES: &[u8] = &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
const DISCONNECT_CODES: &[u8] = &[
    0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];
const AUTH_CODES: &[u8] = &[0x00, 0x18];

impl Answer {
    /// Takes a packet apart that a server sent on a connection of this level (4 or 5).
    pub(crate) fn read(level: u8, received: &Received) -> anyhow::Result<Self> {
        let mut body = Cursor::new(&received.body);
        let is_5 = level == 5;
        let answer = match received.head {
            0x20 => Self::Connack(connack(is_5, &mut body)?),
            head if head >> 4 == 3 => Self::Publish(delivery(is_5, head, &mut body)?),
            head @ (PUBACK | PUBREC | PUBREL | PUBCOMP) => Self::Ack(of_a_message(is_5, head, &mut body)?),
            head @ (SUBACK | UNSUBACK) => Self::Ack(of_filters(is_5, head, &mut body)?),
            0xD0 => Self::Pong,
            0xE0 if is_5 => Self::Disconnect(goodbye(DISCONNECT_CODES, IN_DISCONNECT, &mut body)?),
            0xF0 if is_5 => Self::Auth(goodbye(AUTH_CODES, IN_AUTH, &mut body)?),
            head => bail!("a server may not send {head:#04x} in level {level}: {:?}", received.body),
        };
        ensure!(body.is_empty(), "bytes too many: {received:?}");
        Ok(answer)
    }
}

fn connack(is_5: bool, body: &mut Cursor<'_>) -> anyhow::Result<Connack> {
    let (flags, code) = (body.byte()?, body.byte()?);
    ensure!(flags < 2, "reserved bits in the flags of a CONNACK: {flags:#010b}");
    ensure!(CONNACK_CODES[usize::from(is_5)].contains(&code), "{code:#04x} is no code of a CONNACK");
    let properties = if is_5 { decode(body, IN_CONNACK)? } else { Vec::new() };
    Ok(Connack { present: flags == 1, code, properties })
}

fn delivery(is_5: bool, head: u8, body: &mut Cursor<'_>) -> anyhow::Result<Delivery> {
    let (qos, retain, dup) = (head >> 1 & 3, head & 1 == 1, head & 8 == 8);
    ensure!(qos < 3, "a PUBLISH with a quality of service of 3");
    ensure!(qos > 0 || !dup, "DUP with a quality of service of 0");
    let topic = body.text()?;
    ensure!(!topic.contains(['+', '#']), "a wildcard in a topic: {topic}");
    let id = if qos > 0 { body.short()? } else { 0 };
    ensure!(qos == 0 || id > 0, "a PUBLISH with the packet id 0");
    let properties = if is_5 { decode(body, IN_PUBLISH)? } else { Vec::new() };
    Ok(Delivery { topic, payload: body.rest().to_vec(), qos, retain, dup, id, properties })
}

fn of_a_message(is_5: bool, head: u8, body: &mut Cursor<'_>) -> anyhow::Result<Ack> {
    let id = body.short()?;
    let code = if is_5 && !body.is_empty() { body.byte()? } else { 0 };
    let properties = if is_5 && !body.is_empty() { decode(body, IN_ACKNOWLEDGEMENTS)? } else { Vec::new() };
    let codes = if matches!(head, PUBACK | PUBREC) { PUBLISH_CODES } else { RELEASE_CODES };
    ensure!(codes.contains(&code), "{code:#04x} is no code of {head:#04x}");
    Ok(Ack { head, id, codes: vec![code], properties })
}

fn of_filters(is_5: bool, head: u8, body: &mut Cursor<'_>) -> anyhow::Result<Ack> {
    let id = body.short()?;
    let properties = if is_5 { decode(body, IN_ACKNOWLEDGEMENTS)? } else { Vec::new() };
    let allowed = match head {
        SUBACK => SUBACK_CODES[usize::from(is_5)],
        _ if is_5 => UNSUBACK_CODES,
        _ => &[],
    };
    let codes = body.rest().to_vec();
    ensure!(
        codes.iter().all(|code| allowed.contains(code)),
        "codes that {head:#04x} does not have: {codes:x?}"
    );
    Ok(Ack { head, id, codes, properties })
}

fn goodbye(codes: &[u8], properties: &[u8], body: &mut Cursor<'_>) -> anyhow::Result<Goodbye> {
    let code = if body.is_empty() { 0 } else { body.byte()? };
    ensure!(codes.contains(&code), "{code:#04x} is no code for this packet from a server");
    let properties = if body.is_empty() { Vec::new() } else { decode(body, properties)? };
    Ok(Goodbye { code, properties })
}
