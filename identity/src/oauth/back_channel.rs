//! Telling clients that a person signed out (`OpenID` Connect Back-Channel Logout 1.0).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{AccountId, BrowserSessionId};
use store::{Client, Grant};

use super::scope::{IdentityScope, Scopes};
use crate::Identity;
use crate::error::IdentityError;
use crate::jwt::{self, LogoutClaims, TokenType};
use crate::random;

/// How long a logout token counts (section 2.4 wants two minutes at most).
const LIFE_S: i64 = 120;

impl Identity {
    /// Tells every client that was told who the person is, behind the answer. Without a session all of the person's ended.
    /// Which session a client's sign-in came from is not remembered: one that does not know it has nothing to do.
    pub(crate) fn tell_signed_out(self: &Arc<Self>, account: AccountId, session: Option<BrowserSessionId>) {
        let identity = Arc::clone(self);
        self.behind(async move {
            for grant in identity.store.grants_of(account).await? {
                let client = identity.store.client(grant.client).await?;
                let client = client.filter(|client| client.disabled_at.is_none());
                let knows =
                    Scopes::parse(&grant.scopes).is_ok_and(|scopes| scopes.has(IdentityScope::OpenId));
                if let (Some(client), true) = (client, knows)
                    && let Some(url) = &client.settings.backchannel_logout_uri
                {
                    tell(&identity, &client, &grant, account, session, url).await?;
                }
            }
            Ok(())
        });
    }
}

/// Tells one client, once; that it did not hear is shown beside its link.
async fn tell(
    identity: &Identity,
    client: &Client,
    grant: &Grant,
    account: AccountId,
    session: Option<BrowserSessionId>,
    url: &str,
) -> Result<(), IdentityError> {
    let now = identity.clock.now();
    let claims = LogoutClaims {
        iss: identity.issuer.as_str().to_owned(),
        sub: account.to_string(),
        aud: client.id,
        iat: now.second(),
        exp: now.second() + LIFE_S,
        jti: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
        sid: session.map(|session| session.to_string()),
        events: LogoutClaims::events(),
    };
    let key = identity.keyring.signing(client.settings.id_token_algorithm, now).await?;
    let token = jwt::sign(&key, TokenType::Logout, &claims)?;
    let heard = identity.outbound.post_form(url, &[("logout_token", &token)]).await;
    let problem = match heard {
        Ok(reply) if reply.status.is_success() => return Ok(()),
        Ok(reply) => format!("it was told of a sign-out and answered {}", reply.status.as_u16()),
        Err(error) => format!("it could not be told of a sign-out: {error}"),
    };
    tracing::warn!(client = %client.id, grant = %grant.id, problem, "a client did not hear of a sign-out");
    identity.store.grant_failed(grant.id, &problem, now).await?;
    Ok(())
}
