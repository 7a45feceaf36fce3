//! Whoever shows an access token.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Audience, Bearer, BearerError};
use protocol::Timestamp;
use serde_json::Value;

use crate::Voice;
use crate::secret::Secret;

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1), where there is one such header.
pub(super) fn shown(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

impl Voice {
    /// Who shows a token, and what they may do.
    pub(super) async fn bearer(&self, token: &Secret) -> Result<Bearer, BearerError> {
        self.identity.check(token.expose(), Audience::Api).await
    }
}

/// Whether a token that is not good says that it is over. Nothing is believed of it but that: it changes a word of the
/// refusal.
pub(super) fn is_over(token: &Secret, now: Timestamp) -> bool {
    let end = || {
        let payload = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Value>(&payload).ok()?.get("exp")?.as_i64()
    };
    end().is_some_and(|end| end <= now.second())
}
