//! What can go wrong in this crate, apart from what a person or a client did.

use std::path::PathBuf;

use store::StoreError;

/// Why the identity server cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A setting cannot be used; the text names it.
    #[error("{0}")]
    Config(String),
    /// The file with the sealing key cannot be read or made.
    #[error("the sealing key `{path}` cannot be used: {reason}")]
    SealingKey {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something sealed cannot be opened: the database belongs to another sealing key.
    #[error("the stored {0} was sealed with another key; is the sealing key that of this database?")]
    Sealed(&'static str),
    /// A signing key cannot be made, read or used.
    #[error("a signing key cannot be used: {0}")]
    SigningKey(&'static str),
    /// The operating system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Every place in the queue of passwords is taken; the same may succeed in a moment.
    #[error("too many people sign in at once")]
    Busy,
    /// A task ended before it answered.
    #[error("a task of this program failed")]
    Task,
    /// A mail cannot be made or sent.
    #[error("mail cannot be sent: {0}")]
    Mail(String),
    /// Another server could not be reached, or must not be.
    #[error("another server was not reached: {0}")]
    Outbound(String),
    /// A passkey cannot be asked for.
    #[error("passkeys cannot be used: {0}")]
    Passkey(String),
    /// The store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
