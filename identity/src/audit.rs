//! What is written down for the people whom it concerns.

use std::net::IpAddr;

use protocol::{AccountId, OrganizationId};
use serde_json::Value;
use store::{Grant, NewAuditEntry};

use crate::Identity;

/// Defines the closed set once: a variant, its word in the store, and what people read. Other packages write words too, which
/// are only read here.
macro_rules! happenings {
    ($($variant:ident = $word:literal, $text:expr;)* ... $($other:literal, $other_text:expr;)*) => {
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
                    $($other => $other_text,)*
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
    PasskeyAdded = "passkey_added", "Added a passkey";
    PasskeyRenamed = "passkey_renamed", "Renamed a passkey";
    PasskeyRemoved = "passkey_removed", "Removed a passkey";
    PasskeyCopied = "passkey_copied", "Refused a passkey that somebody seems to have a copy of";
    ProviderLinked = "provider_linked", "Linked another way to sign in";
    ProviderUnlinked = "provider_unlinked", "Unlinked another way to sign in";
    ProviderRefused = "provider_refused", "A sign-in by another provider did not work";
    RecoveryCodesRenewed = "recovery_codes_renewed", "Made new recovery codes";
    InvitationAccepted = "invitation_accepted", "Joined an organization";
    PhoneRemoved = "phone_removed", "Removed a phone";
    ConsentGiven = "consent_given", "Agreed to something";
    ConsentWithdrawn = "consent_withdrawn", "Took an agreement back";
    Linked = "linked", "Linked a service";
    LinkWidened = "link_widened", "Allowed a linked service more";
    Unlinked = "unlinked", "Unlinked a service";
    DeviceAllowed = "device_allowed", "Let a device in";
    DeviceRefused = "device_refused", "Refused a device";
    CodeReplayed = "code_replayed", "A code of a linked service was used twice; the link was ended";
    RefreshReused = "refresh_reused", "A token of a linked service was used again; the link was ended";
    TokenRevoked = "token_revoked", "A linked service gave its access back";
    ...
    "member_changed", "A role in an organization was changed";
    "member_removed", "A membership of an organization was ended";
    "role_made", "Made a role";
    "role_changed", "Changed a role";
    "role_deleted", "Deleted a role";
    "invited", "Invited somebody";
    "invitation_withdrawn", "Withdrew an invitation";
    "client_made", "Registered a service";
    "client_changed", "Changed a service";
    "client_secret_renewed", "Made a new secret for a service";
    "client_disabled", "Disabled a service";
    "phone_registered", "An application registered a phone";
    "assistant_linked", "Linked a voice assistant";
    "assistant_link_broken", "A voice assistant no longer knows its link";
    "assistant_unlinked", "A voice assistant was unlinked";
    "pin_set", "Set the PIN of a device";
    "pin_removed", "Removed the PIN of a device";
    "pin_locked", "A device takes no PIN for a while, after too many wrong ones";
    "home_assistant_enabled", "Switched Home Assistant on";
    "home_assistant_disabled", "Switched Home Assistant off";
    "key_made", "Made an API key";
    "key_deleted", "Deleted an API key";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_words_for_what_was_written_here_and_elsewhere() {
        assert_eq!(What::text(What::PasskeyAdded.as_str()), "Added a passkey");
        assert_eq!(What::text("client_secret_renewed"), "Made a new secret for a service");
        assert_eq!(What::text("of_a_later_version"), "of_a_later_version");
    }
}
