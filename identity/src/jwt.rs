//! Tokens that are signed (JWS, RFC 7515): how they are made, and how strictly they are read.
//!
//! A token names its key, and the key alone decides the algorithm (RFC 8725 section 3.1). Nothing else in a header is
//! looked at: one that brings a key or an address of a key along is refused.

mod access;
mod id_token;
mod key;
mod keyring;
mod logout;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::IdentityError;

pub(crate) use access::AccessClaims;
pub(crate) use id_token::{IdClaims, Profile, at_hash};
pub(crate) use key::Key;
pub(crate) use keyring::Keyring;
pub(crate) use logout::LogoutClaims;

/// The longest token that is looked at: ours have less than a thousand characters unless many scopes were granted.
const MAX_CHARACTERS: usize = 8_192;

/// What a token is; its `typ` (RFC 8725 section 3.11), so that one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// RFC 9068 section 2.1.
    Access,
    /// `OpenID` Connect Core section 2.
    Id,
    /// `OpenID` Connect Back-Channel Logout section 2.4.
    Logout,
}

impl TokenType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
            Self::Logout => "logout+jwt",
        }
    }

    /// The media type may be written in full, and in either case (RFC 7515 section 4.1.9).
    fn is(self, typ: &str) -> bool {
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        typ.eq_ignore_ascii_case(self.as_str())
    }
}

#[derive(Serialize)]
struct WrittenHeader<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// A signed token. The library would parse the private key for each; ours is parsed once.
pub(crate) fn sign(key: &Key, kind: TokenType, claims: &impl Serialize) -> Result<String, IdentityError> {
    let failed = |_| IdentityError::SigningKey("claims that cannot be written");
    let header = WrittenHeader { alg: key.algorithm.as_str(), typ: kind.as_str(), kid: &key.id };
    let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).map_err(failed)?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).map_err(failed)?, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The claims of a token that one of our keys signed; none when anything about it is wrong. What the claims say is
/// looked at by the caller, and so is the time: the library has a clock of its own.
pub(crate) fn verify<C: DeserializeOwned>(ring: &Keyring, kind: TokenType, token: &str) -> Option<C> {
    if token.len() > MAX_CHARACTERS {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = ring.find(named_key(kind, &header)?)?;
    let mut validation = Validation::new(key.checks_as());
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    // The algorithm is compared with the key's there, before anything is computed.
    jsonwebtoken::decode(token, key.checking(), &validation).ok().map(|read| read.claims)
}

/// The key id of a header that says nothing beyond what our headers say.
fn named_key(kind: TokenType, header: &Header) -> Option<&str> {
    let brings_a_key =
        header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
    let wants_more = header.crit.is_some() || header.enc.is_some() || header.zip.is_some();
    if brings_a_key || wants_more || !kind.is(header.typ.as_deref()?) {
        return None;
    }
    header.kid.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_kind_and_its_key_and_nothing_else() {
        let header = |json: &str| serde_json::from_str::<Header>(json).unwrap();
        let named = |kind, json| named_key(kind, &header(json)).map(str::to_owned);
        let access = r#"{"typ":"at+jwt","alg":"ES256","kid":"a"}"#;
        assert_eq!(named(TokenType::Access, access).as_deref(), Some("a"));
        assert_eq!(named(TokenType::Id, access), None, "whatever its claims say");
        assert_eq!(named(TokenType::Logout, access), None);
        let full = r#"{"typ":"application/AT+JWT","alg":"ES256","kid":"a"}"#;
        assert_eq!(named(TokenType::Access, full).as_deref(), Some("a"));
        for wrong in [
            r#"{"typ":"JWT","alg":"ES256","kid":"a"}"#,
            r#"{"alg":"ES256","kid":"a"}"#,
            r#"{"typ":"at+jwt","alg":"ES256"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","jku":"https://evil.example"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","x5u":"https://evil.example"}"#,
            r#"{"typ":"at+jwt","alg":"ES256","kid":"a","crit":["exp"]}"#,
        ] {
            assert_eq!(named(TokenType::Access, wrong), None, "{wrong}");
        }
    }
}
