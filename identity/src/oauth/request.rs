//! What a client asks a person for (RFC 6749 section 4.1.1, `OpenID` Connect Core section 3.1.2.1).

use protocol::ClientId;
use serde::{Deserialize, Serialize};
use store::{Client, ClientKind, GrantType};

use super::client::may_use;
use super::error::{ErrorCode, Refusal};
use super::parameter::Parameters;
use super::scope::Scopes;
use super::{pkce, resource};
use crate::issuer::Issuer;

/// The longest `state` and `nonce`.
const MAX_CHARACTERS: usize = 2_000;

/// A request that was found to be in order: everything that the answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: ClientId,
    pub(crate) redirect_uri: String,
    /// What is asked for, in our own spelling.
    pub(crate) scopes: String,
    /// For which API.
    pub(crate) resource: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    /// The PKCE challenge of method S256.
    pub(crate) challenge: Option<String>,
}

/// What a request says about asking the person (`OpenID` Connect Core section 3.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Prompt {
    words: Vec<Ask>,
    /// How old the sign-in may be, in seconds.
    pub(crate) max_age: Option<i64>,
}

/// A value of `prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing may be asked.
    None,
    /// To sign in again.
    Login,
    /// To agree again.
    Consent,
    /// Who it is.
    SelectAccount,
}

impl AuthorizationRequest {
    /// Reads a request of a client that may be answered at `redirect_uri`: whatever is wrong is told there.
    pub(crate) fn read(
        issuer: &Issuer,
        client: &Client,
        redirect_uri: &str,
        parameters: &Parameters,
    ) -> Result<(Self, Prompt), Refusal> {
        use ErrorCode::{
            RegistrationNotSupported, RequestNotSupported, RequestUriNotSupported, UnsupportedResponseType,
        };
        if parameters.iter().any(|(name, _)| parameters.repeats(name)) {
            return Err(Refusal::invalid_request("a parameter is given more than once"));
        }
        for (name, code) in [
            ("request", RequestNotSupported),
            ("request_uri", RequestUriNotSupported),
            ("registration", RegistrationNotSupported),
        ] {
            if parameters.get(name).is_some() {
                return Err(Refusal::new(code, "this parameter is not supported"));
            }
        }
        if parameters.require("response_type", "`response_type` is missing")? != "code" {
            return Err(Refusal::new(UnsupportedResponseType, "only `code` is supported"));
        }
        may_use(client, GrantType::AuthorizationCode)?;
        if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(Refusal::invalid_request("only the response mode `query` is supported"));
        }
        let scopes = requested_scopes(client, parameters.get("scope"))?;
        let audience = resource::asked(issuer, client, parameters.get("resource"))?;
        let challenge = challenge(client.kind, parameters)?;
        let [state, nonce] = ["state", "nonce"].map(|name| parameters.get(name).map(str::to_owned));
        if [&state, &nonce].into_iter().flatten().any(|text| text.chars().count() > MAX_CHARACTERS) {
            return Err(Refusal::invalid_request("`state` or `nonce` is too long"));
        }
        let request = Self {
            client: client.id,
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.to_string(),
            resource: issuer.resource(audience),
            state,
            nonce,
            challenge,
        };
        Ok((request, Prompt::read(parameters)?))
    }
}

impl Prompt {
    pub(crate) fn asks(&self, word: Ask) -> bool {
        self.words.contains(&word)
    }

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let words = parameters.get("prompt").unwrap_or_default();
        let words = words.split(' ').filter(|word| !word.is_empty()).map(|word| match word {
            "none" => Ok(Ask::None),
            "login" => Ok(Ask::Login),
            "consent" => Ok(Ask::Consent),
            "select_account" => Ok(Ask::SelectAccount),
            _ => Err(Refusal::invalid_request("`prompt` has a value that is not supported")),
        });
        let words = words.collect::<Result<Vec<Ask>, _>>()?;
        if words.contains(&Ask::None) && words.iter().any(|word| *word != Ask::None) {
            return Err(Refusal::invalid_request("`prompt` is `none` and something else"));
        }
        let seconds = parameters.get("max_age").map(|text| text.parse::<u32>().map(i64::from)).transpose();
        let max_age = seconds.map_err(|_| Refusal::invalid_request("`max_age` is no number of seconds"))?;
        Ok(Self { words, max_age })
    }
}

/// What a client asks for: what it was registered for, or a part of it. One that asks for more is refused and not given
/// less, so that its developer notices.
pub(crate) fn requested_scopes(client: &Client, asked: Option<&str>) -> Result<Scopes, Refusal> {
    let wrong = Refusal::new(ErrorCode::InvalidScope, "a scope is unknown or not registered for the client");
    let registered = Scopes::of(client.settings.scopes.iter().map(String::as_str));
    let registered = registered.map_err(|_| wrong.clone())?;
    let scopes = match asked {
        // Google and Amazon may be set up to name none (RFC 6749 section 3.3).
        None => registered.clone(),
        Some(asked) => Scopes::parse(asked).map_err(|_| wrong.clone())?,
    };
    if scopes.is_empty() || !registered.covers(&scopes) { Err(wrong) } else { Ok(scopes) }
}

/// The challenge (RFC 7636 section 4.3): of a client without a secret always, of others when they bring one.
fn challenge(kind: ClientKind, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (None, None) if kind == ClientKind::Public => {
            Err(Refusal::invalid_request("`code_challenge` is missing: this client must use PKCE"))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(Refusal::invalid_request("`code_challenge_method` is there and its challenge is not"))
        }
        // Without a method it would be `plain`.
        (Some(challenge), Some("S256")) if pkce::is_challenge(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => {
            Err(Refusal::invalid_request("`code_challenge` is no SHA-256 as base64url"))
        }
        (Some(_), _) => Err(Refusal::invalid_request("`code_challenge_method` must be S256")),
    }
}
