//! A server, its database, and what clients and browsers do with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use identity::{Config, Identity, IdentityMetrics, MailConfig, Parts, SignUp, rotate_signing_keys, router};
use prometheus_client::registry::Registry;
use protocol::{ClientId, OrganizationId, Timestamp};
use serde_json::Value;
use store::{
    Account, Algorithm, BuiltInRole, Client, ClientKind, ClientSettings, Clock, GrantType, Live, NewAccount,
    Role, Store,
};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// 2026-03-02T12:00:00Z, a Monday.
pub(crate) const NOW: i64 = 1_772_452_800_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const REDIRECT: &str = "https://app.example/cb";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server with an organization in it.
pub(crate) struct World {
    pub(crate) identity: Arc<Identity>,
    pub(crate) store: Store,
    pub(crate) organization: OrganizationId,
    pub(crate) live: Live,
    registry: Registry,
    clock: Clock,
    router: Router,
    folder: TempDir,
}

/// A client as its developer knows it.
pub(crate) struct App {
    pub(crate) id: ClientId,
    pub(crate) secret: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose settings were changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("promenade.db").display());
        let store = Store::open(&url).await.unwrap();
        let organization = store.default_organization(Timestamp(NOW)).await.unwrap().id;
        let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
        let mut config = Config {
            issuer: Some(ISSUER.to_owned()),
            sign_up: SignUp::Open,
            mail: MailConfig { folder: Some(folder.path().join("mail")), ..MailConfig::default() },
            ..Config::default()
        };
        change(&mut config);
        let live = Live::memory();
        let mut registry = Registry::default();
        let parts = Parts {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            config,
            data: folder.path().to_owned(),
            http: "127.0.0.1:1".parse().unwrap(),
            metrics: IdentityMetrics::register(&mut registry),
        };
        let identity = Identity::open(parts).await.unwrap();
        let router = router(Arc::clone(&identity));
        Self { identity, store, organization, live, registry, clock, router, folder }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How often requests were refused for a cause.
    pub(crate) fn refusals(&self, cause: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let start = format!("promenade_identity_refusals_total{{cause=\"{cause}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&start));
        count.map_or(0, |count| count.parse().unwrap())
    }

    /// Lets new signing keys sign, as `promenade rotate-keys` does beside the server, and the server read them.
    pub(crate) async fn rotate_keys(&self) -> usize {
        let config = Config::default();
        let rotated = rotate_signing_keys(&self.store, &config, self.folder.path(), self.now()).await;
        self.identity.maintain().await;
        rotated.unwrap()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: i64) {
        let Clock::Manual(hand) = &self.clock else { unreachable!("tests turn the clock") };
        hand.fetch_add(ms, Ordering::SeqCst);
    }

    /// An account with a verified address and the usual password.
    pub(crate) async fn account(&self, email: &str) -> Account {
        let new = NewAccount {
            email: email.to_owned(),
            email_verified: true,
            name: "Ann".to_owned(),
            locale: None,
            password: Some(weak_hash()),
        };
        self.store.create_account(&new, self.now()).await.unwrap()
    }

    /// An account that is a member.
    pub(crate) async fn member(&self, email: &str, role: BuiltInRole) -> Account {
        let account = self.account(email).await;
        self.store.add_member(self.organization, account.id, Role::BuiltIn(role), self.now()).await.unwrap();
        account
    }

    /// A client that may do everything its kind may.
    pub(crate) async fn app(&self, kind: ClientKind) -> App {
        self.app_with(kind, |_| {}).await
    }

    pub(crate) async fn app_with(&self, kind: ClientKind, change: impl FnOnce(&mut ClientSettings)) -> App {
        let mut grants = vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
        if kind != ClientKind::Public {
            grants.push(GrantType::ClientCredentials);
        }
        let scopes =
            ["openid", "email", "profile", "offline_access", "venues:read", "devices:read", "commands:write"];
        let mut settings = ClientSettings {
            name: "Lamp <app>".to_owned(),
            logo: None,
            party: None,
            redirect_uris: vec![REDIRECT.to_owned()],
            post_logout_uris: vec!["https://app.example/bye".to_owned()],
            backchannel_logout_uri: None,
            scopes: scopes.map(str::to_owned).to_vec(),
            grants,
            resources: vec![],
            id_token_algorithm: Algorithm::Rs256,
        };
        change(&mut settings);
        let (Client { id, .. }, secret) =
            self.store.create_client(self.organization, kind, &settings, self.now()).await.unwrap();
        App { id, secret: secret.map(|secret| secret.text()) }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 50_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts a form, perhaps with an `Authorization` header.
    pub(crate) async fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Answer {
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(encoded(form))).unwrap()).await
    }

    /// Asks an endpoint in the name of a client, as its kind authenticates.
    pub(crate) async fn ask(&self, path: &str, app: &App, form: &[(&str, &str)]) -> Answer {
        if app.secret.is_some() {
            return self.post(path, form, Some(&app.basic())).await;
        }
        let id = app.id.to_string();
        let form: Vec<_> = form.iter().copied().chain([("client_id", id.as_str())]).collect();
        self.post(path, &form, None).await
    }

    pub(crate) async fn token(&self, app: &App, form: &[(&str, &str)]) -> Answer {
        self.ask("/oauth/token", app, form).await
    }

    /// Exchanges a code with the usual verifier.
    pub(crate) async fn exchange(&self, app: &App, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(app, &form).await
    }

    pub(crate) async fn refresh(&self, app: &App, token: &str) -> Answer {
        self.token(app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// What `/oauth/userinfo` says to whoever shows a token.
    pub(crate) async fn userinfo(&self, token: &str) -> Answer {
        let request =
            Request::get("/oauth/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// The texts of the mails that were sent to an address, each whole.
    pub(crate) async fn mails(&self, to: &str) -> Vec<String> {
        self.identity.settled().await;
        let folder = self.folder.path().join("mail");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = files.filter(|path| path.extension().is_some_and(|end| end == "eml"));
        // Quoted-printable (RFC 2045 section 6.7), since a link is longer than a line of mail.
        let texts =
            texts.map(|path| std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=3D", "="));
        texts.filter(|text| text.lines().any(|line| line == format!("To: {to}"))).collect()
    }

    /// The path of the link in the only mail to an address that has this text in it.
    pub(crate) async fn link(&self, to: &str, path: &str) -> String {
        let mails = self.mails(to).await;
        let start = format!("{ISSUER}{path}?token=");
        let links = mails.iter().filter_map(|text| text.lines().find(|line| line.starts_with(&start)));
        let links: Vec<_> = links.collect();
        assert_eq!(links.len(), 1, "{mails:#?}");
        links[0].strip_prefix(ISSUER).unwrap().trim_end().to_owned()
    }
}

impl App {
    /// HTTP Basic (RFC 6749 section 2.3.1).
    pub(crate) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.id, self.secret.as_deref().unwrap_or_default());
        format!("Basic {}", STANDARD.encode(pair))
    }

    /// The address that the client sends a browser to: the usual request with some of it changed. A value of none leaves
    /// the parameter out.
    pub(crate) fn authorize(&self, changes: &[(&str, Option<&str>)]) -> String {
        let id = self.id.to_string();
        let usual = [
            ("response_type", "code"),
            ("client_id", id.as_str()),
            ("redirect_uri", REDIRECT),
            ("scope", "openid email venues:read"),
            ("state", "st&te"),
            ("nonce", "n-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let instead = |name: &str| changes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let mut query: Vec<(&str, &str)> = Vec::new();
        for (name, value) in usual {
            query.extend(instead(name).unwrap_or(Some(value)).map(|value| (name, value)));
        }
        for (name, value) in changes.iter().filter(|(name, _)| !usual.iter().any(|(known, _)| known == name))
        {
            query.extend(value.map(|value| (*name, value)));
        }
        format!("/oauth/authorize?{}", encoded(&query))
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A text of a JSON answer.
    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        self.header(header::LOCATION)
    }

    /// A parameter of the address that a redirect leads to.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// Refused at the token endpoint, and as such a refusal must look (RFC 6749 section 5.2).
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!((self.status.as_u16(), self.field("error").as_str()), (status, error), "{self:?}");
        assert_eq!(self.header(header::CACHE_CONTROL), "no-store");
    }

    #[track_caller]
    pub(crate) fn assert_ok(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
    }
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The usual password, hashed with the least effort there is.
fn weak_hash() -> String {
    use argon2::password_hash::PasswordHasher as _;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string()
}
