//! Orders that their operator signed, and whether to believe them.
//!
//! A signed order is a JWS in compact serialization (RFC 7515 section 3.1). Nothing in its header chooses how it is
//! checked: the algorithm is Ed25519, the keys are those of the configuration, and a header that says anything else, or
//! anything more than who signed it, is refused. Which of the keys signed is found by trying them; there are few.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::SignedOrder;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Longest signed order: arguments of the greatest length, twice in base64, and what stands around them.
const LONGEST: usize = 64 * 1024;

/// An operator's public key.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey(VerifyingKey);

/// Why a signed order is not believed. What exactly is wrong is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not three parts of base64url.
    #[error("it is no JWS in compact serialization")]
    Shape,
    /// Another algorithm or type, a critical extension, or something else than RFC 7515 names harmless.
    #[error("its header is not that of a signed order")]
    Header,
    /// No trusted key made it.
    #[error("no trusted key made the signature")]
    Key,
    /// The signature is good and what it signs is no order.
    #[error("what is signed is no order")]
    Payload,
}

/// The only header there is; members that are not named here are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    /// Which key, as a hint for people.
    #[serde(default, rename = "kid")]
    _kid: Option<String>,
}

/// The order in a JWS that one of the keys signed.
pub fn open(jws: &str, keys: &[TrustedKey]) -> Result<SignedOrder, SignatureError> {
    if jws.len() > LONGEST {
        return Err(SignatureError::Shape);
    }
    let (signed, signature) = jws.rsplit_once('.').ok_or(SignatureError::Shape)?;
    let (header, payload) = signed.split_once('.').ok_or(SignatureError::Shape)?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| SignatureError::Shape);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header = object(&header).ok_or(SignatureError::Header)?;
    if header.alg != "EdDSA" || header.typ != SignedOrder::TYPE {
        return Err(SignatureError::Header);
    }
    let signature = Signature::from_slice(&signature).map_err(|_| SignatureError::Key)?;
    // Strictly: without it a weak key would have signatures that fit every message.
    if !keys.iter().any(|key| key.0.verify_strict(signed.as_bytes(), &signature).is_ok()) {
        return Err(SignatureError::Key);
    }
    object(&payload).ok_or(SignatureError::Payload)
}

/// What a JSON object says; a list of the same values, which serde would take too, is none.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

impl TrustedKey {
    /// The key in this text: 32 bytes in base64url without padding.
    pub fn read(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak()).map(Self)
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for TrustedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = "a key is a raw Ed25519 public key of 32 bytes in base64url without padding";
        Self::read(&text).ok_or_else(|| D::Error::custom(wrong))
    }
}

#[cfg(test)]
pub(crate) mod tests;
