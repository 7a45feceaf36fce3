//! Proof Key for Code Exchange (RFC 7636), by S256 alone.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether a text can be a challenge of method S256: 32 bytes as base64url.
pub(crate) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether an exchange proves what the request of its code announced (RFC 7636 section 4.6). One that proves something
/// that nobody announced is refused too: its code belongs to another request (RFC 9700 section 4.8.2).
pub(crate) fn proves(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) if is_verifier(verifier) => {
            let computed = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            verify_slices_are_equal(computed.as_bytes(), challenge.as_bytes()).is_ok()
        }
        _ => false,
    }
}

/// RFC 7636 section 4.1.
fn is_verifier(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_verifier_proves_its_own_challenge() {
        assert!(is_challenge(CHALLENGE));
        assert!(proves(Some(CHALLENGE), Some(VERIFIER)));
        assert!(!proves(Some(CHALLENGE), Some(CHALLENGE)), "`plain`");
        assert!(!proves(Some(CHALLENGE), None), "missing");
        assert!(!proves(None, Some(VERIFIER)), "unasked");
        assert!(!proves(Some(CHALLENGE), Some("short")));
        assert!(proves(None, None));
    }

    #[test]
    fn a_challenge_has_32_bytes() {
        for wrong in ["", "abc", VERIFIER.repeat(2).as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
