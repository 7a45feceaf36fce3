//! Signing in by another provider: the way there, and the answer that comes back.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use protocol::AccountId;
use serde_json::json;
use store::{Account, NewAccount, NewIdentity, StoreError, UpstreamFlow};

use super::second_factor::Ticket;
use super::{Page, PageRefusal, form, invitation, second_factor};
use crate::Identity;
use crate::attempts::Who;
use crate::audit::{About, What};
use crate::browser::{Posted, Visitor, redirect};
use crate::config::SignUp;
use crate::error::IdentityError;
use crate::mail::WaysIn;
use crate::next::Next;
use crate::oauth::parameter::Parameters;
use crate::seal::Use;
use crate::upstream::{Begun, FRESH, Failure, Provider, Somebody};
use crate::{random, words};

/// How long a person has at the provider.
const LIFE_MS: i64 = 10 * 60_000;

/// How whoever another provider vouches for proved who they are: what they did there is not known. RFC 8176 has no word for
/// it; others say this one.
const METHODS: &str = "fed";

/// The same for whoever did it a moment ago, as the provider says.
const FRESH_METHODS: &str = "fed fresh";

/// Whether a sign-in by these methods shows who somebody is: a provider that only knew the browser again does not.
pub(super) fn is_fresh(methods: &str) -> bool {
    let has = |word: &str| methods.split_whitespace().any(|method| method == word);
    !has(METHODS) || has(FRESH) || has("otp")
}

/// `POST /identity/providers/{provider}`: begins a sign-in. A form of ours, so no other site signs somebody in as another.
pub(crate) async fn begin(
    State(identity): State<Arc<Identity>>,
    Path(id): Path<String>,
    Posted { visitor, form }: Posted,
) -> Result<Response, PageRefusal> {
    let provider = identity.providers.get(&id).ok_or(PageRefusal::NotFound)?;
    if !identity.attempts.may_try(Who::Begun(visitor.address), identity.clock.now()) {
        return Err(PageRefusal::ManySignIns);
    }
    let next = Next::read(form.get("next"));
    leave(&identity, &visitor, provider, &next, form.get("again").is_some(), None).await
}

/// Sends the browser to a provider, for a sign-in or to link an account.
pub(super) async fn leave(
    identity: &Identity,
    visitor: &Visitor,
    provider: &Provider,
    next: &Next,
    again: bool,
    account: Option<AccountId>,
) -> Result<Response, PageRefusal> {
    let now = identity.clock.now();
    let begun = Begun {
        nonce: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
        verifier: URL_SAFE_NO_PAD.encode(random::bytes::<32>()?),
    };
    let browser = visitor.binding.mark();
    let kept =
        serde_json::to_vec(&(&begun.verifier, next.as_str(), again)).map_err(|_| IdentityError::Task)?;
    let flow = UpstreamFlow {
        provider: provider.id.clone(),
        browser,
        nonce: begun.nonce.clone(),
        verifier: identity.sealer.seal(Use::Verifier, &browser, &kept)?,
        return_to: next.page().to_owned(),
        account,
        expires_at: now.plus(LIFE_MS),
    };
    let state = identity.store.begin_upstream(&flow, now).await?.text();
    let url = provider.authorize_url(&identity.outbound, state, &begun, again, now).await;
    Ok(visitor.remembered(identity, redirect(&url.map_err(|failure| failed(provider, &failure))?)))
}

/// `GET /identity/providers/{provider}/callback`: what the provider answers, by the browser. What it says in words of its own
/// nobody reads.
pub(crate) async fn callback(
    State(identity): State<Arc<Identity>>,
    Path(id): Path<String>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, PageRefusal> {
    let provider = identity.providers.get(&id).ok_or(PageRefusal::NotFound)?;
    let query = Parameters::parse(query.unwrap_or_default().as_bytes());
    let answered = answered(&identity, &visitor, provider, &query).await;
    if let Err(PageRefusal::Provider(cause, _)) = &answered {
        identity.metrics.sign_in_refused();
        // Whoever makes answers up does not fill the log with them.
        if identity.attempts.may_try(Who::Answer(visitor.address), identity.clock.now()) {
            let account = visitor.account().map(|account| account.id);
            let about = About { account, address: Some(visitor.address), ..About::default() };
            let detail = json!({"provider": provider.name, "cause": cause});
            identity.record(What::ProviderRefused, about, detail).await;
        }
    }
    answered
}

async fn answered(
    identity: &Arc<Identity>,
    visitor: &Visitor,
    provider: &Provider,
    query: &Parameters,
) -> Result<Response, PageRefusal> {
    let now = identity.clock.now();
    let over = || PageRefusal::Provider("provider_state", words::PROVIDER_OVER.to_owned());
    if ["state", "code", "iss", "error"].into_iter().any(|name| query.repeats(name)) {
        return Err(over());
    }
    let browser = visitor.binding.mark();
    let state = query.get("state").unwrap_or_default();
    let flow = identity.store.take_upstream(&provider.id, state, &browser, now).await?.ok_or_else(over)?;
    let failed = |failure| failed(provider, &failure);
    provider.check_issuer(&identity.outbound, query.get("iss"), now).await.map_err(failed)?;
    let code = match (query.get("error"), query.get("code")) {
        (Some("access_denied"), _) => {
            let text = words::provider_denied(&provider.name);
            return Err(PageRefusal::Provider("provider_denied", text));
        }
        (None, Some(code)) => code,
        (Some(_), _) | (None, None) => {
            let text = words::provider_failed(&provider.name);
            return Err(PageRefusal::Provider("provider_error", text));
        }
    };
    let kept = identity.sealer.unseal(Use::Verifier, &browser, &flow.verifier)?;
    let (verifier, next, again): (String, String, bool) =
        serde_json::from_slice(&kept).map_err(|_| IdentityError::Task)?;
    let begun = Begun { nonce: flow.nonce, verifier };
    let somebody = provider.somebody(&identity.outbound, code, begun, now).await.map_err(failed)?;
    if again && somebody.is_fresh == Some(false) {
        tracing::warn!(provider = %provider.id, "a provider did not ask anew who somebody is");
        let text = words::provider_stale(&provider.name);
        return Err(PageRefusal::Provider("provider_stale", text));
    }
    let next = Next::read(Some(&next));
    match flow.account {
        Some(account) => link(identity, visitor, provider, &somebody, account, &next).await,
        None => sign_in(identity, visitor, provider, &somebody, &next).await,
    }
}

/// Gives the account, whose person has to be signed in still, another way to sign in.
async fn link(
    identity: &Arc<Identity>,
    visitor: &Visitor,
    provider: &Provider,
    somebody: &Somebody,
    account: AccountId,
    next: &Next,
) -> Result<Response, PageRefusal> {
    let Some(account) = visitor.account().filter(|signed_in| signed_in.id == account) else {
        return Err(PageRefusal::SignIn(next.clone()));
    };
    match identity.store.link_identity(account.id, &known_as(provider, somebody), identity.clock.now()).await
    {
        Err(StoreError::Conflict("identity")) => {
            let text = words::provider_linked_already(&provider.name);
            return Err(PageRefusal::Provider("provider_linked_already", text));
        }
        linked => linked?,
    }
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::ProviderLinked, about, json!({"provider": provider.name})).await;
    identity.tell(account, WaysIn::ProviderLinked { name: provider.name.clone() });
    Ok(redirect(next.as_str()))
}

/// Signs in whoever is linked, or makes an account. A second factor is asked for as after a password: that the provider
/// asked for one is not known.
async fn sign_in(
    identity: &Arc<Identity>,
    visitor: &Visitor,
    provider: &Provider,
    somebody: &Somebody,
    next: &Next,
) -> Result<Response, PageRefusal> {
    let now = identity.clock.now();
    let known = identity.store.sign_in_identity(&provider.issuer, &somebody.subject, now).await?;
    let (account, next) = match known {
        Some(account) => (identity.store.account(account).await?, next.clone()),
        None => make(identity, visitor, provider, somebody, next).await?,
    };
    if account.disabled_at.is_some() {
        return Err(PageRefusal::Provider("account_disabled", words::ACCOUNT_DISABLED.to_owned()));
    }
    if identity.must_verify(&account) {
        identity.send_verification(&account).await?;
        let body = html! { p { (words::VERIFY_FIRST) } };
        return Ok(Page::new(words::CHECK_MAIL, body).show(identity, visitor));
    }
    let methods = if somebody.is_fresh == Some(true) { FRESH_METHODS } else { METHODS };
    if account.totp.as_ref().is_some_and(|totp| totp.confirmed_at.is_some()) {
        let ticket = Ticket::new(identity, &account, &next, methods).seal(identity, visitor)?;
        return Ok(second_factor::page(&ticket, &visitor.csrf, None).show(identity, visitor));
    }
    visitor.sign_in(identity, account.id, methods, &next).await
}

/// Makes an account where everybody may, or for whoever was on the way to an invitation. An address that an account has
/// already links nobody to it: what a provider says of an address does not prove whose account that is.
async fn make(
    identity: &Arc<Identity>,
    visitor: &Visitor,
    provider: &Provider,
    somebody: &Somebody,
    next: &Next,
) -> Result<(Account, Next), PageRefusal> {
    let now = identity.clock.now();
    let token = next.token_of("/invitation");
    let invitation = match &token {
        Some(token) => Some(invitation::find(identity, token).await?),
        None => None,
    };
    if invitation.is_none() && identity.config.sign_up == SignUp::Invited {
        let text = words::provider_unknown(&provider.name);
        return Err(PageRefusal::Provider("provider_unknown", text));
    }
    let Some(email) = somebody.email.clone() else {
        let text = words::provider_no_email(&provider.name);
        return Err(PageRefusal::Provider("provider_no_email", text));
    };
    // The secret of the invitation was in a mail to this address and nowhere else.
    let was_mailed = identity.mailer.is_there()
        && invitation.is_some_and(|invitation| invitation.email.to_lowercase() == email.to_lowercase());
    let new = NewAccount {
        email,
        email_verified: somebody.email_verified || was_mailed,
        name: somebody.name.clone(),
        locale: None,
        password: None,
    };
    let made = identity.store.create_account_with_identity(&new, &known_as(provider, somebody), now).await;
    let account = match made {
        Err(StoreError::Conflict("email")) => {
            let text = words::provider_email_taken(&new.email, &provider.name);
            return Err(PageRefusal::Provider("provider_email_taken", text));
        }
        made => made?,
    };
    let about = About { account: Some(account.id), address: Some(visitor.address), ..About::default() };
    identity.record(What::AccountMade, about, json!({"by": "provider", "provider": provider.name})).await;
    let Some(token) = token else { return Ok((account, next.clone())) };
    invitation::accept(identity, visitor, &token, account.id).await?;
    Ok((account, Next::default()))
}

fn known_as(provider: &Provider, somebody: &Somebody) -> NewIdentity {
    NewIdentity {
        issuer: provider.issuer.clone(),
        subject: somebody.subject.clone(),
        email: somebody.email.clone(),
    }
}

fn failed(provider: &Provider, failure: &Failure) -> PageRefusal {
    tracing::warn!(provider = %provider.id, %failure, "a provider did not say who somebody is");
    PageRefusal::Provider(failure.cause(), words::provider_failed(&provider.name))
}

/// A button for each provider.
pub(super) fn buttons(identity: &Identity, csrf: &str, next: &Next, again: bool) -> Markup {
    html! {
        @for provider in identity.providers.iter() {
            (form(csrf, &format!("/identity/providers/{}", provider.id), &html! {
                input type="hidden" name="next" value=(next.as_str());
                @if again { input type="hidden" name="again" value="1"; }
                button.second type="submit" { (words::continue_with(&provider.name)) }
            }))
        }
    }
}
