//! Other people's providers, written from the specifications, which do as the test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use identity::{ProviderConfig, ProviderKind};
use serde_json::{Value, json};

use crate::world::{ISSUER, World, encoded};

pub(crate) const CLIENT: &str = "promenade-client";
/// With characters that have to be encoded.
pub(crate) const SECRET: &str = "s3cret+of/the=client";

/// A provider on a port of its own: of `OpenID` Connect at its root, and like Facebook and Amazon below paths.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) shared: Arc<Mutex<Shared>>,
}

/// What the provider is told by the test, and what it has seen.
pub(crate) struct Shared {
    pub(crate) key: EcdsaKeyPair,
    pub(crate) metadata: Value,
    pub(crate) jwks: Value,
    /// What the person's page says, below `/me`, `/user/profile` and `/userinfo`.
    pub(crate) profile: Value,
    /// Makes the ID token of a header and claims instead of the usual signature.
    pub(crate) forge: Option<Forge>,
    /// Sends whoever asks for metadata to another place.
    pub(crate) redirects: Option<String>,
    codes: HashMap<String, Approved>,
    /// The paths that were asked for.
    pub(crate) asked: Vec<String>,
}

type Forge = Box<dyn Fn(&EcdsaKeyPair, Value, Value) -> String + Send>;

/// What a person agreed to.
struct Approved {
    claims: Value,
    challenge: String,
    redirect_uri: String,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "authorization_response_iss_parameter_supported": true,
        });
        let shared = Shared {
            jwks: json!({"keys": [public(&key, "k1"), {"kty": "odd", "kid": "k0"}]}),
            key,
            metadata,
            profile: json!({}),
            forge: None,
            redirects: None,
            codes: HashMap::new(),
            asked: Vec::new(),
        };
        let shared = Arc::new(Mutex::new(shared));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, shared }
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// The section of the configuration that names it as a provider of `OpenID` Connect.
    pub(crate) fn oidc(&self, id: &str) -> ProviderConfig {
        ProviderConfig { issuer: Some(self.issuer.clone()), ..config(id, ProviderKind::Oidc) }
    }

    /// The same for a kind without metadata.
    pub(crate) fn plain(&self, id: &str, kind: ProviderKind) -> ProviderConfig {
        let at = |path: &str| Some(format!("{}{path}", self.issuer));
        let userinfo = match kind {
            ProviderKind::Facebook => at("/me?fields=id,name,email"),
            _ => at("/user/profile"),
        };
        ProviderConfig { authorize: at("/authorize"), token: at("/token"), userinfo, ..config(id, kind) }
    }

    /// The person agrees to what the browser was sent with. Gives the query that it comes back with.
    pub(crate) fn approve(&self, world: &World, location: &str, more: &Value) -> String {
        let asked = parameters(location);
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer)), "{location}");
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        let second = world.now().second();
        let mut claims = json!({
            "iss": self.issuer, "sub": "ann", "aud": CLIENT, "iat": second, "exp": second + 300,
            "nonce": asked.get("nonce"), "email": "ann@example.com", "email_verified": true, "name": "Ann",
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut shared = self.shared();
        let code = format!("code-{}", shared.codes.len());
        let approved = Approved {
            claims,
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
        };
        shared.codes.insert(code.clone(), approved);
        encoded(&[("code", &code), ("state", &asked["state"]), ("iss", &self.issuer)])
    }

    pub(crate) fn times_asked(&self, path: &str) -> usize {
        self.shared().asked.iter().filter(|asked| *asked == path).count()
    }
}

/// The parameters of an address.
pub(crate) fn parameters(location: &str) -> HashMap<String, String> {
    let (_, query) = location.split_once('?').unwrap();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn config(id: &str, kind: ProviderKind) -> ProviderConfig {
    ProviderConfig {
        id: id.to_owned(),
        name: format!("The <{id}>"),
        kind,
        issuer: None,
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.to_owned()),
        client_secret_file: None,
        scopes: Vec::new(),
        authorize: None,
        token: None,
        userinfo: None,
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    let mut shared = shared.lock().unwrap();
    let path = parts.uri.path().to_owned();
    shared.asked.push(path.clone());
    let authorization =
        parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    match path.as_str() {
        "/.well-known/openid-configuration" => match &shared.redirects {
            Some(to) => (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response(),
            None => Json(shared.metadata.clone()).into_response(),
        },
        "/jwks" => Json(shared.jwks.clone()).into_response(),
        "/token" => shared.exchange(authorization.as_deref(), &body),
        "/me" | "/user/profile" | "/userinfo" => {
            let token = authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
            if token != Some("upstream-access-token") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let query = parts.uri.query().unwrap_or_default();
            if path == "/me" && !(query.contains("fields=id") && query.contains("appsecret_proof=")) {
                return StatusCode::BAD_REQUEST.into_response();
            }
            Json(shared.profile.clone()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Shared {
    /// RFC 6749 section 4.1.3.
    fn exchange(&mut self, authorization: Option<&str>, body: &[u8]) -> Response {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        let refused = |error: &str| {
            let odd = "<script>provider text</script>";
            (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": odd}))).into_response()
        };
        let url_encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = STANDARD.encode(format!("{}:{}", url_encoded(CLIENT), url_encoded(SECRET)));
        let in_form = form.get("client_secret").is_some_and(|secret| secret == SECRET);
        if authorization != Some(&format!("Basic {basic}")) && !in_form {
            return refused("invalid_client");
        }
        let Some(approved) = form.get("code").and_then(|code| self.codes.remove(code)) else {
            return refused("invalid_grant");
        };
        let verifier = form.get("code_verifier").map(String::as_bytes).unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier));
        if challenge != approved.challenge || form.get("redirect_uri") != Some(&approved.redirect_uri) {
            return refused("invalid_grant");
        }
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"});
        let id_token = match &self.forge {
            Some(forge) => forge(&self.key, header, approved.claims),
            None => signed(&self.key, &header, &approved.claims),
        };
        let answer = json!({
            "access_token": "upstream-access-token", "token_type": "Bearer", "expires_in": 60,
            "refresh_token": "upstream-refresh-token", "id_token": id_token,
        });
        Json(answer).into_response()
    }
}

/// A JWS (RFC 7515) by ES256.
pub(crate) fn signed(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// The first two parts of a JWS.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// The public half of a key (RFC 7518 section 6.2).
pub(crate) fn public(key: &EcdsaKeyPair, kid: &str) -> Value {
    let point = key.public_key().as_ref();
    let (x, y) = point[1..].split_at(32);
    json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        "kid": kid, "alg": "ES256", "use": "sig"})
}

/// The path of the answer of a provider.
pub(crate) fn callback(id: &str, query: &str) -> String {
    format!("/identity/providers/{id}/callback?{query}")
}

/// The address that a provider sends browsers back to.
pub(crate) fn redirect_uri(id: &str) -> String {
    format!("{ISSUER}/identity/providers/{id}/callback")
}
