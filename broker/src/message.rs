//! A message on its way from a publisher to subscribers: one allocation, shared by everybody who gets it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::Qos;

/// A published message as it crosses the bus and waits in sessions.
///
/// The layout is this process's own: one byte of flags, the publisher's session, topic, properties and payload, each
/// behind its length.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    frame: Bytes,
    topic_end: u32,
    properties_end: u32,
}

const RETAIN: u8 = 1;
const AT_LEAST_ONCE: u8 = 2;
const HEAD: usize = 1 + 8 + 4 + 4;

impl Message {
    /// `publisher` is the session it came from, 0 for the platform; `properties` are raw MQTT 5 properties.
    pub(crate) fn new(
        topic: &str,
        payload: &[u8],
        properties: &[u8],
        qos: Qos,
        retain: bool,
        publisher: u64,
    ) -> Self {
        let topic_end = HEAD + topic.len();
        let properties_end = topic_end + properties.len();
        let mut frame = BytesMut::with_capacity(properties_end + payload.len());
        let at_least_once = if qos == Qos::AtLeastOnce { AT_LEAST_ONCE } else { 0 };
        frame.put_u8(at_least_once | if retain { RETAIN } else { 0 });
        frame.put_u64(publisher);
        frame.put_u32(topic_end as u32);
        frame.put_u32(properties_end as u32);
        frame.put_slice(topic.as_bytes());
        frame.put_slice(properties);
        frame.put_slice(payload);
        Self { frame: frame.freeze(), topic_end: topic_end as u32, properties_end: properties_end as u32 }
    }

    /// What the bus carries.
    pub(crate) fn into_frame(self) -> Bytes {
        self.frame
    }

    /// Back from the bus; `None` if these are not the bytes of a message.
    pub(crate) fn from_frame(frame: Bytes) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?));
        let (topic_end, properties_end) = (word(9)?, word(13)?);
        std::str::from_utf8(frame.get(HEAD..topic_end as usize)?).ok()?;
        frame.get(topic_end as usize..properties_end as usize)?;
        Some(Self { frame, topic_end, properties_end })
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
        if self.frame[0] & AT_LEAST_ONCE == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce }
    }

    pub(crate) fn retain(&self) -> bool {
        self.frame[0] & RETAIN != 0
    }

    /// The session that published it, 0 for the platform.
    pub(crate) fn publisher(&self) -> u64 {
        u64::from_be_bytes(self.frame[1..9].try_into().unwrap_or_default())
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
        let message = Message::new("é/b", b"payload", &[1, 0], Qos::AtLeastOnce, true, 7);
        let back = Message::from_frame(message.into_frame()).expect("a message");
        assert_eq!((back.topic(), back.payload(), back.properties()), ("é/b", &b"payload"[..], &[1, 0][..]));
        assert_eq!((back.qos(), back.retain(), back.publisher()), (Qos::AtLeastOnce, true, 7));
        assert!(Message::from_frame(Bytes::from_static(b"short")).is_none());
        assert!(Message::from_frame(Bytes::from_static(&[0xFF; 40])).is_none());
    }
}
