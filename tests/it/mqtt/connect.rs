//! CONNECT, with everything that it may say.

use super::property::{Property, encode};
use super::{packet, text};

/// What a client says when it connects.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    /// 4 or 5.
    pub(crate) level: u8,
    pub(crate) client_id: Vec<u8>,
    /// Clean session of 3.1.1, clean start of 5.
    pub(crate) clean: bool,
    /// Seconds.
    pub(crate) keep_alive: u16,
    pub(crate) properties: Vec<Property>,
    pub(crate) will: Option<Will>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
}

/// What the server shall publish for a client that goes without a word.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    topic: Vec<u8>,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    properties: Vec<Property>,
}

/// Where the connect flags are in the body of a CONNECT.
pub(crate) const FLAGS: usize = 7;

impl Connect {
    /// A clean session with a keep-alive of a minute.
    pub(crate) fn new(level: u8, client_id: impl AsRef<[u8]>) -> Self {
        Self {
            level,
            client_id: client_id.as_ref().to_vec(),
            clean: true,
            keep_alive: 60,
            properties: Vec::new(),
            will: None,
            user: None,
            password: None,
        }
    }

    /// Goes on with an earlier session, and leaves one behind: for as many seconds in version 5; 3.1.1 cannot say it.
    pub(crate) fn lasting(self, seconds: u32) -> Self {
        let hello = Self { clean: false, ..self };
        hello.with(Property::SessionExpiry(seconds))
    }

    pub(crate) fn keep_alive(self, seconds: u16) -> Self {
        Self { keep_alive: seconds, ..self }
    }

    pub(crate) fn clean(self, clean: bool) -> Self {
        Self { clean, ..self }
    }

    pub(crate) fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    pub(crate) fn user(self, name: impl AsRef<[u8]>) -> Self {
        Self { user: Some(name.as_ref().to_vec()), ..self }
    }

    pub(crate) fn password(self, password: impl AsRef<[u8]>) -> Self {
        Self { password: Some(password.as_ref().to_vec()), ..self }
    }

    /// With one more property, which 3.1.1 leaves out.
    pub(crate) fn with(mut self, property: Property) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        packet(0x10, &self.body())
    }

    /// Everything behind the length.
    pub(crate) fn body(&self) -> Vec<u8> {
        let will = self.will.as_ref().map_or(0, |will| 4 | (will.qos << 3) | (u8::from(will.retain) << 5));
        let credentials = (u8::from(self.user.is_some()) << 7) | (u8::from(self.password.is_some()) << 6);
        let mut body = text("MQTT");
        body.extend([self.level, credentials | will | (u8::from(self.clean) << 1)]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.level == 5 {
            body.extend(encode(&self.properties));
        }
        body.extend(text(&self.client_id));
        if let Some(will) = &self.will {
            if self.level == 5 {
                body.extend(encode(&will.properties));
            }
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        for part in [&self.user, &self.password].into_iter().flatten() {
            body.extend(text(part));
        }
        body
    }
}

impl Will {
    pub(crate) fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        let (topic, payload) = (topic.as_ref().to_vec(), payload.as_ref().to_vec());
        Self { topic, payload, qos: 0, retain: false, properties: Vec::new() }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// With one more property, which 3.1.1 leaves out.
    pub(crate) fn with(mut self, property: Property) -> Self {
        self.properties.push(property);
        self
    }
}
