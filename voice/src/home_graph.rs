//! Home Graph: where Google is told of changes.

mod service_account;

use std::path::Path;
use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Request, StatusCode};
use identity::{Identity, Reply};
use protocol::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use store::Clock;
use tokio::sync::Mutex;

use crate::error::VoiceError;
use crate::secret::Secret;
use crate::telling::{Untold, by_status};

use service_account::ServiceAccount;

/// How long before its end a token is no longer used.
const MARGIN_MS: i64 = 60_000;

/// A client of Home Graph, with a token that it keeps until it ends.
pub(crate) struct HomeGraph {
    identity: Arc<Identity>,
    clock: Clock,
    account: ServiceAccount,
    address: String,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    secret: Secret,
    ends: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    #[serde(default = "an_hour")]
    expires_in: i64,
}

impl HomeGraph {
    /// Reads the key of the service account.
    pub(crate) fn open(
        key: &Path,
        address: &str,
        identity: &Arc<Identity>,
        clock: &Clock,
    ) -> Result<Self, VoiceError> {
        Ok(Self {
            identity: Arc::clone(identity),
            clock: clock.clone(),
            account: ServiceAccount::open(key)?,
            address: address.trim_end_matches('/').to_owned(),
            token: Mutex::default(),
        })
    }

    /// Tells states: the body of `devices:reportStateAndNotification`.
    pub(crate) async fn report(&self, body: &Value) -> Result<(), Untold> {
        self.call("/v1/devices:reportStateAndNotification", body).await
    }

    /// Asks Google to ask anew what there is: the body of `devices:requestSync`.
    pub(crate) async fn request_sync(&self, body: &Value) -> Result<(), Untold> {
        self.call("/v1/devices:requestSync", body).await
    }

    async fn call(&self, path: &str, body: &Value) -> Result<(), Untold> {
        let token = self.token(None).await?;
        let reply = self.post(path, body, &token).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return outcome(&reply);
        }
        // The token ended before its time: another one, once.
        let token = self.token(Some(&token)).await?;
        outcome(&self.post(path, body, &token).await?)
    }

    /// The token that is good now, and is not the one that was refused.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, Untold> {
        let mut kept = self.token.lock().await;
        let now = self.clock.now();
        let is_good = |token: &&Token| token.ends > now && Some(&token.secret) != refused;
        if let Some(token) = kept.as_ref().filter(is_good) {
            return Ok(token.secret.clone());
        }
        *kept = None;
        let request = self.account.token_request(now).map_err(|error| Untold::Barred(error.to_string()))?;
        let reply = self.identity.request(request).await.map_err(unreached)?;
        if reply.status != StatusCode::OK {
            return Err(failed(&reply).of_all());
        }
        let granted: Granted = serde_json::from_slice(&reply.body)
            .map_err(|_| Untold::Barred("the token endpoint answers no token".to_owned()))?;
        let ends = now.plus(granted.expires_in.saturating_mul(1_000).saturating_sub(MARGIN_MS));
        *kept = Some(Token { secret: granted.access_token.clone(), ends });
        Ok(granted.access_token)
    }

    async fn post(&self, path: &str, body: &Value, token: &Secret) -> Result<Reply, Untold> {
        let refused = |_| Untold::Barred("the request cannot be made".to_owned());
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| Untold::Barred("the token is none".to_owned()))?;
        bearer.set_sensitive(true);
        let request = Request::post(format!("{}{path}", self.address))
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(refused)?;
        self.identity.request(request).await.map_err(unreached)
    }
}

fn outcome(reply: &Reply) -> Result<(), Untold> {
    match reply.status {
        status if status.is_success() => Ok(()),
        // The agent user is not known.
        StatusCode::NOT_FOUND => Err(Untold::Gone),
        _ => Err(failed(reply)),
    }
}

fn failed(reply: &Reply) -> Untold {
    by_status(reply.status, reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unreached(error: identity::IdentityError) -> Untold {
    tracing::debug!(%error, "Home Graph is not reached");
    Untold::Later(None)
}

fn an_hour() -> i64 {
    3_600
}
