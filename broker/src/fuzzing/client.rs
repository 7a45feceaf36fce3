//! The client's side of MQTT, written for itself so that it does not share the server's mistakes.

use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A packet from the server, as far as it is looked at.
#[derive(Debug)]
pub(super) enum Received {
    /// The code, and whether a session was present.
    Connack {
        code: u8,
        present: bool,
    },
    Publish(Delivery),
    /// PUBACK, PUBREC, PUBREL and PUBCOMP by their type, with their packet id and code.
    Ack {
        kind: u8,
        id: u16,
        code: u8,
    },
    Suback {
        id: u16,
        codes: Vec<u8>,
    },
    Disconnect,
    Other,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) qos: u8,
    pub(super) dup: bool,
    pub(super) retain: bool,
    pub(super) id: u16,
    pub(super) topic: String,
    pub(super) alias: Option<u16>,
    pub(super) payload: Vec<u8>,
}

/// What a CONNECT says.
pub(super) struct Hello<'a> {
    pub(super) five: bool,
    pub(super) clean: bool,
    pub(super) client_id: &'a str,
    pub(super) user_name: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) will: Option<(&'a str, u8)>,
    pub(super) expiry_s: u32,
    pub(super) receive_maximum: u16,
    pub(super) aliases: u16,
    pub(super) largest: u32,
}

impl Hello<'_> {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        let mut flags = u8::from(self.clean) << 1;
        if let Some((_, qos)) = self.will {
            flags |= 0x04 | qos << 3;
        }
        flags |= if self.user_name.is_some() { 0x80 } else { 0 };
        flags |= if self.password.is_some() { 0x40 } else { 0 };
        body.extend([if self.five { 5 } else { 4 }, flags, 0, 0]);
        if self.five {
            let mut properties = vec![0x11];
            properties.extend(self.expiry_s.to_be_bytes());
            properties.push(0x21);
            properties.extend(self.receive_maximum.to_be_bytes());
            properties.push(0x22);
            properties.extend(self.aliases.to_be_bytes());
            properties.push(0x27);
            properties.extend(self.largest.to_be_bytes());
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        text(&mut body, self.client_id);
        if let Some((topic, _)) = self.will {
            if self.five {
                body.push(0);
            }
            text(&mut body, topic);
            text(&mut body, "will");
        }
        for credential in [self.user_name, self.password].into_iter().flatten() {
            text(&mut body, credential);
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH; `properties` are raw and for version 5.
pub(super) fn publish(flags: u8, topic: &str, id: u16, properties: Option<&[u8]>, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if flags & 0x06 != 0 {
        body.extend(id.to_be_bytes());
    }
    if let Some(properties) = properties {
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// A SUBSCRIBE or, without options, an UNSUBSCRIBE of one filter.
pub(super) fn subscription(five: bool, id: u16, filter: &str, options: Option<u8>) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if five {
        body.push(0);
    }
    text(&mut body, filter);
    body.extend(options);
    packet(if options.is_some() { 0x82 } else { 0xA2 }, &body)
}

/// An acknowledgement; `kind` is its first byte.
pub(super) fn ack(kind: u8, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![kind, 2, high, low]
}

/// One client's end of a stream.
pub(super) struct Wire {
    pub(super) stream: DuplexStream,
    input: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self { stream, input: Vec::new() }
    }

    /// Writes, if the server still listens.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        // The pipe holds more than one input can make a client write.
        let _ = self.stream.write_all(bytes).await;
    }

    /// What has come by now; true where the stream has ended.
    pub(super) async fn take(&mut self, five: bool) -> (Vec<(Received, usize)>, bool) {
        let mut ended = false;
        poll_fn(|context| {
            let mut chunk = [0; 4096];
            loop {
                let mut into = ReadBuf::new(&mut chunk);
                match Pin::new(&mut self.stream).poll_read(context, &mut into) {
                    Poll::Ready(Ok(())) if !into.filled().is_empty() => {
                        self.input.extend_from_slice(into.filled());
                    }
                    Poll::Ready(_) => {
                        ended = true;
                        return Poll::Ready(());
                    }
                    Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        let mut received = Vec::new();
        while let Some((head, body, len)) = whole(&self.input) {
            received.push((read(head, body, five), len));
            self.input.drain(..len);
        }
        (received, ended)
    }
}

/// The first packet of `bytes`: its first byte, what follows its length, and how long it is in all.
fn whole(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let head = *bytes.first()?;
    let (length, size) = variable(&bytes[1..])?;
    let begin = 1 + size;
    Some((head, bytes.get(begin..begin + length)?, begin + length))
}

fn read(head: u8, body: &[u8], five: bool) -> Received {
    let word = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    match head >> 4 {
        2 => Received::Connack { code: body[1], present: body[0] == 1 },
        3 => Received::Publish(delivery(head, body, five)),
        kind @ 4..=7 => Received::Ack { kind, id: word(0), code: body.get(2).copied().unwrap_or(0) },
        9 => {
            let skip = if five { variable(&body[2..]).map_or(0, |(length, size)| length + size) } else { 0 };
            Received::Suback { id: word(0), codes: body[2 + skip..].to_vec() }
        }
        14 => Received::Disconnect,
        _ => Received::Other,
    }
}

fn delivery(head: u8, body: &[u8], five: bool) -> Delivery {
    let qos = head >> 1 & 3;
    assert!(qos < 3, "a QoS that does not exist");
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic is text");
    let mut rest = &body[2 + length..];
    let mut id = 0;
    if qos > 0 {
        id = u16::from_be_bytes([rest[0], rest[1]]);
        assert_ne!(id, 0, "packet id 0");
        rest = &rest[2..];
    }
    let mut alias = None;
    if five {
        let (length, size) = variable(rest).expect("a length of properties");
        let (properties, payload) = rest[size..].split_at(length);
        alias = topic_alias(properties);
        rest = payload;
    }
    let (dup, retain) = (head & 8 != 0, head & 1 != 0);
    Delivery { qos, dup, retain, id, topic, alias, payload: rest.to_vec() }
}

/// The topic alias among the properties of a PUBLISH (MQTT 5 section 3.3.2.3).
fn topic_alias(mut rest: &[u8]) -> Option<u16> {
    let text = |at: usize, bytes: &[u8]| 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let mut alias = None;
    while let Some((&kind, value)) = rest.split_first() {
        let size = match kind {
            0x01 => 1,
            0x02 => 4,
            0x03 | 0x08 | 0x09 => text(0, value),
            0x0B => variable(value).expect("an identifier").1,
            0x23 => {
                alias = Some(u16::from_be_bytes([value[0], value[1]]));
                2
            }
            0x26 => {
                let name = text(0, value);
                name + text(name, value)
            }
            other => panic!("a PUBLISH with property {other:#04x}"),
        };
        rest = &value[size..];
    }
    alias
}

/// A variable byte integer and how many bytes it took (MQTT 5 section 1.5.5).
fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as u16).to_be_bytes());
    into.extend(text.as_bytes());
}
