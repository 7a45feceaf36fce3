//! Tokens, as they are made and answered.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Timestamp;
use serde::Serialize;
use store::{Algorithm, Client, ClientKind, Code, Grant, GrantStanding, GrantType, Secret};

use super::super::error::{Refusal, UNCACHED};
use super::super::scope::{IdentityScope, Scopes};
use super::super::userinfo::profile;
use super::stored_scopes;
use crate::Identity;
use crate::error::IdentityError;
use crate::issuer::Audience;
use crate::jwt::{self, AccessClaims, IdClaims, TokenType, at_hash};
use crate::random;
use crate::upstream::FRESH;

const DAY_MS: i64 = 24 * 3_600_000;

/// A successful answer (RFC 6749 section 5.1). `expires_in` and `scope` are always there: clients rely on both.
#[derive(Serialize)]
pub(crate) struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    scope: String,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (UNCACHED, Json(self)).into_response()
    }
}

/// What an answer is made of.
pub(super) struct Issue<'a> {
    pub(super) client: &'a Client,
    pub(super) grant: &'a Grant,
    /// What this answer is for: at most what the grant allows.
    pub(super) scopes: Scopes,
    pub(super) audience: Audience,
    pub(super) refresh_token: Option<Secret>,
    /// The sign-in that an ID token tells about, where a browser took part.
    pub(super) code: Option<&'a Code>,
}

impl Issue<'_> {
    /// Signs the tokens, if the grant counts at this moment.
    pub(super) async fn answer(self, identity: &Identity) -> Result<Answer, Refusal> {
        // Asked of the store and not of what is remembered: nothing new is made of a grant that ended a second ago.
        let standing = identity.store.grant_standing(self.grant.id).await?;
        let standing = standing.filter(GrantStanding::is_good);
        let standing = standing.ok_or(Refusal::invalid_grant("the grant has ended"))?;
        self.answer_now(identity, &standing).await
    }

    /// Signs the tokens of a grant that counts, as the store has just said.
    pub(super) async fn answer_now(
        self,
        identity: &Identity,
        standing: &GrantStanding,
    ) -> Result<Answer, Refusal> {
        let (access_token, scopes) =
            access_token(identity, standing, self.scopes.clone(), self.audience).await?;
        let id_token = match self.code {
            Some(code) if self.scopes.has(IdentityScope::OpenId) => {
                self.id_token(identity, code, &access_token).await?
            }
            _ => None,
        };
        Ok(Answer {
            access_token,
            token_type: "Bearer",
            expires_in: identity.config.access_token_s,
            refresh_token: self.refresh_token.map(|token| token.text()),
            id_token,
            scope: scopes.to_string(),
        })
    }

    async fn id_token(
        &self,
        identity: &Identity,
        code: &Code,
        access_token: &str,
    ) -> Result<Option<String>, Refusal> {
        let Some(account) = self.grant.account else { return Ok(None) };
        let now = identity.clock.now();
        let account = identity.store.account(account).await?;
        let sessions = identity.store.browser_sessions(account.id, now).await?;
        let session = sessions.into_iter().find(|session| Some(session.id) == code.browser_session);
        let methods = session.map(|session| session.methods).unwrap_or_default();
        let algorithm = self.client.settings.id_token_algorithm;
        let claims = IdClaims {
            iss: identity.issuer.as_str().to_owned(),
            sub: account.id.to_string(),
            aud: self.client.id,
            iat: now.second(),
            exp: now.second() + i64::from(identity.config.access_token_s),
            auth_time: Some(code.authenticated_at.second()),
            nonce: code.nonce.clone(),
            amr: methods.split_whitespace().filter(|word| *word != FRESH).map(str::to_owned).collect(),
            at_hash: Some(at_hash(algorithm, access_token)),
            sid: code.browser_session.map(|session| session.to_string()),
            profile: profile(&account, &self.scopes),
        };
        let key = identity.keyring.signing(algorithm, now).await?;
        Ok(Some(jwt::sign(&key, TokenType::Id, &claims)?))
    }
}

/// Signs an access token (RFC 9068) for what is left of `scopes` within the role of the person. Gives what is left, too.
pub(crate) async fn access_token(
    identity: &Identity,
    standing: &GrantStanding,
    scopes: Scopes,
    audience: Audience,
) -> Result<(String, Scopes), Refusal> {
    let now = identity.clock.now();
    let grant = &standing.grant;
    let scopes = scopes.worth(standing);
    if scopes.is_empty() {
        return Err(Refusal::invalid_grant(
            "nothing of this is allowed any more, by the role of the person or to the client",
        ));
    }
    let claims = AccessClaims {
        iss: identity.issuer.as_str().to_owned(),
        sub: grant.account.map_or_else(|| grant.client.to_string(), |account| account.to_string()),
        aud: identity.issuer.resource(audience),
        exp: now.second() + i64::from(identity.config.access_token_s),
        iat: now.second(),
        jti: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
        client_id: grant.client,
        scope: scopes.to_string(),
        org: grant.organization,
        grant: grant.id,
    };
    let key = identity.keyring.signing(Algorithm::Es256, now).await?;
    Ok((jwt::sign(&key, TokenType::Access, &claims)?, scopes))
}

/// The first refresh token of a grant, for a client that was registered for one. Whether it asked for `offline_access` does
/// not matter: no assistant does.
pub(super) async fn first_refresh_token(
    identity: &Identity,
    client: &Client,
    grant: &Grant,
) -> Result<Option<Secret>, IdentityError> {
    let now = identity.clock.now();
    if !client.settings.grants.contains(&GrantType::RefreshToken) {
        identity.uses.note(grant, now);
        return Ok(None);
    }
    let expires_at = refresh_expiry(identity, client.kind, now);
    Ok(Some(identity.store.issue_refresh_token(grant.id, expires_at, now).await?))
}

/// When a refresh token ends that nobody uses: that of a server never does while it is linked.
pub(super) fn refresh_expiry(identity: &Identity, kind: ClientKind, now: Timestamp) -> Option<Timestamp> {
    match kind {
        ClientKind::Public => Some(now.plus(i64::from(identity.config.refresh_token_days) * DAY_MS)),
        ClientKind::Confidential | ClientKind::Assistant => None,
    }
}

/// What a refresh may ask for: at most what was granted (RFC 6749 section 6).
pub(super) fn narrowed(granted: &str, asked: Option<&str>) -> Result<Scopes, Refusal> {
    use super::super::error::ErrorCode::InvalidScope;
    let granted = stored_scopes(granted)?;
    let Some(asked) = asked else { return Ok(granted) };
    let wrong = Refusal::new(InvalidScope, "a scope was not granted");
    match Scopes::parse(asked) {
        Ok(asked) if granted.covers(&asked) && !asked.is_empty() => Ok(asked),
        _ => Err(wrong),
    }
}
