//! Passkeys: signing in with a key that a person's device keeps (`WebAuthn` level 3).
//!
//! The device itself checks who holds it, by a finger or a number, and says so in what it signs. Without that nothing is
//! accepted, so a passkey alone is both factors. What a device is made of nobody asks (no attestation).

use protocol::AccountId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Account, UpstreamFlow};
use url::Url;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::Identity;
use crate::browser::Visitor;
use crate::error::IdentityError;
use crate::issuer::Issuer;
use crate::next::Next;
use crate::seal::Use;
use crate::words;

/// How long a person has until the device has signed.
const LIFE_MS: i64 = 5 * 60_000;

/// What stands for the provider in the rows of sign-ins; no provider of the configuration has this name.
pub(crate) const PROVIDER: &str = "passkey";

/// How whoever comes with a passkey proved who they are: they hold a key, and it knew them (RFC 8176 section 2; `pop` is of
/// `OpenID` Extended Authentication Profile, since nothing shows whether the key is in hardware).
pub(crate) const METHODS: &str = "pop user mfa";

/// What this server knows of itself as a relying party.
pub(crate) struct Passkeys(Webauthn);

/// What was begun with a browser: what the page hands to the authenticator, and the secret that it comes back with.
#[derive(Serialize)]
pub(crate) struct Begun {
    ceremony: String,
    #[serde(rename = "publicKey")]
    public_key: Value,
}

/// A passkey on its way into an account.
#[derive(Serialize, Deserialize)]
pub(crate) struct Registration {
    /// What its person calls it.
    pub(crate) name: String,
    state: PasskeyRegistration,
}

/// Why a passkey is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// What came is not what this server asked for, or not from whom.
    Unproven,
    /// The counter went backwards: somebody has a copy of the key (`WebAuthn` section 6.1.1).
    Copied,
}

impl Passkeys {
    /// None where browsers have no passkeys: for an issuer without a name, such as `http://127.0.0.1:8080` (`WebAuthn`
    /// section 4, relying party identifier).
    pub(crate) fn of(issuer: &Issuer) -> Result<Option<Self>, IdentityError> {
        let no_url = |_| IdentityError::Config("identity.issuer: is no URL".to_owned());
        let origin = Url::parse(issuer.as_str()).map_err(no_url)?;
        let Some(host) = origin.domain() else { return Ok(None) };
        let builder = WebauthnBuilder::new(host, &origin).map_err(|error| failed(&error))?;
        let built = builder.rp_name(words::PRODUCT).build().map_err(|error| failed(&error))?;
        Ok(Some(Self(built)))
    }

    /// Begins to add a passkey to an account that has `known` ones.
    pub(crate) fn begin_registration(
        &self,
        account: &Account,
        known: &[store::Passkey],
        name: String,
    ) -> Result<(Value, Registration), IdentityError> {
        let display = if account.name.is_empty() { &account.email } else { &account.name };
        let known = known.iter().map(|passkey| passkey.credential.clone()).collect();
        let (options, state) = self
            .0
            .start_passkey_registration(account.id.as_uuid(), &account.email, display, Some(known))
            .map_err(|error| failed(&error))?;
        let mut options = inner(&options)?;
        // So that nobody has to type who they are before they sign in with it.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok((options, Registration { name, state }))
    }

    /// The new passkey: the id that its device gave it, and what is kept of it.
    pub(crate) fn finish_registration(
        &self,
        answer: &RegisterPublicKeyCredential,
        registration: &Registration,
    ) -> Result<(Vec<u8>, Value), Refused> {
        let passkey = self
            .0
            .finish_passkey_registration(answer, &registration.state)
            .map_err(|error| refused(&error))?;
        let data = serde_json::to_value(&passkey).map_err(|_| Refused::Unproven)?;
        Ok((passkey.cred_id().clone(), data))
    }

    /// Begins a sign-in of whoever it may be.
    pub(crate) fn begin_sign_in(&self) -> Result<(Value, DiscoverableAuthentication), IdentityError> {
        let (options, state) = self.0.start_discoverable_authentication().map_err(|error| failed(&error))?;
        Ok((inner(&options)?, state))
    }

    /// Whose passkey an answer names, by itself and unproven, and which one.
    pub(crate) fn named<'a>(&self, answer: &'a PublicKeyCredential) -> Option<(AccountId, &'a [u8])> {
        let (account, credential) = self.0.identify_discoverable_authentication(answer).ok()?;
        Some((AccountId::from_uuid(account), credential))
    }

    /// Checks an answer with the passkey that it names. Gives what is to be kept of the passkey from now on.
    pub(crate) fn finish_sign_in(
        &self,
        answer: &PublicKeyCredential,
        state: DiscoverableAuthentication,
        kept: &Value,
    ) -> Result<Value, Refused> {
        let mut passkey: Passkey = Passkey::deserialize(kept).map_err(|error| {
            tracing::error!(%error, "what is kept of a passkey cannot be read");
            Refused::Unproven
        })?;
        let result: AuthenticationResult = self
            .0
            .finish_discoverable_authentication_v2(answer, state, &passkey)
            .map_err(|error| refused(&error))?;
        passkey.update_credential(&result);
        serde_json::to_value(&passkey).map_err(|_| Refused::Unproven)
    }
}

impl Identity {
    /// Keeps what was begun until the browser comes back: for this browser, once and for five minutes.
    pub(crate) async fn begin_ceremony(
        &self,
        visitor: &Visitor,
        (public_key, state): (Value, impl Serialize),
        next: &Next,
        account: Option<AccountId>,
    ) -> Result<Begun, IdentityError> {
        let now = self.clock.now();
        let browser = visitor.binding.mark();
        let plain = serde_json::to_vec(&(state, next.as_str())).map_err(|_| IdentityError::Task)?;
        let flow = UpstreamFlow {
            provider: PROVIDER.to_owned(),
            browser,
            // What the authenticator must repeat is in the state.
            nonce: "-".to_owned(),
            verifier: self.sealer.seal(Use::Passkey, &about(&browser, account), &plain)?,
            return_to: next.page().to_owned(),
            account,
            expires_at: now.plus(LIFE_MS),
        };
        let secret = self.store.begin_upstream(&flow, now).await?;
        Ok(Begun { ceremony: secret.text(), public_key })
    }

    /// Ends what was begun in this browser, for this account or for whoever it may be. Gives the state and the way on; none
    /// when it is over, was used or began elsewhere.
    pub(crate) async fn take_ceremony<T: DeserializeOwned>(
        &self,
        visitor: &Visitor,
        ceremony: &str,
        account: Option<AccountId>,
    ) -> Result<Option<(T, Next)>, IdentityError> {
        let browser = visitor.binding.mark();
        let taken = self.store.take_upstream(PROVIDER, ceremony, &browser, self.clock.now()).await?;
        let Some(flow) = taken.filter(|flow| flow.account == account) else { return Ok(None) };
        let plain = self.sealer.unseal(Use::Passkey, &about(&browser, account), &flow.verifier)?;
        let kept: Option<(T, String)> = serde_json::from_slice(&plain).ok();
        Ok(kept.map(|(state, next)| (state, Next::read(Some(&next)))))
    }
}

/// The options themselves, as a document: the library asks for the browser's own list of passkeys beside it, and the page
/// has a button.
fn inner(options: &impl Serialize) -> Result<Value, IdentityError> {
    let options = serde_json::to_value(options).map_err(|_| IdentityError::Task)?;
    options.get("publicKey").cloned().ok_or(IdentityError::Task)
}

fn failed(error: &WebauthnError) -> IdentityError {
    IdentityError::Passkey(error.to_string())
}

/// What exactly is wrong is for a developer; the person reads that it did not work.
fn refused(error: &WebauthnError) -> Refused {
    tracing::debug!(%error, "a passkey was refused");
    if matches!(error, WebauthnError::CredentialPossibleCompromise) {
        Refused::Copied
    } else {
        Refused::Unproven
    }
}

/// What a sealed state belongs to.
fn about(browser: &[u8; 32], account: Option<AccountId>) -> Vec<u8> {
    let account = account.map(|account| account.to_string()).unwrap_or_default();
    let mut about = browser.to_vec();
    about.extend_from_slice(account.as_bytes());
    about
}
