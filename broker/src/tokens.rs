//! Access tokens as passwords: whoever issues them says what one is worth. The broker does not know who that is.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use protocol::{AccountId, ClientId, GrantId, OrganizationId, Timestamp};
use store::{ScopeSet, StoreError};

type Answer = Pin<Box<dyn Future<Output = Result<Option<TokenWorth>, StoreError>> + Send>>;

/// What an access token is worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWorth {
    /// In which organization its holder acts.
    pub organization: OrganizationId,
    /// For which person; none for a service that acts for itself.
    pub account: Option<AccountId>,
    /// Which application shows it.
    pub client: ClientId,
    /// What allows it; its end is told as [`Change::Grant`](store::Change::Grant).
    pub grant: GrantId,
    /// What its holder may do.
    pub scopes: ScopeSet,
    /// The terms of what allows it, as [`GrantStanding::terms`](store::GrantStanding::terms) had them.
    pub terms: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Who is asked.
#[derive(Clone)]
pub struct Tokens(Arc<dyn Fn(String) -> Answer + Send + Sync>);

impl Tokens {
    /// Asks `check`, which answers none for what is no good token.
    pub fn new<F>(check: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<TokenWorth>, StoreError>> + Send + 'static,
    {
        Self(Arc::new(move |token| Box::pin(check(token))))
    }

    /// Nobody issues any.
    pub fn none() -> Self {
        Self::new(async |_| Ok(None))
    }

    pub(crate) fn check(&self, token: String) -> Answer {
        (self.0)(token)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
