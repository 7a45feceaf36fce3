//! The event gateway: where Alexa is told of changes, and is answered later, with what Login with Amazon gives for it.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Request, StatusCode};
use identity::{Identity, IdentityError, Reply};
use protocol::{AccountId, OrganizationId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Assistant, AssistantLink, Clock, Store, StoreError};
use url::form_urlencoded;

use crate::config::AlexaConfig;
use crate::error::VoiceError;
use crate::secret::Secret;
use crate::telling::{Untold, by_status};

/// How long before its end a token is no longer used.
const MARGIN_MS: i64 = 60_000;

/// With this the gateway says that the person has disabled the skill. Of the codes beside it, the page "Send Events to the Alexa
/// Event Gateway" says that for `SKILL_NEVER_ENABLED_EXCEPTION` the region of the endpoint is to be checked, and that
/// `SKILL_NOT_FOUND_EXCEPTION` comes when a token is of another stage of the skill: neither says anything of the person.
const DISABLED: &str = "SKILL_DISABLED_EXCEPTION";

/// A client of the event gateway and of Login with Amazon.
pub(crate) struct EventGateway {
    identity: Arc<Identity>,
    store: Store,
    clock: Clock,
    client_id: String,
    client_secret: Secret,
    events: String,
    tokens: String,
}

/// What is kept, sealed, for one person.
#[derive(Debug, Clone, Deserialize)]
struct Kept {
    access: Secret,
    refresh: Secret,
    ends: i64,
}

/// What the token endpoint answers (RFC 6749 section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    refresh_token: Option<Secret>,
    #[serde(default)]
    expires_in: i64,
}

impl EventGateway {
    /// None where the skill has no client for messages.
    pub(crate) fn open(
        config: &AlexaConfig,
        identity: &Arc<Identity>,
        store: &Store,
        clock: &Clock,
    ) -> Option<Self> {
        Some(Self {
            identity: Arc::clone(identity),
            store: store.clone(),
            clock: clock.clone(),
            client_id: config.client_id.clone()?,
            client_secret: config.client_secret.clone()?,
            events: config.events().to_owned(),
            tokens: config.tokens.clone(),
        })
    }

    /// Exchanges the code of an `AcceptGrant` and keeps what it is worth. The person is linked already.
    pub(crate) async fn accept(
        &self,
        organization: OrganizationId,
        account: AccountId,
        code: &Secret,
    ) -> Result<(), Untold> {
        let form = [("grant_type", "authorization_code"), ("code", code.expose())];
        let granted = self.ask_for_tokens(&form).await?;
        let refresh = granted.refresh_token.clone();
        let refresh = refresh.ok_or_else(|| Untold::Barred("there is no refresh token".to_owned()))?;
        self.keep(organization, account, granted, refresh).await.map(drop)
    }

    /// Whether a person's Alexa can be told anything.
    pub(crate) async fn reaches(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<bool, StoreError> {
        let link = self.link_of(organization, account).await?;
        Ok(link.is_some_and(|link| self.has_tokens_of(&link)))
    }

    /// Whether what a person's Alexa gave can be used.
    pub(crate) fn has_tokens_of(&self, link: &AssistantLink) -> bool {
        self.opened(link).is_ok()
    }

    /// Tells a person's Alexa the message that is written with an access token; with another one, once, when the first is
    /// not taken.
    pub(crate) async fn tell(
        &self,
        organization: OrganizationId,
        account: AccountId,
        write: impl Fn(&Secret) -> Value,
    ) -> Result<(), Untold> {
        let mut kept = self.kept(organization, account).await?;
        let mut is_new = false;
        if self.clock.now() >= Timestamp(kept.ends) {
            kept = self.refreshed(organization, account, &kept).await?;
            is_new = true;
        }
        loop {
            let reply = self.post(&write(&kept.access), &kept.access).await?;
            if reply.status.is_success() {
                return Ok(());
            }
            let code = code(&reply);
            let is_token =
                reply.status == StatusCode::UNAUTHORIZED || code == "INVALID_ACCESS_TOKEN_EXCEPTION";
            if is_token && !is_new {
                kept = self.refreshed(organization, account, &kept).await?;
                is_new = true;
            } else if code == DISABLED {
                return Err(Untold::Gone);
            } else {
                let untold = failed(&reply);
                if let Untold::Barred(why) = &untold {
                    tracing::error!(
                        code = known(&code),
                        why,
                        "the event gateway takes nothing for a person: check the region, and the permissions of the skill"
                    );
                }
                return Err(untold);
            }
        }
    }

    async fn refreshed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        kept: &Kept,
    ) -> Result<Kept, Untold> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", kept.refresh.expose())];
        let granted = self.ask_for_tokens(&form).await?;
        let refresh = granted.refresh_token.clone().unwrap_or_else(|| kept.refresh.clone());
        self.keep(organization, account, granted, refresh).await
    }

    /// What the token endpoint gives; that it takes a grant no more means that the person is gone.
    async fn ask_for_tokens(&self, form: &[(&str, &str)]) -> Result<Granted, Untold> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose())
            .finish();
        let request = Request::post(&self.tokens)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(|_| Untold::Barred("the request cannot be made".to_owned()))?;
        let reply = self.identity.request(request).await.map_err(unreached)?;
        if reply.status == StatusCode::OK {
            let unreadable = |_| Untold::Barred("the token endpoint answers no token".to_owned());
            return serde_json::from_slice(&reply.body).map_err(unreadable);
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if answer["error"] == "invalid_grant" { Err(Untold::Gone) } else { Err(failed(&reply).of_all()) }
    }

    async fn keep(
        &self,
        organization: OrganizationId,
        account: AccountId,
        granted: Granted,
        refresh: Secret,
    ) -> Result<Kept, Untold> {
        let ends = self.clock.now().plus(granted.expires_in.saturating_mul(1_000) - MARGIN_MS).0;
        let kept = Kept { access: granted.access_token, refresh, ends };
        let plain = json!({"access": kept.access.expose(), "refresh": kept.refresh.expose(), "ends": ends});
        let about = about(organization, account);
        let sealed =
            self.identity.seal_for_assistant(&about, plain.to_string().as_bytes()).map_err(VoiceError::from);
        let stored = match sealed {
            Ok(sealed) => self
                .store
                .keep_assistant_tokens(organization, account, Assistant::Alexa, &sealed)
                .await
                .map_err(VoiceError::from),
            Err(error) => Err(error),
        };
        stored.map(|()| kept).map_err(|error| {
            tracing::error!(%error, "what Alexa gave could not be kept");
            Untold::Later(None)
        })
    }

    async fn kept(&self, organization: OrganizationId, account: AccountId) -> Result<Kept, Untold> {
        let link = self.link_of(organization, account).await.map_err(|error| {
            tracing::error!(%error, "a link to Alexa could not be read");
            Untold::Later(None)
        })?;
        let link = link.ok_or_else(|| Untold::Barred("nothing is linked".to_owned()))?;
        self.opened(&link)
    }

    async fn link_of(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<Option<AssistantLink>, StoreError> {
        let links = self.store.assistant_links_of(organization, account).await?;
        Ok(links.into_iter().find(|link| link.assistant == Assistant::Alexa))
    }

    fn opened(&self, link: &AssistantLink) -> Result<Kept, Untold> {
        let none = || Untold::Barred("Alexa has not allowed to be told of changes".to_owned());
        let sealed = link.tokens.as_ref().ok_or_else(none)?;
        let broken = || Untold::Barred("what Alexa gave cannot be opened".to_owned());
        let plain = self.identity.unseal_for_assistant(&about(link.organization, link.account), sealed);
        serde_json::from_slice(&plain.map_err(|_| broken())?).map_err(|_| broken())
    }

    async fn post(&self, message: &Value, token: &Secret) -> Result<Reply, Untold> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| Untold::Barred("the token is none".to_owned()))?;
        bearer.set_sensitive(true);
        let request = Request::post(&self.events)
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .body(message.to_string().into_bytes())
            .map_err(|_| Untold::Barred("the request cannot be made".to_owned()))?;
        self.identity.request(request).await.map_err(unreached)
    }
}

/// Whose tokens they are: part of the seal, so that those of one person are of no use in the row of another.
fn about(organization: OrganizationId, account: AccountId) -> Vec<u8> {
    [organization.as_uuid().as_bytes().as_slice(), account.as_uuid().as_bytes()].concat()
}

/// The code of a refusal of the gateway.
fn code(reply: &Reply) -> String {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    answer.pointer("/payload/code").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A code as it can be logged: whatever else an answer says is not repeated.
fn known(code: &str) -> &'static str {
    const CODES: [&str; 5] = [
        "INVALID_ACCESS_TOKEN_EXCEPTION",
        "INSUFFICIENT_PERMISSION_EXCEPTION",
        "ACCOUNT_NOT_FOUND_EXCEPTION",
        "SKILL_NEVER_ENABLED_EXCEPTION",
        "SKILL_NOT_FOUND_EXCEPTION",
    ];
    CODES.into_iter().find(|known| *known == code).unwrap_or("another")
}

fn failed(reply: &Reply) -> Untold {
    by_status(reply.status, reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unreached(error: IdentityError) -> Untold {
    tracing::debug!(%error, "Alexa is not reached");
    Untold::Later(None)
}
