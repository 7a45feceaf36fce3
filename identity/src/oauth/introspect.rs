//! `POST /oauth/introspect`: what a token is worth (RFC 7662).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use store::{ClientKind, GrantStanding};

use super::client::Asked;
use super::error::{Refusal, UNCACHED};
use super::scope::Scopes;
use crate::Identity;
use crate::bearer::{BearerError, Checked};

/// Tells a client about its own tokens. A token of another client is worth as little as one that never was: nobody learns
/// more by asking (RFC 7662 section 4).
pub(crate) async fn introspect(
    State(identity): State<Arc<Identity>>,
    asked: Asked,
) -> Result<Response, Refusal> {
    if asked.client.kind == ClientKind::Public {
        return Err(Refusal::invalid_client(false));
    }
    let token = asked.parameters.require("token", "`token` is missing")?;
    let body = match access_token(&identity, &asked, token).await? {
        Some(body) => body,
        None => refresh_token(&identity, &asked, token).await?.unwrap_or(json!({"active": false})),
    };
    Ok((UNCACHED, Json(body)).into_response())
}

async fn access_token(identity: &Identity, asked: &Asked, token: &str) -> Result<Option<Value>, Refusal> {
    let Checked { claims, scopes, .. } = match identity.check_any(token).await {
        Ok(checked) if checked.claims.client_id == asked.client.id => checked,
        Ok(_) | Err(BearerError::Invalid) => return Ok(None),
        Err(BearerError::Store(error)) => return Err(error.into()),
    };
    Ok(Some(json!({
        "active": true,
        "token_type": "Bearer",
        "scope": scopes.to_string(),
        "client_id": claims.client_id,
        "sub": claims.sub,
        "aud": claims.aud,
        "iss": claims.iss,
        "exp": claims.exp,
        "iat": claims.iat,
        "jti": claims.jti,
    })))
}

async fn refresh_token(identity: &Identity, asked: &Asked, token: &str) -> Result<Option<Value>, Refusal> {
    let now = identity.clock.now();
    let standing = identity.store.find_refresh_token(asked.client.id, token, now).await?;
    let Some(standing) = standing.filter(GrantStanding::is_good) else { return Ok(None) };
    let Ok(scopes) = Scopes::parse(&standing.grant.scopes) else { return Ok(None) };
    let scopes = scopes.worth(&standing);
    let grant = standing.grant;
    Ok(Some(json!({
        "active": true,
        "token_type": "refresh_token",
        "scope": scopes.to_string(),
        "client_id": grant.client,
        "sub": grant.account.map_or_else(|| grant.client.to_string(), |account| account.to_string()),
        "iss": identity.issuer.as_str(),
        "iat": grant.created_at.second(),
    })))
}
