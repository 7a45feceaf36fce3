//! The envelope of everything that Alexa is sent.

use protocol::Timestamp;
use serde_json::{Map, Value, json};

use crate::secret::Secret;

/// What makes one message another than the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its `messageId`: a UUID that is used once.
    pub message_id: String,
    /// When it is written.
    pub at: Timestamp,
}

/// A message under construction.
pub(super) struct Event {
    namespace: &'static str,
    name: &'static str,
    correlation: Option<Secret>,
    endpoint: Option<String>,
    context: Option<Vec<Value>>,
    payload: Value,
}

impl Event {
    pub(super) fn new(namespace: &'static str, name: &'static str, payload: Value) -> Self {
        Self { namespace, name, correlation: None, endpoint: None, context: None, payload }
    }

    pub(super) fn answering(mut self, correlation: Option<&Secret>) -> Self {
        self.correlation = correlation.cloned();
        self
    }

    /// Of a device; an id that none can have is not repeated.
    pub(super) fn of(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into()).filter(|id| can_be_id(id));
        self
    }

    pub(super) fn with(mut self, properties: Vec<Value>) -> Self {
        self.context = Some(properties);
        self
    }

    pub(super) fn stamped(self, stamp: &Stamp) -> Value {
        let mut header = json!({
            "namespace": self.namespace,
            "name": self.name,
            "payloadVersion": "3",
            "messageId": stamp.message_id,
        });
        if let Some(correlation) = &self.correlation {
            header["correlationToken"] = json!(correlation.expose());
        }
        let mut event = json!({"header": header, "payload": self.payload});
        if let Some(endpoint) = &self.endpoint {
            event["endpoint"] = json!({"endpointId": endpoint});
        }
        let mut message = Map::from_iter([("event".to_owned(), event)]);
        if let Some(properties) = self.context {
            message.insert("context".to_owned(), json!({"properties": properties}));
        }
        message.into()
    }
}

/// Adds the token that the event gateway asks for in messages about a device.
pub fn add_scope(message: &mut Value, token: &Secret) {
    if let Some(Value::Object(endpoint)) = message.pointer_mut("/event/endpoint") {
        endpoint.insert("scope".to_owned(), scope(token));
    }
}

pub(super) fn scope(token: &Secret) -> Value {
    json!({"type": "BearerToken", "token": token.expose()})
}

/// A time as Alexa reads it: UTC with milliseconds (ISO 8601).
pub(super) fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0.max(0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The pattern of an `endpointId`.
fn can_be_id(id: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-=#;:?@&".contains(c);
    (1..=256).contains(&id.len()) && id.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_of_greenwich() {
        assert_eq!(time(Timestamp(1_790_000_000_007)), "2026-09-21T14:13:20.007Z");
        assert_eq!(time(Timestamp(i64::MAX)), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(Timestamp(-5)), "1970-01-01T00:00:00.000Z");
    }
}
