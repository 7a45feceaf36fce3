//! Sending a browser to a provider, and exchanging the code that it comes back with (RFC 6749 section 4.1, RFC 7636).

use std::fmt;
use std::pin::Pin;

use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _,
    TokenUrl,
};
use protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Endpoints, Failure, Provider, Somebody, id_token};
use crate::config::ProviderKind;
use crate::error::IdentityError;
use crate::outbound::{Outbound, Reply};

/// What a sign-in began with: what the provider has to repeat, and what only this server knows.
pub(crate) struct Begun {
    /// What the ID token repeats.
    pub(crate) nonce: String,
    /// The PKCE verifier.
    pub(crate) verifier: String,
}

/// What comes beside an access token.
#[derive(Serialize, Deserialize)]
struct Beside {
    id_token: Option<String>,
}

/// It stays out of logs.
impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").finish_non_exhaustive()
    }
}

impl ExtraTokenFields for Beside {}

type Tokens = StandardTokenResponse<Beside, BasicTokenType>;

type ProviderClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Provider {
    /// Where the browser goes. With `again` the person is to be asked who they are, whatever the provider remembers.
    pub(crate) async fn authorize_url(
        &self,
        outbound: &Outbound,
        state: String,
        begun: &Begun,
        again: bool,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let client = self.client(&self.endpoints(outbound, now).await?)?;
        let verifier = PkceCodeVerifier::new(begun.verifier.clone());
        let mut request = client
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if self.kind.is_openid() {
            request = request.add_extra_param("nonce", &begun.nonce);
        }
        if again {
            request = match self.kind {
                // Google knows no `login`.
                ProviderKind::Google => request.add_extra_param("prompt", "select_account"),
                ProviderKind::Oidc => request.add_extra_param("prompt", "login"),
                ProviderKind::Facebook => request.add_extra_param("auth_type", "reauthenticate"),
                ProviderKind::Amazon => request,
            };
            // Which has it say when that was, too (OpenID Connect Core section 3.1.2.1).
            if self.kind.is_openid() {
                request = request.add_extra_param("max_age", "0");
            }
        }
        Ok(request.url().0.to_string())
    }

    /// Exchanges a code and learns who it was made for.
    pub(crate) async fn somebody(
        &self,
        outbound: &Outbound,
        code: &str,
        begun: Begun,
        now: Timestamp,
    ) -> Result<Somebody, Failure> {
        let endpoints = self.endpoints(outbound, now).await?;
        let client = self.client(&endpoints)?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier))
            .request_async(outbound)
            .await
            .map_err(|error| refused(&error))?;
        if !self.kind.is_openid() {
            return self.ask_profile(outbound, &endpoints, tokens.access_token()).await;
        }
        let token = tokens.extra_fields().id_token.as_deref();
        let token = token.ok_or(Failure::Exchange("no ID token came with it"))?;
        let claims = self.check_id_token(outbound, token, &begun.nonce, now).await?;
        let is_fresh = claims.is_fresh(now);
        let somebody = if claims.email.is_some() || endpoints.userinfo.is_none() {
            Somebody::of(claims.sub, claims.email, claims.email_verified == true, claims.name)?
        } else {
            self.ask_userinfo(outbound, &endpoints, tokens.access_token(), claims).await?
        };
        Ok(Somebody { is_fresh, ..somebody })
    }

    async fn check_id_token(
        &self,
        outbound: &Outbound,
        token: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<id_token::Claims, Failure> {
        let header = id_token::read_header(token)?;
        let wanted = |key: &_| id_token::may_have_signed(key, &header);
        let keys = self.discovery.keys(outbound, &self.issuer, wanted, now).await?;
        let expected = id_token::Expected { issuer: &self.issuer, client_id: &self.client_id, nonce, now };
        id_token::verify(&keys, &header, token, &expected)
    }

    fn client(&self, endpoints: &Endpoints) -> Result<ProviderClient, Failure> {
        let wrong = |_| Failure::Metadata("it has an address that is none");
        let how = if endpoints.is_basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        Ok(Client::new(self.client_id.clone())
            .set_client_secret(self.secret.clone())
            .set_auth_type(how)
            .set_auth_uri(AuthUrl::new(endpoints.authorize.clone()).map_err(wrong)?)
            .set_token_uri(TokenUrl::new(endpoints.token.clone()).map_err(wrong)?)
            .set_redirect_uri(RedirectUrl::new(self.redirect_uri.clone()).map_err(wrong)?))
    }

    /// The secret, for what is signed with it.
    pub(super) fn secret(&self) -> &[u8] {
        self.secret.secret().as_bytes()
    }
}

/// The library asks by our own way out, which keeps to public addresses and follows no redirect.
impl<'c> AsyncHttpClient<'c> for Outbound {
    type Error = IdentityError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, IdentityError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.send(request).await.map(HttpResponse::from) })
    }
}

impl From<Reply> for HttpResponse {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body.to_vec());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

/// The text of a token, for the one place that shows it.
pub(super) fn text(token: &AccessToken) -> &str {
    token.secret()
}

/// Why a code was not exchanged, in words of ours: the provider's own may be anything.
fn refused(error: &RequestTokenError<IdentityError, BasicErrorResponse>) -> Failure {
    match error {
        RequestTokenError::Request(error) => Failure::Unreachable(error.to_string()),
        RequestTokenError::ServerResponse(answer) => Failure::Exchange(match answer.error() {
            BasicErrorResponseType::InvalidClient => "the provider does not take the client's id and secret",
            BasicErrorResponseType::InvalidGrant => "the provider does not take the code",
            BasicErrorResponseType::UnauthorizedClient => "the client may not do this at the provider",
            _ => "the provider refused the request",
        }),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Failure::Exchange("the provider's answer cannot be read")
        }
    }
}
