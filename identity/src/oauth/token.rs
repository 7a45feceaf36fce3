//! `POST /oauth/token` (RFC 6749 section 3.2).

mod answer;
mod client_credentials;
mod code;
mod device;
mod refresh;

use std::str::FromStr as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use protocol::GrantId;
use store::GrantType;

use super::client::Asked;
use super::error::{ErrorCode, Refusal};
use super::scope::Scopes;
use crate::Identity;

pub(crate) use answer::access_token;

/// Exchanges what a client has for tokens.
pub(crate) async fn token(State(identity): State<Arc<Identity>>, asked: Asked) -> Response {
    let answer = exchange(&identity, &asked).await;
    if answer.is_ok() {
        identity.metrics.token_issued();
    }
    answer.into_response()
}

async fn exchange(identity: &Identity, asked: &Asked) -> Result<answer::Answer, Refusal> {
    let word = asked.parameters.require("grant_type", "`grant_type` is missing")?;
    // Implicit and password grants are among what is not there (RFC 9700 sections 2.1.2 and 2.4).
    let grant_type = GrantType::from_str(word)
        .map_err(|_| Refusal::new(ErrorCode::UnsupportedGrantType, "there is no such grant type here"))?;
    asked.may_use(grant_type)?;
    match grant_type {
        GrantType::AuthorizationCode => code::exchange(identity, asked).await,
        GrantType::RefreshToken => refresh::exchange(identity, asked).await,
        GrantType::ClientCredentials => client_credentials::exchange(identity, asked).await,
        GrantType::DeviceCode => device::exchange(identity, asked).await,
    }
}

/// The scopes of a grant as they were stored. A word that a later version no longer knows ends what it stands for.
fn stored_scopes(text: &str) -> Result<Scopes, Refusal> {
    Scopes::parse(text).map_err(|_| Refusal::invalid_grant("a granted scope no longer exists"))
}

/// Notes a refusal with the link that it is about, for its person to see; the refusal stands whether or not that works.
async fn noted(identity: &Identity, grant: GrantId, refusal: Refusal) -> Refusal {
    if let Err(error) = identity.store.grant_failed(grant, refusal.description, identity.clock.now()).await {
        tracing::warn!(%error, %grant, "an error of a linked service could not be noted");
    }
    refusal
}
