//! The page that asks a person whether a client may do something in their name.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use protocol::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Client, Party, StoreError};

use super::authorize::{agreed, offered, refused};
use super::{Page, PageRefusal, form};
use crate::Identity;
use crate::browser::{Person, Posted, SignedIn, Visitor};
use crate::next::Next;
use crate::oauth::Scopes;
use crate::oauth::client::may_use;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::redirect::{form_action, is_registered};
use crate::oauth::request::AuthorizationRequest;
use crate::seal::Use;
use crate::words;

/// How long a person may think about it.
const LIFE_MS: i64 = 10 * 60_000;

/// What a page showed. It travels through the browser as one text with a signature over it and the session: what was shown
/// is what is granted, and nothing of it can be swapped (RFC 9700 section 4.7).
#[derive(Serialize, Deserialize)]
struct Shown {
    request: AuthorizationRequest,
    expires_at: Timestamp,
}

/// The page.
pub(super) async fn page(
    identity: &Identity,
    visitor: &Visitor,
    signed_in: &SignedIn,
    client: &Client,
    request: AuthorizationRequest,
    scopes: &Scopes,
) -> Result<Response, PageRefusal> {
    let organization = identity.store.organization(client.organization).await?;
    let leads_to = form_action(&request.redirect_uri);
    let shown = Shown { request, expires_at: identity.clock.now().plus(LIFE_MS) };
    let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&shown).map_err(|_| PageRefusal::Internal)?);
    let proof =
        identity.sealer.sign(Use::Consent, &[signed_in.session.id.to_string().as_bytes(), text.as_bytes()]);
    let inner = html! {
        input type="hidden" name="request" value=(text);
        input type="hidden" name="proof" value=(proof);
        button type="submit" name="decision" value="agree" { (words::AGREE) }
        button.second type="submit" name="decision" value="cancel" { (words::CANCEL) }
    };
    let body = html! {
        (introduction(client, &organization.name))
        (scope_list(scopes))
        p { (words::signed_in_as(&signed_in.account.email)) " "
            a href=(switch(&shown.request)) { (words::OTHER_ACCOUNT) } }
        (form(&visitor.csrf, "/oauth/consent", &inner))
        p.hint { (words::UNLINK_ANY_TIME) }
    };
    let title = words::link_title(&client.settings.name);
    Ok(Page::new(&title, body).leading_to(leads_to).show(identity, visitor))
}

/// Who asks. A picture that does not load says nothing, since the name stands beside it.
pub(super) fn introduction(client: &Client, organization: &str) -> Markup {
    let name = &client.settings.name;
    let party = client.settings.party.map(|party| match party {
        Party::Google => words::GOOGLE,
        Party::Amazon => words::AMAZON,
    });
    html! {
        div.client {
            @if let Some(logo) = client.settings.logo.as_deref().filter(|logo| logo.starts_with("https://")) {
                img src=(logo) alt="" referrerpolicy="no-referrer";
            }
            p { (words::wants_access(name, organization)) }
        }
        @if let Some(party) = party {
            p { (words::party(party)) }
        }
    }
}

/// What it asks for, in words.
pub(super) fn scope_list(scopes: &Scopes) -> Markup {
    html! {
        h2 { (words::IT_WILL) }
        ul {
            @for scope in &scopes.identity { li { (words::identity_scope(*scope)) } }
            @for scope in &scopes.api { li { (words::api_scope(scope)) } }
        }
    }
}

/// The way to the same page for another account.
fn switch(request: &AuthorizationRequest) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", &request.client.to_string()),
        ("redirect_uri", &request.redirect_uri),
        ("scope", &request.scopes),
        ("resource", &request.resource),
    ]);
    for (name, value) in
        [("state", &request.state), ("nonce", &request.nonce), ("code_challenge", &request.challenge)]
    {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if request.challenge.is_some() {
        query.append_pair("code_challenge_method", "S256");
    }
    let next = Next::parse(&format!("/oauth/authorize?{}", query.finish())).unwrap_or_default();
    format!("{}&again=1", next.after("/sign-in"))
}

/// `POST /oauth/consent`.
pub(crate) async fn post(
    State(identity): State<Arc<Identity>>,
    posted: Posted,
) -> Result<Response, PageRefusal> {
    let (person, form) = posted.by_person()?;
    let shown = read(
        &identity,
        &person,
        form.get("request").unwrap_or_default(),
        form.get("proof").unwrap_or_default(),
    )?;
    let request = shown.request;
    let client = still_good(&identity, &request).await?;
    match form.get("decision") {
        Some("agree") => {}
        Some("cancel") => {
            let refusal = Refusal::new(ErrorCode::AccessDenied, "the person did not agree");
            return Ok(refused(&identity, &request.redirect_uri, request.state.as_deref(), &refusal));
        }
        _ => return Err(PageRefusal::Unreadable),
    }
    let signed_in = SignedIn { account: person.account, session: person.session };
    // The role may have changed while the page was open.
    let offered = offered(&identity, &client, &signed_in, &request).await?;
    if offered.is_none_or(|scopes| scopes.to_string() != request.scopes) {
        return Err(PageRefusal::Invalid(words::CHANGED_MEANWHILE.to_owned()));
    }
    agreed(&identity, &client, &signed_in, &request).await
}

fn read(identity: &Identity, person: &Person, text: &str, proof: &str) -> Result<Shown, PageRefusal> {
    let session = person.session.id.to_string();
    if !identity.sealer.is_signed(Use::Consent, &[session.as_bytes(), text.as_bytes()], proof) {
        return Err(PageRefusal::Forged);
    }
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| PageRefusal::Forged)?;
    let shown: Shown = serde_json::from_slice(&json).map_err(|_| PageRefusal::Forged)?;
    if shown.expires_at <= identity.clock.now() {
        return Err(PageRefusal::Client(words::TOO_LATE));
    }
    Ok(shown)
}

/// The client, if it may still be answered there.
async fn still_good(identity: &Identity, request: &AuthorizationRequest) -> Result<Client, PageRefusal> {
    let client = identity.store.client(request.client).await?.ok_or(StoreError::NotFound)?;
    let is_good = client.disabled_at.is_none()
        && is_registered(&client, &request.redirect_uri)
        && may_use(&client, store::GrantType::AuthorizationCode).is_ok();
    if is_good { Ok(client) } else { Err(PageRefusal::Client(words::UNKNOWN_CLIENT)) }
}
