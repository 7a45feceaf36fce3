//! What an access token says (RFC 9068).

use protocol::{ClientId, GrantId, OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};

/// The claims of an access token (RFC 9068 section 2.2). They name the grant, and whether that still counts is asked
/// whenever the token is shown to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    /// The account, or the client itself where it asked for itself (RFC 9068 section 3).
    pub(crate) sub: String,
    /// One API; a token for several would let one of them use it at another.
    pub(crate) aud: String,
    /// Unix seconds, like every time in a token (RFC 7519 section 2).
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) client_id: ClientId,
    pub(crate) scope: String,
    pub(crate) org: OrganizationId,
    pub(crate) grant: GrantId,
}

impl AccessClaims {
    /// Whether it is over; without leeway, since the clock that wrote it reads it.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.exp.saturating_mul(1_000) <= now.0
    }
}
