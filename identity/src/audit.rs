//! What is written down for the people whom it concerns.

use std::net::IpAddr;

use protocol::{AccountId, OrganizationId};
use serde_json::Value;
use store::{Grant, NewAuditEntry};

use crate::Identity;

/// Defines the closed set once: a variant, its word in the store, and what people read.
macro_rules! happenings {
    ($($variant:ident = $word:literal, $text:expr;)*) => {
        /// Something worth writing down.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum What {
            $($variant,)*
        }

        impl What {
            /// Its word in the store; words are for ever.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What a person reads about a word. One that another version wrote stands for itself.
            pub(crate) fn text(word: &str) -> &str {
                match word {
                    $($word => $text,)*
                    other => other,
                }
            }
        }
    };
}

happenings! {
    SignedIn = "signed_in", "Signed in";
    SignedOut = "signed_out", "Signed out";
    SessionsEnded = "sessions_ended", "Signed other browsers out";
    RecoveryCodeUsed = "recovery_code_used", "Signed in with a recovery code";
    AccountMade = "account_made", "The account was made";
    ProfileChanged = "profile_changed", "Changed the name or the language";
    EmailVerified = "email_verified", "The e-mail address was verified";
    PasswordChanged = "password_changed", "Changed the password";
    PasswordReset = "password_reset", "Set a new password with a link sent by mail";
    TotpOn = "totp_on", "Turned two-step sign-in on";
    TotpOff = "totp_off", "Turned two-step sign-in off";
    RecoveryCodesRenewed = "recovery_codes_renewed", "Made new recovery codes";
    InvitationAccepted = "invitation_accepted", "Joined an organization";
    Linked = "linked", "Linked a service";
    LinkWidened = "link_widened", "Allowed a linked service more";
    Unlinked = "unlinked", "Unlinked a service";
    DeviceAllowed = "device_allowed", "Let a device in";
    DeviceRefused = "device_refused", "Refused a device";
    CodeReplayed = "code_replayed", "A code of a linked service was used twice; the link was ended";
    RefreshReused = "refresh_reused", "A token of a linked service was used again; the link was ended";
    TokenRevoked = "token_revoked", "A linked service gave its access back";
}

/// Whom an entry concerns, and where the request came from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) account: Option<AccountId>,
    pub(crate) address: Option<IpAddr>,
}

impl Identity {
    /// Writes an entry. What it tells of has happened already, so a database that does not answer only costs the entry.
    pub(crate) async fn record(&self, what: What, about: About, detail: Value) {
        let entry = NewAuditEntry {
            organization: about.organization,
            account: about.account,
            what: what.as_str(),
            detail,
            address: about.address,
        };
        if let Err(error) = self.store.record_audit(&entry, self.clock.now()).await {
            tracing::error!(%error, what = what.as_str(), "an entry of the audit log could not be written");
        }
    }

    /// Writes an entry about a linked service.
    pub(crate) async fn record_grant(&self, what: What, grant: &Grant, detail: Value) {
        let about = About { organization: Some(grant.organization), account: grant.account, address: None };
        self.record(what, about, detail).await;
    }
}
