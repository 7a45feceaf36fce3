//! Which client a request comes from (RFC 6749 section 2.3).

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::ClientId;
use store::{Client, GrantType};

use super::error::{ErrorCode, Refusal};
use super::parameter::Parameters;
use crate::Identity;

/// A request of a client that showed who it is. As an argument of a handler it is the check itself.
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) client: Client,
    /// For what.
    pub(crate) parameters: Parameters,
}

/// How a client says who it is: exactly one of these (RFC 6749 section 2.3).
enum Credentials {
    Basic(String, String),
    Post(String, String),
    None(String),
}

impl FromRequest<Arc<Identity>> for Asked {
    type Rejection = Refusal;

    async fn from_request(request: Request, identity: &Arc<Identity>) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let parameters = Parameters::from_request(request, identity).await?;
        let client = authenticate(identity, credentials(&headers, &parameters)?).await?;
        Ok(Self { client, parameters })
    }
}

impl Asked {
    /// Refuses a client that was not registered for this way to tokens.
    pub(crate) fn may_use(&self, grant: GrantType) -> Result<(), Refusal> {
        may_use(&self.client, grant)
    }
}

/// See [`Asked::may_use`].
pub(crate) fn may_use(client: &Client, grant: GrantType) -> Result<(), Refusal> {
    if client.settings.grants.contains(&grant) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::UnauthorizedClient, "the client is not registered for this grant type"))
}

async fn authenticate(identity: &Identity, credentials: Credentials) -> Result<Client, Refusal> {
    let is_basic = matches!(credentials, Credentials::Basic(..));
    let (id, secret) = match &credentials {
        Credentials::Basic(id, secret) | Credentials::Post(id, secret) => (id, Some(secret.as_str())),
        Credentials::None(id) => (id, None),
    };
    let client = match id.parse::<ClientId>() {
        Ok(id) => identity.clients.sign_in(&identity.store, id, secret, identity.clock.now()).await?,
        Err(_) => None,
    };
    client.ok_or(Refusal::invalid_client(is_basic))
}

fn credentials(headers: &HeaderMap, parameters: &Parameters) -> Result<Credentials, Refusal> {
    let (id, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
    if parameters.get("client_assertion").is_some() {
        return Err(Refusal::invalid_client(false));
    }
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let Some(authorization) = authorizations.next() else {
        return match (id, secret) {
            (Some(id), Some(secret)) => Ok(Credentials::Post(id.to_owned(), secret.to_owned())),
            (Some(id), None) => Ok(Credentials::None(id.to_owned())),
            (None, _) => Err(Refusal::invalid_client(false)),
        };
    };
    if authorizations.next().is_some() || secret.is_some() {
        return Err(Refusal::invalid_request("the client authenticates in more than one way"));
    }
    let (basic_id, basic_secret) =
        authorization.to_str().ok().and_then(read_basic).ok_or(Refusal::invalid_client(true))?;
    if id.is_some_and(|id| id != basic_id) {
        return Err(Refusal::invalid_request("`client_id` is not the client that authenticates"));
    }
    Ok(Credentials::Basic(basic_id, basic_secret))
}

/// The id and the secret of HTTP Basic (RFC 7617), each form-encoded within (RFC 6749 section 2.3.1).
fn read_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    // What would end the value can only be there unencoded.
    if text.contains(['&', '=']) {
        return None;
    }
    let (value, _) = url::form_urlencoded::parse(text.as_bytes()).next().unwrap_or_default();
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_form_encoded_within() {
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let read = |text: &str| read_basic(&header(text));
        assert_eq!(read("a:b"), Some(("a".to_owned(), "b".to_owned())));
        assert_eq!(read("a%3Ab:c+d"), Some(("a:b".to_owned(), "c d".to_owned())));
        assert_eq!(read("a"), None);
        assert_eq!(read("a&b:c"), None);
        assert_eq!(read_basic("Bearer abc"), None);
        assert_eq!(read_basic("Basic !"), None);
    }
}
