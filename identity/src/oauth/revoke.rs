//! `POST /oauth/revoke`: a client gives a token back (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::GrantId;
use serde_json::json;
use store::{Change, RevokedWhy};

use super::client::Asked;
use super::error::{Refusal, UNCACHED};
use crate::Identity;
use crate::audit::What;
use crate::bearer::BearerError;

/// Ends the grant behind a token, be it a refresh or an access token: an access token is not stored, so it can only end
/// with its grant (RFC 7009 section 2.1 allows that). A token that is not the client's is as one that never was, and the
/// answer is the same (section 2.2).
pub(crate) async fn revoke(State(identity): State<Arc<Identity>>, asked: Asked) -> Result<Response, Refusal> {
    let token = asked.parameters.require("token", "`token` is missing")?;
    let now = identity.clock.now();
    let client = &asked.client;
    let ended: Option<GrantId> = match identity.store.revoke_refresh_token(client.id, token, now).await? {
        Some(grant) => Some(grant),
        None => match identity.check_any(token).await {
            Ok(checked) if checked.claims.client_id == client.id => {
                let grant = checked.claims.grant;
                identity
                    .store
                    .revoke_grant(client.organization, grant, RevokedWhy::TokenRevoked, now)
                    .await?;
                Some(grant)
            }
            Ok(_) | Err(BearerError::Invalid) => None,
            Err(BearerError::Store(error)) => return Err(error.into()),
        },
    };
    if let Some(id) = ended {
        identity.changed(Change::Grant(id));
        let grant = identity.store.grant(client.organization, id).await?;
        identity.record_grant(What::TokenRevoked, &grant, json!({"client": client.settings.name})).await;
    }
    Ok((StatusCode::OK, UNCACHED).into_response())
}
