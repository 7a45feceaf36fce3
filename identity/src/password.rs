//! Passwords: what one must be, and how it is kept (Argon2id, RFC 9106).

mod pool;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::IdentityError;

pub(crate) use pool::Pool;

/// Characters at least (NIST SP 800-63B section 5.1.1.2).
pub(crate) const SHORTEST: usize = 8;
/// Characters at most: a bound for the work, far above what anybody types.
pub(crate) const LONGEST: usize = 256;

/// 19 MiB, two passes, one lane: what OWASP asks for at least.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash of no password, with today's parameters: an address that nobody has costs as much as one that somebody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm8$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What everybody tries first.
const WORST: [&str; 24] = [
    "12345678",
    "123456789",
    "1234567890",
    "11111111",
    "00000000",
    "87654321",
    "password",
    "password1",
    "password123",
    "passw0rd",
    "qwertyui",
    "qwerty123",
    "qwertyuiop",
    "1q2w3e4r",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "letmein1",
    "welcome1",
    "trustno1",
    "abcd1234",
];

/// Why a password cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordMistake {
    Short,
    Long,
    Common,
}

/// What became of a password that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    /// It is right; the hash is to replace the stored one, if that was made with less effort than one of today.
    Right(Option<String>),
}

/// Checks a password that somebody chose.
pub(crate) fn check(password: &str, email: &str) -> Result<(), PasswordMistake> {
    let characters = password.chars().count();
    let lower = password.to_lowercase();
    let name = email.split('@').next().unwrap_or_default().to_lowercase();
    if characters < SHORTEST {
        Err(PasswordMistake::Short)
    } else if characters > LONGEST {
        Err(PasswordMistake::Long)
    } else if WORST.contains(&lower.as_str()) || lower == email.to_lowercase() || lower == name {
        Err(PasswordMistake::Common)
    } else {
        Ok(())
    }
}

/// A hash in the PHC string format. Takes tens of milliseconds: call it where threads may block.
fn hash(password: &str) -> Result<String, IdentityError> {
    let hash = hasher()?.hash_password(password.as_bytes()).map_err(|_| IdentityError::Task)?;
    Ok(hash.to_string())
}

/// Compares a password with a hash, or with none in the same time. See [`hash`].
fn verify(password: &str, stored: Option<&str>) -> Result<Verdict, IdentityError> {
    let Ok(parsed) = PasswordHash::new(stored.unwrap_or(NOBODY)) else {
        tracing::error!("the stored hash of a password cannot be read");
        return Ok(Verdict::Wrong);
    };
    let is_right = hasher()?.verify_password(password.as_bytes(), &parsed).is_ok();
    if !is_right || stored.is_none() {
        return Ok(Verdict::Wrong);
    }
    let is_strong = Params::try_from(&parsed).is_ok_and(|params| {
        params.m_cost() >= MEMORY_KIB && params.t_cost() >= PASSES && params.p_cost() >= LANES
    });
    let is_argon2id = parsed.algorithm == Algorithm::Argon2id.ident();
    let rehashed = if is_strong && is_argon2id { None } else { Some(hash(password)?) };
    Ok(Verdict::Right(rehashed))
}

fn hasher() -> Result<Argon2<'static>, IdentityError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| IdentityError::Task)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_and_says_how_it_was_made() {
        let phc = hash("correct horse").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(verify("correct horse", Some(&phc)).unwrap(), Verdict::Right(None));
        assert_eq!(verify("wrong horse", Some(&phc)).unwrap(), Verdict::Wrong);
        assert_eq!(verify("correct horse", None).unwrap(), Verdict::Wrong);
        assert!(PasswordHash::new(NOBODY).is_ok(), "nobody's hash costs the same");
    }

    #[test]
    fn one_that_was_made_with_less_effort_is_made_anew() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let phc = weak.hash_password(b"correct horse").unwrap().to_string();
        let Verdict::Right(Some(rehashed)) = verify("correct horse", Some(&phc)).unwrap() else {
            panic!("it stays weak");
        };
        assert_eq!(verify("correct horse", Some(&rehashed)).unwrap(), Verdict::Right(None));
    }

    #[test]
    fn bad_ones_are_refused() {
        assert_eq!(check("correct horse", "ann@example.com"), Ok(()));
        assert_eq!(check("äöüäöüä", "ann@example.com"), Err(PasswordMistake::Short), "characters, not bytes");
        assert_eq!(check(&"x".repeat(257), "ann@example.com"), Err(PasswordMistake::Long));
        for common in ["Password1", "ANN@example.com", "12345678"] {
            assert_eq!(check(common, "ann@example.com"), Err(PasswordMistake::Common), "{common}");
        }
    }
}
