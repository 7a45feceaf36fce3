//! A refresh token for an access token (RFC 6749 section 6).

use protocol::GrantId;
use serde_json::json;
use store::{Change, GrantStanding, Refresh, Secret};

use super::super::client::Asked;
use super::super::error::Refusal;
use super::super::resource;
use super::answer::{Answer, Issue, narrowed, refresh_expiry};
use super::noted;
use crate::Identity;
use crate::audit::What;

pub(super) async fn exchange(identity: &Identity, asked: &Asked) -> Result<Answer, Refusal> {
    let now = identity.clock.now();
    let client = &asked.client;
    let presented = asked.parameters.require("refresh_token", "`refresh_token` is missing")?;
    let expires_at = refresh_expiry(identity, client.kind, now);
    match identity.store.refresh(client.id, presented, expires_at, now).await? {
        // If what follows is refused, the token that was presented stays good: its successor was never used.
        Refresh::Rotated { standing, token } => issue(identity, asked, *standing, Some(token)).await,
        Refresh::Stable { standing } => issue(identity, asked, *standing, None).await,
        Refresh::Reused(grant) => {
            reused(identity, asked, grant).await?;
            Err(Refusal::invalid_grant("the refresh token was used before"))
        }
        Refresh::Unknown => {
            Err(Refusal::invalid_grant("the refresh token is unknown, over, or another client's"))
        }
    }
}

async fn issue(
    identity: &Identity,
    asked: &Asked,
    standing: GrantStanding,
    refresh_token: Option<Secret>,
) -> Result<Answer, Refusal> {
    let grant = &standing.grant;
    identity.uses.note(grant, identity.clock.now());
    let answer = async {
        let scopes = narrowed(&grant.scopes, asked.parameters.get("scope"))?;
        let audience =
            resource::granted(&identity.issuer, grant.resource.as_deref(), asked.parameters.get("resource"))?;
        // No ID token: it would tell of a sign-in that happened long ago (OpenID Connect Core section 12.2 leaves it open).
        Issue { client: &asked.client, grant, scopes, audience, refresh_token, code: None }
            .answer_now(identity, &standing)
            .await
    };
    match answer.await {
        Ok(answer) => Ok(answer),
        Err(refusal) => Err(noted(identity, grant.id, refusal).await),
    }
}

/// Two have the token: the grant has ended with all that came of it (RFC 9700 section 4.14.2).
async fn reused(identity: &Identity, asked: &Asked, id: GrantId) -> Result<(), Refusal> {
    identity.changed(Change::Grant(id));
    let grant = identity.store.grant(asked.client.organization, id).await?;
    tracing::warn!(grant = %id, client = %asked.client.id, "a refresh token came again after its successor; its grant is revoked");
    identity.record_grant(What::RefreshReused, &grant, json!({"client": asked.client.settings.name})).await;
    Ok(())
}
