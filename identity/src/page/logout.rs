//! `/oauth/logout`: a client asks to sign a person out (`OpenID` Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::html;
use protocol::ClientId;
use store::Client;

use super::{Page, PageRefusal, form};
use crate::Identity;
use crate::browser::{Posted, SignedIn, Visitor, redirect};
use crate::jwt::{self, IdClaims, TokenType};
use crate::oauth::error::Refusal;
use crate::oauth::parameter::Parameters;
use crate::oauth::redirect::{form_action, with_answer};
use crate::seal::Use;
use crate::words;

/// `POST /oauth/logout`: see [`super::authorize::post`].
pub(crate) async fn post(form: Result<Parameters, Refusal>) -> Result<Response, PageRefusal> {
    let form = form.map_err(|_| PageRefusal::Client(words::REPEATED))?;
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    Ok(redirect(&format!("/oauth/logout?{query}")))
}

/// `GET /oauth/logout`. A client that shows an ID token of this very person signs them out; anybody else has them asked
/// first (section 2).
pub(crate) async fn get(
    State(identity): State<Arc<Identity>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let query = query.once().map_err(|_| PageRefusal::Client(words::REPEATED))?;
    let hint = query.get("id_token_hint").map(|token| read_hint(&identity, token)).transpose()?;
    let to = destination(&identity, &query, hint.as_ref()).await?;
    let Some(signed_in) = &visitor.signed_in else { return Ok(done(&identity, &visitor, to.as_deref())) };
    if hint.is_some_and(|hint| is_of(&hint, signed_in)) {
        let response = done(&identity, &visitor, to.as_deref());
        return Ok(visitor.sign_out(&identity, response).await?);
    }
    let to = to.unwrap_or_default();
    let inner = html! {
        input type="hidden" name="to" value=(to);
        input type="hidden" name="proof" value=(proof(&identity, signed_in, &to));
        button type="submit" { (words::SIGN_OUT) }
    };
    let body = html! {
        p { (words::signed_in_as(&signed_in.account.email)) }
        (form(&visitor.csrf, "/oauth/logout/confirm", &inner))
        p { a href="/account" { (words::STAY) } }
    };
    Ok(Page::new(words::SIGN_OUT_QUESTION, body).leading_to(form_action(&to)).show(&identity, &visitor))
}

/// `POST /oauth/logout/confirm`.
pub(crate) async fn confirm(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let Posted { visitor, form } = &posted;
    let to = form.get("to");
    let signed_in = visitor.signed_in.as_ref().ok_or(PageRefusal::Forged)?;
    let parts = parts(signed_in, to.unwrap_or_default());
    let proof = form.get("proof").unwrap_or_default();
    if !identity.sealer.is_signed(Use::Consent, &parts.each_ref().map(Vec::as_slice), proof) {
        return Err(PageRefusal::Forged);
    }
    Ok(visitor.sign_out(&identity, done(&identity, visitor, to)).await?)
}

/// What an ID token of ours says. One that is over still tells whom it was about (section 2).
fn read_hint(identity: &Identity, token: &str) -> Result<IdClaims, PageRefusal> {
    let claims: Option<IdClaims> = jwt::verify(&identity.keyring, TokenType::Id, token);
    let claims = claims.filter(|claims| claims.iss == identity.issuer.as_str());
    claims.ok_or(PageRefusal::Client(words::BAD_HINT))
}

/// Where the browser goes afterwards: an address that the client registered for it, or nowhere (section 3).
async fn destination(
    identity: &Identity,
    query: &Parameters,
    hint: Option<&IdClaims>,
) -> Result<Option<String>, PageRefusal> {
    let named = query.get("client_id").map(str::parse::<ClientId>);
    let named = named.transpose().map_err(|_| PageRefusal::Client(words::UNKNOWN_CLIENT))?;
    let hinted = hint.map(|hint| hint.aud);
    if let (Some(named), Some(hinted)) = (named, hinted)
        && named != hinted
    {
        return Err(PageRefusal::Client(words::BAD_HINT));
    }
    let Some(uri) = query.get("post_logout_redirect_uri") else { return Ok(None) };
    let client = match named.or(hinted) {
        Some(id) => identity.store.client(id).await?,
        None => None,
    };
    let is_registered = |client: &Client| client.settings.post_logout_uris.iter().any(|known| known == uri);
    if !client.is_some_and(|client| client.disabled_at.is_none() && is_registered(&client)) {
        return Err(PageRefusal::Client(words::UNKNOWN_REDIRECT));
    }
    Ok(Some(match query.get("state") {
        Some(state) => with_answer(uri, &[("state", state)]),
        None => uri.to_owned(),
    }))
}

/// Whether a token is about who sits there: this session, or this person where the session has ended since.
fn is_of(hint: &IdClaims, signed_in: &SignedIn) -> bool {
    hint.sub == signed_in.account.id.to_string()
        && hint.sid.as_ref().is_none_or(|session| *session == signed_in.session.id.to_string())
}

fn done(identity: &Identity, visitor: &Visitor, to: Option<&str>) -> Response {
    if let Some(to) = to {
        return redirect(to);
    }
    let body = html! { p { a href="/sign-in" { (words::SIGN_IN) } } };
    Page::new(words::SIGNED_OUT, body).show_to_nobody(identity, visitor)
}

fn proof(identity: &Identity, signed_in: &SignedIn, to: &str) -> String {
    let parts = parts(signed_in, to);
    identity.sealer.sign(Use::Consent, &parts.each_ref().map(Vec::as_slice))
}

fn parts(signed_in: &SignedIn, to: &str) -> [Vec<u8>; 3] {
    [b"logout".to_vec(), signed_in.session.id.to_string().into_bytes(), to.as_bytes().to_vec()]
}
