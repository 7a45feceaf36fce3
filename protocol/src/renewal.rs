//! How a device that signed in with a certificate gets the next one, over the same connection.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::text::serde_as_text;

/// Body of `v1/{device}/certificate/request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequest {
    /// The request to sign (PKCS #10, RFC 2986), as PEM. Its subject does not matter.
    pub csr: String,
}

/// Body of `v1/{device}/certificate`, the answer; not retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Renewal {
    /// The next certificate; the one before stays valid.
    Signed {
        /// It, as PEM.
        certificate: String,
        /// The certificate of the authority that signed it, as PEM.
        authority: String,
        /// Until when it is valid, that moment included.
        not_after: Timestamp,
    },
    /// There is none.
    Refused {
        /// Why.
        refused: RenewalRefusal,
    },
}

/// Why a certificate is not signed: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RenewalRefusal {
    /// What was sent is no request to sign, or is for a key that is not taken.
    BadRequest,
    /// The connection was signed in with something else than a certificate.
    NotCertified,
    /// The server has no authority to sign with.
    NoAuthority,
    /// The device has as many certificates as it may have, or asked again too soon.
    TooMany,
    /// The server cannot do it now; worth another try.
    Unavailable,
}

impl RenewalRefusal {
    /// Every refusal, in the order of declaration.
    pub const ALL: &[Self] =
        &[Self::BadRequest, Self::NotCertified, Self::NoAuthority, Self::TooMany, Self::Unavailable];

    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotCertified => "not_certified",
            Self::NoAuthority => "no_authority",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A word that is no such reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason why a certificate is not signed")]
pub struct RenewalRefusalError;

impl std::fmt::Display for RenewalRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for RenewalRefusal {
    type Err = RenewalRefusalError;

    fn from_str(text: &str) -> Result<Self, RenewalRefusalError> {
        Self::ALL.iter().copied().find(|refusal| refusal.as_str() == text).ok_or(RenewalRefusalError)
    }
}

serde_as_text!(RenewalRefusal, "a reason why a certificate is not signed");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_certificate_or_a_reason() {
        for refusal in RenewalRefusal::ALL {
            let json = format!(r#"{{"refused":"{refusal}"}}"#);
            let answer = Renewal::Refused { refused: *refusal };
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<Renewal>(&json).unwrap(), answer);
        }
        let json = r#"{"certificate":"a","authority":"b","not_after":7}"#;
        let signed = serde_json::from_str::<Renewal>(json).unwrap();
        assert_eq!(serde_json::to_string(&signed).unwrap(), json);
        assert!(serde_json::from_str::<Renewal>(r#"{"certificate":"a"}"#).is_err());
        assert!(serde_json::from_str::<Renewal>(r#"{"refused":"bored"}"#).is_err());
    }
}
