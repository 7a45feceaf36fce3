//! Commands that their operator signed, so that whoever holds the server cannot drive the devices.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_TTL_S;
use crate::{DeviceId, Timestamp};

/// What an operator signs: the payload of a JWS in compact serialization (RFC 7515 section 3.1) with `alg` `EdDSA` and an
/// Ed25519 key (RFC 8037 section 3.1) that the server does not hold. `typ` is [`SignedOrder::TYPE`].
///
/// The device runs what is signed and not what stands beside it: no two programs need to write JSON alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedOrder {
    /// The device that may run it.
    pub device: DeviceId,
    /// As [`Command::name`](crate::Command::name).
    pub name: String,
    /// As [`Command::args`](crate::Command::args).
    pub args: Value,
    /// As [`Command::deadline`](crate::Command::deadline); without one it could be kept back and sent at any time.
    pub deadline: Timestamp,
    /// Never used twice: the device runs each once, whatever command it comes in. 16 to 64 characters.
    pub nonce: String,
}

impl SignedOrder {
    /// `typ` of the header of the JWS (RFC 7515 section 4.1.9), so that no other thing the key signs is an order.
    pub const TYPE: &str = "promenade-order+jws";

    /// How far ahead a deadline may be, in milliseconds: devices remember nonces until then.
    pub const LONGEST_MS: i64 = MAX_TTL_S as i64 * 1_000;

    /// Whether the nonce can be one.
    pub fn has_nonce(&self) -> bool {
        (16..=64).contains(&self.nonce.len()) && self.nonce.bytes().all(|byte| byte.is_ascii_graphic())
    }
}
