//! The keys of changing identifiers are kept sealed: whoever seals them opens them. The broker does not know who that is.

use std::fmt;
use std::sync::Arc;

use protocol::OrganizationId;
use protocol::beacon::IdentityKey;

type Opening = dyn Fn(OrganizationId, &[u8]) -> Option<IdentityKey> + Send + Sync;

/// Who opens them.
#[derive(Clone)]
pub struct BeaconKeys(Arc<Opening>);

impl BeaconKeys {
    /// Asks `open`, which answers none for what it cannot open.
    pub fn new(open: impl Fn(OrganizationId, &[u8]) -> Option<IdentityKey> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    /// Nobody opens any.
    pub fn none() -> Self {
        Self::new(|_, _| None)
    }

    pub(crate) fn open(&self, organization: OrganizationId, sealed: &[u8]) -> Option<IdentityKey> {
        (self.0)(organization, sealed)
    }
}

impl fmt::Debug for BeaconKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeaconKeys")
    }
}
