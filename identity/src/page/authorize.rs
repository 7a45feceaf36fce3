//! `/oauth/authorize`: a client sends a person here (RFC 6749 section 3.1).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use protocol::ClientId;
use serde_json::json;
use store::{Change, Client, ClientKind, Code, Grant, NewGrant};

use super::{PageRefusal, consent};
use crate::Identity;
use crate::audit::{About, What};
use crate::browser::{SignedIn, Visitor, redirect};
use crate::metrics::Cause;
use crate::next::Next;
use crate::oauth::Scopes;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::parameter::Parameters;
use crate::oauth::redirect::{is_registered, with_answer};
use crate::oauth::request::{Ask, AuthorizationRequest, Prompt};
use crate::words;

/// How long a code can be exchanged (RFC 6749 section 4.1.2 wants ten minutes at most).
const CODE_MS: i64 = 60_000;

/// `POST /oauth/authorize` (`OpenID` Connect Core section 3.1.2.1). The cookie of the session does not come along with a form
/// of another site, so the browser is asked to come again.
pub(crate) async fn post(form: Result<Parameters, Refusal>) -> Result<Response, PageRefusal> {
    let form = form.map_err(|_| PageRefusal::Client(words::REPEATED))?;
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    Ok(redirect(&format!("/oauth/authorize?{query}")))
}

/// `GET /oauth/authorize`.
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let (client, redirect_uri) = destination(&identity, &parameters).await?;
    match AuthorizationRequest::read(&identity.issuer, &client, redirect_uri, &parameters) {
        Ok((request, prompt)) => ask(&identity, visitor, &client, request, &prompt, &parameters).await,
        Err(refusal) => {
            let state = parameters.get("state").filter(|_| !parameters.repeats("state"));
            Ok(refused(&identity, redirect_uri, state, &refusal))
        }
    }
}

/// Who asks, and where the answer may go. Until both are known to belong together nothing is sent anywhere: the person
/// reads what is wrong (RFC 6749 section 4.1.2.1).
async fn destination<'a>(
    identity: &Identity,
    parameters: &'a Parameters,
) -> Result<(Client, &'a str), PageRefusal> {
    if parameters.repeats("client_id") || parameters.repeats("redirect_uri") {
        return Err(PageRefusal::Client(words::REPEATED));
    }
    let id = parameters.get("client_id").and_then(|id| id.parse::<ClientId>().ok());
    let client = match id {
        Some(id) => identity.store.client(id).await?,
        None => None,
    };
    let client = client.filter(|client| client.disabled_at.is_none());
    let client = client.ok_or(PageRefusal::Client(words::UNKNOWN_CLIENT))?;
    let uri = parameters.get("redirect_uri").ok_or(PageRefusal::Client(words::UNKNOWN_REDIRECT))?;
    if !is_registered(&client, uri) {
        return Err(PageRefusal::Client(words::UNKNOWN_REDIRECT));
    }
    Ok((client, uri))
}

/// Sees to it that somebody is signed in, and that they agree.
async fn ask(
    identity: &Identity,
    visitor: Visitor,
    client: &Client,
    mut request: AuthorizationRequest,
    prompt: &Prompt,
    parameters: &Parameters,
) -> Result<Response, PageRefusal> {
    let now = identity.clock.now();
    let refuse = |request: &AuthorizationRequest, code, why| {
        let refusal = Refusal::new(code, why);
        Ok(refused(identity, &request.redirect_uri, request.state.as_deref(), &refusal))
    };
    let is_fresh = |one: &SignedIn| {
        let age_ms = now.since(one.session.authenticated_at);
        prompt.max_age.is_none_or(|max_age| age_ms <= max_age * 1_000)
    };
    let wants_sign_in = prompt.asks(Ask::Login) || prompt.asks(Ask::SelectAccount);
    let signed_in = visitor.signed_in.clone().filter(|one| is_fresh(one) && !wants_sign_in);
    let Some(signed_in) = signed_in else {
        if prompt.asks(Ask::None) {
            return refuse(&request, ErrorCode::LoginRequired, "nobody is signed in, or not lately");
        }
        return Ok(sign_in_first(parameters));
    };
    let Some(scopes) = offered(identity, client, &signed_in, &request).await? else {
        return refuse(
            &request,
            ErrorCode::AccessDenied,
            "the person may do none of this in the organization",
        );
    };
    request.scopes = scopes.to_string();
    if !prompt.asks(Ask::Consent) && is_agreed(identity, client, &signed_in, &request, &scopes).await? {
        return agreed(identity, client, &signed_in, &request).await;
    }
    if prompt.asks(Ask::None) {
        return refuse(&request, ErrorCode::ConsentRequired, "the person has not agreed to this");
    }
    consent::page(identity, &visitor, &signed_in, client, request, &scopes).await
}

/// What of a request the person can give away: their own identity, and what their role in the client's organization allows.
pub(super) async fn offered(
    identity: &Identity,
    client: &Client,
    signed_in: &SignedIn,
    request: &AuthorizationRequest,
) -> Result<Option<Scopes>, PageRefusal> {
    let membership = identity.store.membership(client.organization, signed_in.account.id).await?;
    let scopes = Scopes::parse(&request.scopes).map_err(|_| PageRefusal::Internal)?;
    let scopes = scopes.of_person(membership.as_ref().map(|member| &member.scopes));
    Ok(Some(scopes).filter(|scopes| !scopes.is_empty()))
}

/// Whether the person agreed to all of this before. A client that anybody could pretend to be is asked for each time (RFC
/// 8252 section 8.6): nothing but a web address shows who receives the answer.
async fn is_agreed(
    identity: &Identity,
    client: &Client,
    signed_in: &SignedIn,
    request: &AuthorizationRequest,
    scopes: &Scopes,
) -> Result<bool, PageRefusal> {
    if client.kind == ClientKind::Public && !request.redirect_uri.starts_with("https://") {
        return Ok(false);
    }
    let grant = living_grant(identity, client, signed_in, request).await?;
    Ok(grant.is_some_and(|grant| Scopes::parse(&grant.scopes).is_ok_and(|granted| granted.covers(scopes))))
}

/// The newest link of the person to a client for the API that is asked for.
async fn living_grant(
    identity: &Identity,
    client: &Client,
    signed_in: &SignedIn,
    request: &AuthorizationRequest,
) -> Result<Option<Grant>, PageRefusal> {
    let grants = identity.store.grants_of(signed_in.account.id).await?;
    let is_asked_for =
        |grant: &Grant| grant.client == client.id && grant.resource.as_deref() == Some(&request.resource);
    Ok(grants.into_iter().rfind(is_asked_for))
}

/// Sends the browser back with a code.
pub(super) async fn agreed(
    identity: &Identity,
    client: &Client,
    signed_in: &SignedIn,
    request: &AuthorizationRequest,
) -> Result<Response, PageRefusal> {
    let now = identity.clock.now();
    let grant = grant(identity, client, signed_in, request).await?;
    let code = Code {
        grant: grant.id,
        client: client.id,
        redirect_uri: request.redirect_uri.clone(),
        scopes: request.scopes.clone(),
        nonce: request.nonce.clone(),
        challenge: request.challenge.clone(),
        resource: Some(request.resource.clone()),
        authenticated_at: signed_in.session.authenticated_at,
        browser_session: Some(signed_in.session.id),
        expires_at: now.plus(CODE_MS),
    };
    let code = identity.store.issue_code(client.organization, &code, now).await?;
    let answer = [("code", code.text())];
    Ok(answered(identity, &request.redirect_uri, request.state.as_deref(), &answer))
}

/// The link that a code leads to. A server has one for each person and API, which grows; each installation of a client
/// without a secret has its own, so that unlinking one phone, or somebody copying its token, does not end the others.
async fn grant(
    identity: &Identity,
    client: &Client,
    signed_in: &SignedIn,
    request: &AuthorizationRequest,
) -> Result<Grant, PageRefusal> {
    let account = signed_in.account.id;
    let known = match client.kind {
        ClientKind::Public => None,
        ClientKind::Confidential | ClientKind::Assistant => {
            living_grant(identity, client, signed_in, request).await?
        }
    };
    let asked = Scopes::parse(&request.scopes).map_err(|_| PageRefusal::Internal)?;
    if let Some(mut grant) = known {
        let granted = Scopes::parse(&grant.scopes).unwrap_or_default();
        if !granted.covers(&asked) {
            grant.scopes = granted.and(&asked).to_string();
            let resource = Some(request.resource.as_str());
            identity.store.widen_grant(client.organization, grant.id, &grant.scopes, resource).await?;
            identity.changed(Change::Grant(grant.id));
            let detail = json!({"client": client.settings.name, "scopes": grant.scopes});
            identity.record_grant(What::LinkWidened, &grant, detail).await;
        }
        return Ok(grant);
    }
    let new = NewGrant {
        client: client.id,
        account: Some(account),
        scopes: request.scopes.clone(),
        resource: Some(request.resource.clone()),
    };
    let grant = identity.store.create_grant(client.organization, &new, identity.clock.now()).await?;
    let about = About {
        organization: Some(client.organization),
        account: Some(account),
        address: signed_in.session.address.parse().ok(),
    };
    let detail = json!({"client": client.settings.name, "scopes": grant.scopes});
    identity.record(What::Linked, about, detail).await;
    Ok(grant)
}

/// Sends the browser back with an error (RFC 6749 section 4.1.2.1).
pub(super) fn refused(
    identity: &Identity,
    redirect_uri: &str,
    state: Option<&str>,
    refusal: &Refusal,
) -> Response {
    let answer =
        [("error", refusal.code.as_str().to_owned()), ("error_description", refusal.description.to_owned())];
    let mut response = answered(identity, redirect_uri, state, &answer);
    response.extensions_mut().insert(Cause::new(refusal.code.as_str()));
    response
}

/// Every answer says who gives it, so that a client that knows several servers does not mix them up (RFC 9207).
fn answered(
    identity: &Identity,
    redirect_uri: &str,
    state: Option<&str>,
    answer: &[(&str, String)],
) -> Response {
    let pairs = answer.iter().map(|(name, value)| (*name, value.as_str()));
    let pairs = pairs.chain(state.map(|state| ("state", state)));
    let pairs: Vec<_> = pairs.chain([("iss", identity.issuer.as_str())]).collect();
    redirect(&with_answer(redirect_uri, &pairs))
}

/// Sends the person to sign in, and then back to the same request without what was done by then: asked again, it would go
/// round for ever. Whoever shortens it by hand gains nothing: the client reads the time of the sign-in in the ID token.
fn sign_in_first(parameters: &Parameters) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter() {
        match name {
            "max_age" => {}
            "prompt" => {
                let words = value.split(' ').filter(|word| !matches!(*word, "login" | "select_account"));
                query.append_pair(name, &words.collect::<Vec<_>>().join(" "));
            }
            _ => drop(query.append_pair(name, value)),
        }
    }
    let next = Next::parse(&format!("/oauth/authorize?{}", query.finish())).unwrap_or_default();
    let mut to = format!("{}&again=1", next.after("/sign-in"));
    if let Some(hint) = parameters.get("login_hint").filter(|hint| hint.contains('@')) {
        let email = url::form_urlencoded::Serializer::new(String::new()).append_pair("email", hint).finish();
        to = format!("{to}&{email}");
    }
    redirect(&to)
}
