//! The key of a service account: it signs what its access tokens are asked for with (RFC 7523 section 2.1).

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::Timestamp;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use crate::error::VoiceError;
use crate::secret::Secret;

const SCOPE: &str = "https://www.googleapis.com/auth/homegraph";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long the assertion is good for, in seconds: the longest that Google takes.
const GOOD_S: i64 = 3_600;

/// A service account.
pub(super) struct ServiceAccount {
    email: String,
    key_id: String,
    key: RsaKeyPair,
    token_uri: String,
}

/// The file that the Google Cloud console makes.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    private_key: Secret,
    #[serde(default = "token_uri")]
    token_uri: String,
}

impl ServiceAccount {
    pub(super) fn open(path: &Path) -> Result<Self, VoiceError> {
        let failed = |reason: String| VoiceError::ServiceAccount { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        // The error of the parser would repeat what is in the file.
        let file: KeyFile = serde_json::from_str(&text)
            .map_err(|_| failed("it is no key of a service account".to_owned()))?;
        let key = key(file.private_key.expose()).ok_or_else(|| failed("it has no RSA key".to_owned()))?;
        Ok(Self { email: file.client_email, key_id: file.private_key_id, key, token_uri: file.token_uri })
    }

    /// What an access token is asked for with.
    pub(super) fn token_request(&self, now: Timestamp) -> Result<Request<Vec<u8>>, VoiceError> {
        let failed = |_| VoiceError::Config("the service account does not sign".to_owned());
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now.second(),
            "exp": now.second() + GOOD_S,
        });
        let mut assertion = URL_SAFE_NO_PAD.encode(header.to_string());
        assertion.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut assertion);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature)
            .map_err(failed)?;
        assertion.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut assertion);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", GRANT_TYPE), ("assertion", &assertion)])
            .finish();
        Request::post(&self.token_uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(|error| VoiceError::Config(error.to_string()))
    }
}

/// The key of a PEM text (RFC 7468 section 10).
fn key(pem: &str) -> Option<RsaKeyPair> {
    let body = pem.split("-----BEGIN PRIVATE KEY-----").nth(1)?.split("-----END PRIVATE KEY-----").next()?;
    let body: String = body.split_whitespace().collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(body).ok()?).ok()
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}
