//! The second factor: a code that an application shows and that changes every half minute (TOTP, RFC 6238).

use protocol::{AccountId, Timestamp};
use totp_rs::{Builder, Secret};

use crate::error::IdentityError;
use crate::random;
use crate::seal::{Sealer, Use};

/// The length of a step (RFC 6238 section 5.2).
const STEP_S: i64 = 30;
/// Steps before and after this one whose codes count: clocks differ.
const SKEW: u16 = 1;

/// The secret that an application shares.
pub(crate) struct SecondFactor(Secret);

impl SecondFactor {
    /// A new one, of the length that RFC 4226 section 4 asks for.
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        Ok(Self(Secret::new_stack(random::bytes()?)))
    }

    /// Opens one of an account.
    pub(crate) fn open(sealer: &Sealer, account: AccountId, stored: &[u8]) -> Result<Self, IdentityError> {
        let plain = sealer.unseal(Use::Totp, account.to_string().as_bytes(), stored)?;
        Ok(Self(Secret::new(plain.into_boxed_slice())))
    }

    /// Seals it for an account.
    pub(crate) fn seal(&self, sealer: &Sealer, account: AccountId) -> Result<Vec<u8>, IdentityError> {
        sealer.seal(Use::Totp, account.to_string().as_bytes(), self.0.as_bytes())
    }

    /// The step that a code belongs to, if it is of about now. Whether it was used before is the store's to say.
    pub(crate) fn step(&self, code: &str, now: Timestamp) -> Option<i64> {
        let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        let seconds = u64::try_from(now.second()).ok()?;
        self.totp()?.check(&code, seconds).and_then(|step| i64::try_from(step).ok())
    }

    /// What a person types when there is no camera: base32 in groups of four.
    pub(crate) fn text(&self) -> String {
        let letters: Vec<char> = self.0.to_base32().chars().collect();
        let groups = letters.chunks(4).map(String::from_iter);
        groups.collect::<Vec<_>>().join(" ")
    }

    /// What an application on the same device opens
    /// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    pub(crate) fn uri(&self, email: &str) -> String {
        let encoded: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
        let secret = self.0.to_base32();
        format!(
            "otpauth://totp/Promenade:{}?secret={secret}&issuer=Promenade&period={STEP_S}",
            // In a path a plus sign is a plus sign.
            encoded.replace('+', "%20")
        )
    }

    fn totp(&self) -> Option<totp_rs::Totp> {
        Builder::new()
            .with_secret(self.0.clone())
            .with_skew(SKEW)
            .with_step_duration(STEP_S as u64)
            .build()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_its_step_and_those_beside_it() {
        // RFC 6238 appendix B, SHA-1, cut to six digits.
        let factor = SecondFactor(Secret::new_stack(*b"12345678901234567890"));
        let at = |second: i64| Timestamp(second * 1_000);
        assert_eq!(factor.step("287 082", at(59)), Some(1));
        assert_eq!(factor.step("287082", at(59 + 30)), Some(1));
        assert_eq!(factor.step("287082", at(59 + 90)), None);
        assert_eq!(factor.step("081804", at(1_111_111_109)), Some(37_037_036));
        for wrong in ["", "28708", "2870822", "abcdef"] {
            assert_eq!(factor.step(wrong, at(59)), None, "{wrong}");
        }
        assert_eq!(factor.text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert!(factor.uri("a b@example.com").contains("Promenade:a%20b%40example.com?secret=GEZD"));
    }
}
