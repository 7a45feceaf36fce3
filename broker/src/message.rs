//! A message on its way from a publisher to subscribers: one allocation, shared by everybody who gets it.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::{OrganizationId, Timestamp};
use uuid::Uuid;

use crate::codec::Qos;
use crate::namespace::Namespace;

/// A published message as it crosses the bus, waits in sessions and is stored.
///
/// The layout is this program's own, big-endian: flags (1 byte: bits 0-1 QoS, bit 2 retain), organization (16), the
/// publisher's session (8), when it expires (8, 0 for never), where the topic ends (4), where the properties end (4),
/// then topic, properties and payload.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    frame: Bytes,
    topic_end: u32,
    properties_end: u32,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    /// Whose topics it is on: a message never leaves its organization.
    pub(crate) organization: OrganizationId,
    /// The session it came from, 0 for the platform.
    pub(crate) publisher: u64,
    pub(crate) topic: &'a str,
    /// Raw MQTT 5 properties that travel with it.
    pub(crate) properties: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) expires_at: Option<Timestamp>,
}

const RETAIN: u8 = 4;
const HEAD: usize = 1 + 16 + 8 + 8 + 4 + 4;

impl Message {
    pub(crate) fn new(draft: Draft<'_>) -> Self {
        let topic_end = HEAD + draft.topic.len();
        let properties_end = topic_end + draft.properties.len();
        let mut frame = BytesMut::with_capacity(properties_end + draft.payload.len());
        frame.put_u8(draft.qos as u8 | if draft.retain { RETAIN } else { 0 });
        frame.put_slice(draft.organization.as_uuid().as_bytes());
        frame.put_u64(draft.publisher);
        frame.put_i64(draft.expires_at.map_or(0, |at| at.0));
        frame.put_u32(topic_end as u32);
        frame.put_u32(properties_end as u32);
        frame.put_slice(draft.topic.as_bytes());
        frame.put_slice(draft.properties);
        frame.put_slice(draft.payload);
        Self { frame: frame.freeze(), topic_end: topic_end as u32, properties_end: properties_end as u32 }
    }

    /// What the platform itself says on one of its topics.
    pub(crate) fn of_platform(
        organization: OrganizationId,
        topic: &str,
        payload: &[u8],
        qos: Qos,
        retain: bool,
    ) -> Self {
        let properties = &[];
        Self::new(Draft {
            organization,
            publisher: 0,
            topic,
            properties,
            payload,
            qos,
            retain,
            expires_at: None,
        })
    }

    /// What the bus and the store carry.
    pub(crate) fn into_frame(self) -> Bytes {
        self.frame
    }

    /// Back from the bus or the store; `None` if these are not the bytes of a message.
    pub(crate) fn from_frame(frame: Bytes) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?));
        let (topic_end, properties_end) = (word(33)?, word(37)?);
        std::str::from_utf8(frame.get(HEAD..topic_end as usize)?).ok()?;
        frame.get(topic_end as usize..properties_end as usize)?;
        Some(Self { frame, topic_end, properties_end })
    }

    pub(crate) fn organization(&self) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_slice(&self.frame[1..17]).unwrap_or_default())
    }

    pub(crate) fn namespace(&self) -> Namespace {
        Namespace::of(self.organization(), self.topic())
    }

    pub(crate) fn topic(&self) -> &str {
        std::str::from_utf8(&self.frame[HEAD..self.topic_end as usize]).unwrap_or_default()
    }

    pub(crate) fn properties(&self) -> &[u8] {
        &self.frame[self.topic_end as usize..self.properties_end as usize]
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.frame[self.properties_end as usize..]
    }

    pub(crate) fn qos(&self) -> Qos {
        Qos::of(self.frame[0])
    }

    pub(crate) fn retain(&self) -> bool {
        self.frame[0] & RETAIN != 0
    }

    /// The session that published it, 0 for the platform.
    pub(crate) fn publisher(&self) -> u64 {
        u64::from_be_bytes(self.frame[17..25].try_into().unwrap_or_default())
    }

    /// When it is of no use any more.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let at = i64::from_be_bytes(self.frame[25..33].try_into().unwrap_or_default());
        (at != 0).then_some(Timestamp(at))
    }

    /// The same message, with its time to expire counted from `now`.
    pub(crate) fn starting_now(&self, now: Timestamp) -> Self {
        let Some(after) = self.expires_at() else { return self.clone() };
        let mut frame = BytesMut::from(&self.frame[..]);
        frame[25..33].copy_from_slice(&now.plus(after.0).0.to_be_bytes());
        Self { frame: frame.freeze(), ..*self }
    }

    /// Bytes it holds in memory.
    pub(crate) fn size(&self) -> usize {
        self.frame.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crosses_the_bus_unchanged() {
        let organization = OrganizationId::new(Timestamp(1), [3; 10]);
        let message = Message::new(Draft {
            organization,
            publisher: 7,
            topic: "é/b",
            properties: &[1, 0],
            payload: b"payload",
            qos: Qos::ExactlyOnce,
            retain: true,
            expires_at: Some(Timestamp(9)),
        });
        let back = Message::from_frame(message.into_frame()).expect("a message");
        assert_eq!((back.topic(), back.payload(), back.properties()), ("é/b", &b"payload"[..], &[1, 0][..]));
        assert_eq!((back.qos(), back.retain(), back.publisher()), (Qos::ExactlyOnce, true, 7));
        assert_eq!((back.organization(), back.expires_at()), (organization, Some(Timestamp(9))));
        assert_eq!(back.starting_now(Timestamp(100)).expires_at(), Some(Timestamp(109)));
        assert!(Message::from_frame(Bytes::from_static(b"short")).is_none());
        assert!(Message::from_frame(Bytes::from_static(&[0xFF; 80])).is_none());
    }
}
