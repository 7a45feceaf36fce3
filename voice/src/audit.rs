//! What is written down for the people whom it concerns. `identity` has the texts that they read.

use protocol::{AccountId, OrganizationId};
use serde_json::Value;
use store::NewAuditEntry;

use crate::Voice;

/// Something worth writing down. Words are for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// An assistant came for a person who had not linked it.
    AssistantLinked,
    /// An assistant does not know a person any more who did not unlink it.
    AssistantLinkBroken,
    /// An assistant said that a person unlinked.
    AssistantUnlinked,
    /// A device takes no PIN for a while, since wrong ones were said.
    PinLocked,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::AssistantLinked => "assistant_linked",
            Self::AssistantLinkBroken => "assistant_link_broken",
            Self::AssistantUnlinked => "assistant_unlinked",
            Self::PinLocked => "pin_locked",
        }
    }
}

impl Voice {
    /// Writes an entry. What it tells of has happened already, so a database that does not answer only costs the entry.
    pub(crate) async fn record(
        &self,
        what: What,
        organization: OrganizationId,
        account: AccountId,
        detail: Value,
    ) {
        let what = what.as_str();
        let entry = NewAuditEntry {
            organization: Some(organization),
            account: Some(account),
            what,
            detail,
            // It is the assistant's, and says nothing of the person.
            address: None,
        };
        if let Err(error) = self.store.record_audit(&entry, self.now()).await {
            tracing::error!(%error, what, "an entry of the audit log could not be written");
        }
    }
}
