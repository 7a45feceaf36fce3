//! Keys of operators, who sign orders that the server itself could not give: it holds no such key, and devices that were told so
//! run nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::{DeviceId, SignedOrder, Timestamp};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Map, Value, json};

use crate::commands::order;

/// What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410 section 7): version 1, the algorithm, and how
/// long what follows is.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that signs orders.
pub struct OperatorKey(KeyPair);

/// Why there is no key, or no signed order.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The text is no such key.
    #[error("it is no key that `promenade operator-key` made")]
    NoKey,
    /// The order can be no command; the text says why.
    #[error("{0}")]
    Order(String),
    /// The system does not do its part.
    #[error("{0}")]
    System(String),
}

impl OperatorKey {
    /// Makes a key.
    pub fn generate() -> Result<OperatorKey, OperatorError> {
        KeyPair::generate_for(&PKCS_ED25519)
            .map(OperatorKey)
            .map_err(|error| OperatorError::System(error.to_string()))
    }

    /// Reads a key as [`OperatorKey::to_pem`] writes it.
    pub fn from_pem(text: &str) -> Result<OperatorKey, OperatorError> {
        let pair = KeyPair::from_pem(text).map_err(|_| OperatorError::NoKey)?;
        if pair.is_compatible(&PKCS_ED25519) { Ok(OperatorKey(pair)) } else { Err(OperatorError::NoKey) }
    }

    /// The private key: PKCS #8 as PEM, in the form without the public half (RFC 8410 section 7), which every program reads.
    pub fn to_pem(&self) -> String {
        let der = self.0.serialize_der();
        let private = der.get(PKCS8_HEAD.len()..PKCS8_HEAD.len() + 32).unwrap_or_default();
        let body = STANDARD.encode([&PKCS8_HEAD[..], private].concat());
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    /// The public half in base64url: what devices are told to trust, and the key's name in what it signs.
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.der_bytes())
    }

    /// Signs an order: a JWS in compact serialization (RFC 7515 section 7.1), with a nonce of its own.
    pub fn sign(
        &self,
        device: DeviceId,
        name: &str,
        args: Map<String, Value>,
        deadline: Timestamp,
    ) -> Result<String, OperatorError> {
        let name = order::check_name(name.to_owned())
            .map_err(|rule| OperatorError::Order(format!("the name {rule}")))?;
        let args =
            order::check_args(args).map_err(|rule| OperatorError::Order(format!("the arguments {rule}")))?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| OperatorError::System(error.to_string()))?;
        let order = SignedOrder { device, name, args, deadline, nonce: URL_SAFE_NO_PAD.encode(nonce) };
        let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE, "kid": self.public()});
        let payload = serde_json::to_vec(&order).map_err(|error| OperatorError::System(error.to_string()))?;
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature =
            self.0.sign(text.as_bytes()).map_err(|error| OperatorError::System(error.to_string()))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// Whether a signature is that of a public key (RFC 8032), as another library sees it.
    fn is_signed(jws: &str, public: &str) -> bool {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let (message, signature) = jws.rsplit_once('.').unwrap();
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let (public, signature) = (decoded(public), decoded(signature));
        known
            .all
            .iter()
            .any(|algorithm| algorithm.verify_signature(&public, message.as_bytes(), &signature).is_ok())
    }

    #[test]
    fn what_a_key_signs_can_be_checked_and_taken() {
        let key = OperatorKey::generate().unwrap();
        let again = OperatorKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!((again.public(), again.public().len()), (key.public(), 43));
        assert_eq!(key.to_pem().lines().nth(1).map(str::len), Some(64), "the 48 bytes of version 1");
        let (device, now) = (DEVICE.parse().unwrap(), Timestamp(1_000));
        let sign = |name| again.sign(device, name, Map::new(), now.plus(60_000));
        let jws = sign("identify").unwrap();
        assert!(is_signed(&jws, &key.public()));
        assert!(!is_signed(&jws, &OperatorKey::generate().unwrap().public()));
        assert!(!is_signed(&format!("e30.{}", jws.split_once('.').unwrap().1), &key.public()));
        assert_ne!(sign("identify").unwrap(), jws, "each has a nonce of its own");
        assert!(sign("two words").is_err());
        let order = crate::commands::signed::read(&jws, device, now).unwrap();
        assert_eq!((order.name.as_str(), order.deadline), ("identify", now.plus(60_000)));
        let other = KeyPair::generate().unwrap().serialize_pem();
        for wrong in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &other] {
            assert!(OperatorKey::from_pem(wrong).is_err());
        }
    }
}
