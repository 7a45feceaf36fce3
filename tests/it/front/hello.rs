//! What a client says when it connects.

use crate::mqtt::{Connect, Property, Will};
use crate::world::Key;

/// Everything that a CONNECT may say, as far as the tests say it.
#[derive(Clone, Copy)]
pub(super) struct Hello<'a> {
    level: u8,
    client_id: &'a str,
    credentials: Option<(&'a str, &'a str)>,
    clean: bool,
    /// Seconds that the session outlives the connection; 3.1.1 has only the clean flag.
    expiry: u32,
    keep_alive: u16,
    receive_maximum: Option<u16>,
    will: Option<(&'a str, &'a [u8], u8)>,
}

impl<'a> Hello<'a> {
    pub(super) fn new(level: u8, client_id: &'a str) -> Self {
        let (clean, expiry, keep_alive) = (true, 0, 60);
        Self {
            level,
            client_id,
            credentials: None,
            clean,
            expiry,
            keep_alive,
            receive_maximum: None,
            will: None,
        }
    }

    /// Signs in with an API key.
    pub(super) fn with_key(self, key: &'a Key) -> Self {
        Self { credentials: Some(("service", &key.secret)), ..self }
    }

    /// Signs in as a device.
    pub(super) fn as_user(self, name: &'a str, secret: &'a str) -> Self {
        Self { credentials: Some((name, secret)), ..self }
    }

    /// Goes on with an earlier session, and leaves one behind for an hour.
    pub(super) fn resuming(self) -> Self {
        Self { clean: false, expiry: 3600, ..self }
    }

    /// Starts anew, but leaves a session behind for this many seconds (version 5 alone has a way to say it).
    pub(super) fn leaving(self, expiry: u32) -> Self {
        Self { clean: true, expiry, ..self }
    }

    pub(super) fn keep_alive(self, seconds: u16) -> Self {
        Self { keep_alive: seconds, ..self }
    }

    /// How many messages that want an acknowledgement the client takes at once; version 5 alone.
    pub(super) fn receive_maximum(self, count: u16) -> Self {
        Self { receive_maximum: Some(count), ..self }
    }

    /// A will with a quality of service of 0 or 1.
    pub(super) fn will(self, topic: &'a str, payload: &'a [u8], qos: u8) -> Self {
        Self { will: Some((topic, payload, qos)), ..self }
    }
}

impl From<Hello<'_>> for Connect {
    fn from(hello: Hello<'_>) -> Self {
        let mut connect = Self::new(hello.level, hello.client_id).lasting(hello.expiry);
        connect = connect.clean(hello.clean).keep_alive(hello.keep_alive);
        if let Some(count) = hello.receive_maximum {
            connect = connect.with(Property::ReceiveMaximum(count));
        }
        if let Some((topic, payload, qos)) = hello.will {
            connect = connect.will(Will::new(topic, payload).qos(qos));
        }
        match hello.credentials {
            Some((name, secret)) => connect.user(name).password(secret),
            None => connect,
        }
    }
}
