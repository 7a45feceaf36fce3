//! What this server can do, for clients to find out: RFC 8414 and `OpenID` Connect Discovery 1.0.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use store::{Algorithm, GrantType};

use super::error::Refusal;
use super::scope::IdentityScope;
use crate::Identity;

/// Whoever caches the key set for a day has a new key before it signs.
const CACHED: (HeaderName, HeaderValue) = (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));

/// `GET /.well-known/oauth-authorization-server` and `GET /.well-known/openid-configuration`: one document for both, as
/// RFC 8414 section 5 allows.
pub(crate) async fn metadata(State(identity): State<Arc<Identity>>) -> Response {
    ([CACHED], Json(document(&identity))).into_response()
}

/// `GET /oauth/jwks`: the public halves of the signing keys (RFC 7517 section 5).
pub(crate) async fn jwks(State(identity): State<Arc<Identity>>) -> Result<Response, Refusal> {
    let keys = identity.keyring.public(identity.clock.now()).await?;
    Ok(([CACHED], Json(keys)).into_response())
}

fn document(identity: &Identity) -> Value {
    let at = |path| identity.issuer.at(path);
    let algorithms: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    let grants: Vec<&str> = GrantType::ALL.iter().map(|grant| grant.as_str()).collect();
    let methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    json!({
        "issuer": identity.issuer.as_str(),
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "jwks_uri": at("/oauth/jwks"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "introspection_endpoint": at("/oauth/introspect"),
        "revocation_endpoint": at("/oauth/revoke"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "end_session_endpoint": at("/oauth/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "scopes_supported": IdentityScope::ALL.map(IdentityScope::as_str),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        // Only a client with a secret may ask what a token is worth.
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "sid", "name", "locale", "email",
            "email_verified",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["en"],
    })
}
