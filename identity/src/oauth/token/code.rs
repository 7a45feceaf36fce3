//! An authorization code for tokens (RFC 6749 section 4.1.3).

use protocol::GrantId;
use serde_json::json;
use store::{Change, Code, CodeExchange, Grant};

use super::super::client::Asked;
use super::super::error::Refusal;
use super::super::{pkce, resource};
use super::answer::{Answer, Issue, first_refresh_token};
use super::{noted, stored_scopes};
use crate::Identity;
use crate::audit::What;

pub(super) async fn exchange(identity: &Identity, asked: &Asked) -> Result<Answer, Refusal> {
    let presented = asked.parameters.require("code", "`code` is missing")?;
    // The code is used up before anything else is looked at: who cannot prove the rest gets one try.
    match identity.store.exchange_code(asked.client.id, presented, identity.clock.now()).await? {
        CodeExchange::Fresh { code, grant } => match issue(identity, asked, &code, &grant).await {
            Ok(answer) => Ok(answer),
            Err(refusal) => Err(noted(identity, grant.id, refusal).await),
        },
        CodeExchange::Replayed(grant) => {
            replayed(identity, asked, grant).await?;
            Err(Refusal::invalid_grant("the code was exchanged before"))
        }
        CodeExchange::Unknown => {
            Err(Refusal::invalid_grant("the code is unknown, over, or another client's"))
        }
    }
}

async fn issue(identity: &Identity, asked: &Asked, code: &Code, grant: &Grant) -> Result<Answer, Refusal> {
    let parameters = &asked.parameters;
    if parameters.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(Refusal::invalid_grant("`redirect_uri` is not the one that the code was sent to"));
    }
    if !pkce::proves(code.challenge.as_deref(), parameters.get("code_verifier")) {
        return Err(Refusal::invalid_grant("`code_verifier` does not prove the request"));
    }
    let audience = resource::granted(&identity.issuer, code.resource.as_deref(), parameters.get("resource"))?;
    let scopes = stored_scopes(&code.scopes)?;
    let refresh_token = first_refresh_token(identity, &asked.client, grant).await?;
    Issue { client: &asked.client, grant, scopes, audience, refresh_token, code: Some(code) }
        .answer(identity)
        .await
}

/// Two have the code, and one of them stole it: everything that came of it ends (RFC 6749 section 4.1.2).
async fn replayed(identity: &Identity, asked: &Asked, id: GrantId) -> Result<(), Refusal> {
    identity.changed(Change::Grant(id));
    let grant = identity.store.grant(asked.client.organization, id).await?;
    tracing::warn!(grant = %id, client = %asked.client.id, "an authorization code came twice; its grant is revoked");
    identity.record_grant(What::CodeReplayed, &grant, json!({"client": asked.client.settings.name})).await;
    Ok(())
}
