//! A client that asks for itself (RFC 6749 section 4.4).

use store::{Client, Grant, NewGrant};

use super::super::client::Asked;
use super::super::error::{ErrorCode, Refusal};
use super::super::resource;
use super::super::scope::Scopes;
use super::answer::{Answer, Issue};
use crate::Identity;
use crate::issuer::Audience;

pub(super) async fn exchange(identity: &Identity, asked: &Asked) -> Result<Answer, Refusal> {
    let client = &asked.client;
    let scopes = asked_scopes(client, asked.parameters.get("scope"))?;
    let audience = resource::asked(&identity.issuer, client, asked.parameters.get("resource"))?;
    let grant = own_grant(identity, client, audience).await?;
    identity.uses.note(&grant, identity.clock.now());
    // No refresh token: the client has its secret (RFC 6749 section 4.4.3).
    Issue { client, grant: &grant, scopes, audience, refresh_token: None, code: None }.answer(identity).await
}

/// What the client was registered for, or a part of it. There is no person whose identity could be told.
fn asked_scopes(client: &Client, asked: Option<&str>) -> Result<Scopes, Refusal> {
    let wrong =
        |_| Refusal::new(ErrorCode::InvalidScope, "a scope is unknown or not registered for the client");
    let registered = Scopes::of(client.settings.scopes.iter().map(String::as_str)).map_err(wrong)?;
    let scopes = match asked {
        Some(asked) => Scopes::parse(asked).map_err(wrong)?,
        None => Scopes { api: registered.api.clone(), ..Scopes::default() },
    };
    if !scopes.identity.is_empty() || scopes.is_empty() || !registered.covers(&scopes) {
        return Err(Refusal::new(
            ErrorCode::InvalidScope,
            "a scope is unknown or not registered for the client",
        ));
    }
    Ok(scopes)
}

/// The grant that the client has of itself for an API: one row, whose revocation ends its tokens.
async fn own_grant(identity: &Identity, client: &Client, audience: Audience) -> Result<Grant, Refusal> {
    let resource = identity.issuer.resource(audience);
    let scopes = Scopes::of(client.settings.scopes.iter().map(String::as_str));
    let scopes = scopes.map(|scopes| scopes.api.to_string()).unwrap_or_default();
    if let Some(grant) = identity.store.find_own_grant(client.id, &resource).await? {
        if grant.scopes != scopes {
            identity.store.widen_grant(client.organization, grant.id, &scopes, Some(&resource)).await?;
        }
        return Ok(grant);
    }
    let new = NewGrant { client: client.id, account: None, scopes, resource: Some(resource) };
    Ok(identity.store.create_grant(client.organization, &new, identity.clock.now()).await?)
}
