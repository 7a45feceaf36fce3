//! How people come in: the first by a link that is printed, the others by invitation.

use std::sync::Arc;

use protocol::{AccountId, OrganizationId};
use store::{Invitation, Link, LinkPurpose, NewInvitation, Role};

use crate::Identity;
use crate::error::IdentityError;
use crate::mail::Mail;

const DAY_MS: i64 = 24 * 3_600_000;

impl Identity {
    /// The link that makes the first account, for whoever starts the program to see; none when there is an account. It is
    /// good once and for a day; each start makes another.
    pub async fn set_up_link(&self) -> Result<Option<String>, IdentityError> {
        if self.store.has_accounts().await? {
            return Ok(None);
        }
        let now = self.clock.now();
        let link = Link {
            purpose: LinkPurpose::SetUp,
            account: None,
            email: String::new(),
            expires_at: now.plus(DAY_MS),
        };
        let secret = self.store.create_link(&link, now).await?;
        Ok(Some(self.issuer.at(&format!("/set-up?token={}", secret.text()))))
    }

    /// Invites somebody into an organization, by mail. The link is in the answer only where no mail can be sent: who made
    /// the invitation hands it over then. Whether the caller may give that role is the caller's to check.
    pub async fn invite(
        self: &Arc<Self>,
        organization: OrganizationId,
        email: &str,
        role: Role,
        invited_by: Option<AccountId>,
    ) -> Result<(Invitation, Option<String>), IdentityError> {
        let now = self.clock.now();
        let new =
            NewInvitation { email: email.to_owned(), role, invited_by, expires_at: now.plus(7 * DAY_MS) };
        let (invitation, secret) = self.store.invite(organization, &new, now).await?;
        let url = self.issuer.at(&format!("/invitation?token={}", secret.text()));
        if !self.mailer.is_there() {
            return Ok((invitation, Some(url)));
        }
        let organization = self.store.organization(organization).await?.name;
        self.send(email, Mail::Invitation { organization, url });
        Ok((invitation, None))
    }
}
