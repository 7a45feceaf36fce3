//! Randomness from the operating system.

use crate::error::IdentityError;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
