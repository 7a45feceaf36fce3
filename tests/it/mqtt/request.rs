//! The packets of a client that is connected.

use super::property::{Property, encode};
use super::{packet, text};

/// PUBLISH.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    topic: Vec<u8>,
    payload: Vec<u8>,
    pub(super) qos: u8,
    retain: bool,
    dup: bool,
    pub(super) id: Option<u16>,
    properties: Vec<Property>,
}

impl Publish {
    /// With a quality of service of 0.
    pub(crate) fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().to_vec(),
            payload: payload.as_ref().to_vec(),
            qos: 0,
            retain: false,
            dup: false,
            id: None,
            properties: Vec::new(),
        }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// Says that it was sent before.
    pub(crate) fn again(self) -> Self {
        Self { dup: true, ..self }
    }

    /// With a packet id of the caller's choice; otherwise the client chooses.
    pub(crate) fn id(self, id: u16) -> Self {
        Self { id: Some(id), ..self }
    }

    /// With one more property, which 3.1.1 leaves out.
    pub(crate) fn with(mut self, property: Property) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn bytes(&self, level: u8) -> Vec<u8> {
        let mut body = text(&self.topic);
        if self.qos > 0 {
            body.extend(self.id.unwrap_or(1).to_be_bytes());
        }
        if level == 5 {
            body.extend(encode(&self.properties));
        }
        body.extend_from_slice(&self.payload);
        packet(0x30 | (u8::from(self.dup) << 3) | (self.qos << 1) | u8::from(self.retain), &body)
    }
}

/// SUBSCRIBE to filters, each with its options byte: the quality of service and, in version 5, the options.
pub(crate) fn subscribe_to<F: AsRef<[u8]>>(
    level: u8,
    id: u16,
    filters: &[(F, u8)],
    properties: &[Property],
) -> Vec<u8> {
    let mut body = start(level, id, properties);
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

pub(crate) fn unsubscribe_from<F: AsRef<[u8]>>(
    level: u8,
    id: u16,
    filters: &[F],
    properties: &[Property],
) -> Vec<u8> {
    let mut body = start(level, id, properties);
    body.extend(filters.iter().flat_map(text));
    packet(0xA2, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP; only version 5 has codes.
pub(crate) fn acknowledgement(head: u8, id: u16, code: Option<u8>) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(code);
    packet(head, &body)
}

/// DISCONNECT of version 5.
pub(crate) fn disconnect(code: u8, properties: &[Property]) -> Vec<u8> {
    packet(0xE0, &[vec![code], encode(properties)].concat())
}

fn start(level: u8, id: u16, properties: &[Property]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if level == 5 {
        body.extend(encode(properties));
    }
    body
}
