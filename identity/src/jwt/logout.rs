//! What a logout token says (`OpenID` Connect Back-Channel Logout section 2.4).

use std::collections::BTreeMap;

use protocol::ClientId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The claims of a logout token. It never has a `nonce`, so that it cannot pass for an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogoutClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: ClientId,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    /// The browser session that ended; none when all of the person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    pub(crate) events: BTreeMap<String, Value>,
}

impl LogoutClaims {
    /// The one event that a logout token tells of.
    pub(crate) fn events() -> BTreeMap<String, Value> {
        BTreeMap::from([("http://schemas.openid.net/event/backchannel-logout".to_owned(), json!({}))])
    }
}
