//! What can go wrong in this crate, apart from what an assistant did.

use std::path::PathBuf;

use identity::IdentityError;
use store::StoreError;

/// Why voice cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// A setting cannot be used; the text names it.
    #[error("{0}")]
    Config(String),
    /// The key of the service account cannot be read.
    #[error("the service account `{path}` cannot be used: {reason}")]
    ServiceAccount {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another server could not be asked, or something sealed not be opened.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}
