//! The keys of pseudonyms are kept sealed: whoever seals them opens them. The broker does not know who that is.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use protocol::OrganizationId;
use store::{Pseudonyms, StoreError};

type Opened = Pin<Box<dyn Future<Output = Result<Pseudonyms, StoreError>> + Send>>;

/// Who opens them, and makes the first one of an organization.
#[derive(Clone)]
pub struct PseudonymKeys(Arc<dyn Fn(OrganizationId) -> Opened + Send + Sync>);

impl PseudonymKeys {
    /// Asks `open`, which answers [`StoreError::Corrupt`] for what it cannot open.
    pub fn new<F>(open: impl Fn(OrganizationId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Pseudonyms, StoreError>> + Send + 'static,
    {
        Self(Arc::new(move |organization| Box::pin(open(organization))))
    }

    /// Every organization has the same key, which everybody knows.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn open_to_all() -> Self {
        Self::new(|_| async {
            let first =
                store::KeyEpoch { epoch: 0, effective_from: protocol::Timestamp(0), key: Some([0; 32]) };
            Pseudonyms::new(vec![first]).ok_or(StoreError::NotFound)
        })
    }

    pub(crate) async fn of(&self, organization: OrganizationId) -> Result<Pseudonyms, StoreError> {
        (self.0)(organization).await
    }
}

impl fmt::Debug for PseudonymKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKeys")
    }
}
