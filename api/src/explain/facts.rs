//! What the broker saw of a device, as it saves it. This is the reader: what is missing was not seen, and what is not known
//! here is left where it is, so that the two may be of different versions.

use std::collections::BTreeMap;

use protocol::Timestamp;
use serde::Deserialize;

/// What was last seen of a device. Times are milliseconds of the server's clock.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The last sign-in that was let in.
    pub sign_in: Option<SignIn>,
    /// The last one that was refused.
    pub refused_sign_in: Option<RefusedSignIn>,
    /// Since when it is connected; none when it is not.
    pub connected_since: Option<Timestamp>,
    /// How its last connection ended; none when none did.
    pub disconnected: Option<Disconnected>,
    /// When its last message came, of whatever kind.
    pub last_message_at: Option<Timestamp>,
    /// When its last batch of pings was accepted.
    pub last_batch_at: Option<Timestamp>,
    /// When its newest ping was heard.
    pub last_ping_at: Option<Timestamp>,
    /// The server's clock minus the device's, when a batch last told it.
    pub clock_offset_ms: Option<i64>,
    /// The limits it ran into, by name.
    pub limits: BTreeMap<String, Tally>,
    /// What it was refused, by cause.
    pub refusals: BTreeMap<String, Tally>,
    /// What a scanner reported in a format of its own.
    pub scanned: Scanned,
}

/// What came of the messages of a scanner.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Scanned {
    /// How many came to what: `read`, `empty`, `unreadable` or `aside`.
    pub messages: BTreeMap<String, Tally>,
    /// The last that could not be read.
    pub unread: Option<Unread>,
}

/// Something that could not be read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Unread {
    /// When.
    pub at: Timestamp,
    /// The filter of the topics that it came on.
    pub filter: String,
    /// Where in it: a JSON pointer.
    pub pointer: String,
    /// What should be there.
    pub expected: String,
}

/// A sign-in that was let in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SignIn {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub address: Option<String>,
    /// `tcp`, `tls`, `ws` or `wss`.
    pub transport: Option<String>,
    /// The version of MQTT: `3.1.1` or `5`.
    pub version: Option<String>,
    /// What the client called itself.
    pub client_id: Option<String>,
    /// The fingerprint of its certificate; none when it gave its secret.
    pub certificate: Option<String>,
}

/// A sign-in that was refused.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RefusedSignIn {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub address: Option<String>,
    /// Why.
    pub cause: String,
}

/// The end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Disconnected {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: String,
}

/// How often something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// When the last time.
    pub last_at: Timestamp,
}

impl Facts {
    /// Reads what the broker saved. What cannot be read is as good as never seen; the log says so.
    pub(super) fn read(text: &str) -> Option<Facts> {
        serde_json::from_str(text)
            .inspect_err(|error| tracing::warn!(%error, "what was saved of a device cannot be read"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_may_be_missing_and_more_may_be_there() {
        assert_eq!(Facts::read("{}"), Some(Facts::default()));
        let text = r#"{"sign_in": {"at": 5, "certificate": null, "new": 1}, "refused_sign_in": null, "disconnected": null,
            "limits": {"messages_per_s": {"count": 3}}, "newer": [1, 2]}"#;
        let facts = Facts::read(text).unwrap();
        assert_eq!(facts.sign_in, Some(SignIn { at: Timestamp(5), ..SignIn::default() }));
        assert_eq!(facts.limits["messages_per_s"], Tally { count: 3, last_at: Timestamp(0) });
        for wrong in ["", "null", "7", "{\"sign_in\": 7}"] {
            assert_eq!(Facts::read(wrong), None, "{wrong}");
        }
    }
}
