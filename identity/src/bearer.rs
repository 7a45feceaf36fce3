//! Who shows an access token, and what it is worth to them now.

use protocol::{AccountId, ClientId, GrantId, OrganizationId, Timestamp};
use store::{GrantStanding, Party, Scope, ScopeSet, StoreError};

use crate::Identity;
use crate::issuer::Audience;
use crate::jwt::{self, AccessClaims, TokenType};
use crate::oauth::Scopes;

/// Whoever shows a good access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// In which organization they act.
    pub organization: OrganizationId,
    /// For which person; none when the client acts for itself.
    pub account: Option<AccountId>,
    /// Which client.
    pub client: ClientId,
    /// Whose voice assistant the client is; none when it is no assistant.
    pub party: Option<Party>,
    /// What allows it; a [`Change::Grant`](store::Change::Grant) of it may end this.
    pub grant: GrantId,
    /// What they may do: what was granted, as far as the role of the person reaches today.
    pub scopes: ScopeSet,
    /// Whether [`Scope::PingsWrite`] among them is the person's own and none of the organization's: good for their phones, and
    /// nothing that they could hand on.
    pub only_own_phones: bool,
    /// The terms of the grant, as [`GrantStanding::terms`] has them.
    pub terms: u64,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// It is none of ours, is over, is for another API, or what it stands for has ended. Which of these is nobody's
    /// business.
    #[error("the access token is not valid")]
    Invalid,
    /// It cannot be checked now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token that was checked, with all that it says.
pub(crate) struct Checked {
    pub(crate) claims: AccessClaims,
    pub(crate) standing: GrantStanding,
    pub(crate) scopes: Scopes,
}

impl Identity {
    /// Checks an access token that is shown to one of our APIs (RFC 9068 section 4).
    pub async fn check(&self, token: &str, audience: Audience) -> Result<Bearer, BearerError> {
        let checked = self.check_any(token).await?;
        if checked.claims.aud != self.issuer.resource(audience) {
            return Err(BearerError::Invalid);
        }
        let role = checked.standing.role.as_ref();
        let of_role = role.is_some_and(|role| role.allows(&Scope::PingsWrite));
        Ok(Bearer {
            terms: checked.standing.terms(),
            only_own_phones: checked.standing.grant.account.is_some() && !of_role,
            organization: checked.standing.grant.organization,
            account: checked.standing.grant.account,
            client: checked.claims.client_id,
            party: checked.standing.client_party,
            grant: checked.claims.grant,
            expires_at: Timestamp(checked.claims.exp.saturating_mul(1_000)),
            scopes: checked.scopes.api,
        })
    }

    /// Checks an access token for any of our APIs: for the endpoints of this server itself.
    pub(crate) async fn check_any(&self, token: &str) -> Result<Checked, BearerError> {
        let now = self.clock.now();
        let claims: AccessClaims =
            jwt::verify(&self.keyring, TokenType::Access, token).ok_or(BearerError::Invalid)?;
        let is_ours = claims.iss == self.issuer.as_str() && self.issuer.audience(&claims.aud).is_some();
        if !is_ours || claims.is_over(now) {
            return Err(BearerError::Invalid);
        }
        let standing = self.standings.of(&self.store, claims.grant, now).await?;
        let standing = standing.filter(GrantStanding::is_good).ok_or(BearerError::Invalid)?;
        let is_the_same =
            standing.grant.client == claims.client_id && standing.grant.organization == claims.org;
        let scopes = Scopes::parse(&claims.scope).map_err(|_| BearerError::Invalid)?;
        if !is_the_same {
            return Err(BearerError::Invalid);
        }
        let scopes = scopes.worth(&standing);
        Ok(Checked { claims, standing, scopes })
    }
}
