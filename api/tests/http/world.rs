//! A server to talk to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use api::authority::Authority;
use api::{App, Config, HttpMetrics, PingLog, PingLogError, TrustedProxies};
use axum::body::Bytes;
use identity::{Identity, IdentityMetrics, MailConfig};
use prometheus_client::registry::Registry;
use protocol::{AccountId, Batch, DeviceId, GrantId, OrganizationId, Receipt, Refused, Timestamp};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use store::{BuiltInRole, Clock, Live, NewAccount, NewGrant, Orders, Role, ScopeSet, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use voice::{Voice, VoiceMetrics};

/// 2026-03-02T12:00:00Z, a Monday.
pub(crate) const NOW: i64 = 1_772_452_800_000;
pub(crate) const HOUR: i64 = 3_600_000;

/// A server, its database, and a client that signs in with a key of every scope.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) organization: OrganizationId,
    pub(crate) key: String,
    address: String,
    client: Client,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
    directory: TempDir,
}

/// Stands for the broker: takes what can be read.
async fn take(_: DeviceId, body: Bytes, content_type: Option<String>) -> Result<Receipt, PingLogError> {
    Ok(match Batch::decode(&body, content_type.as_deref()) {
        Ok(decoded) => {
            let Batch { boot, seq, .. } = decoded.batch;
            Receipt { boot: Some(boot), through: Some(seq), refused: vec![] }
        }
        Err(error) => {
            Receipt { boot: None, through: None, refused: vec![Refused::Whole { reason: error.reason() }] }
        }
    })
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn new() -> World {
        // Live streams look after themselves often, so that no test waits for it.
        World::with(Config { heartbeat: Duration::from_millis(20), ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> World {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("promenade.db").display());
        World::at(config, &url, directory).await
    }

    /// A server on a database that is new.
    pub(crate) async fn at(config: Config, url: &str, directory: TempDir) -> World {
        World::start(config, identity::Config::default(), url, directory).await
    }

    /// A server that writes its mail into the folder `mail` of its directory.
    pub(crate) async fn with_mail() -> World {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("promenade.db").display());
        let folder = directory.path().join("mail");
        std::fs::create_dir(&folder).unwrap();
        let mail = MailConfig { folder: Some(folder), ..MailConfig::default() };
        let people = identity::Config { mail, ..identity::Config::default() };
        World::start(Config::default(), people, &url, directory).await
    }

    async fn start(config: Config, people: identity::Config, url: &str, directory: TempDir) -> World {
        let store = Store::open(url).await.unwrap();
        let organization = store.default_organization(Timestamp(NOW)).await.unwrap().id;
        let scopes: ScopeSet = "*".parse().unwrap();
        let (_, secret) =
            store.create_key(organization, "test", &scopes, None, Timestamp(NOW)).await.unwrap();
        let mut registry = Registry::default();
        let metrics = HttpMetrics::register(&mut registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (live, clock) = (Live::memory(), Clock::Manual(Arc::new(AtomicI64::new(NOW))));
        let identity = Identity::open(identity::Parts {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            config: people,
            data: directory.path().to_owned(),
            http: listener.local_addr().unwrap(),
            metrics: IdentityMetrics::register(&mut registry),
        });
        let identity = identity.await.unwrap();
        let (orders, _writing) = Orders::start(store.clone(), live.clone(), clock.clone());
        let voice = Voice::open(voice::Parts {
            store: store.clone(),
            live: live.clone(),
            orders: orders.clone(),
            clock: clock.clone(),
            identity: Arc::clone(&identity),
            config: voice::Config::default(),
            pace: voice::Pace::default(),
            metrics: VoiceMetrics::register(&mut registry),
        });
        let voice = voice.unwrap();
        let app = Arc::new(App {
            store,
            live,
            orders,
            clock,
            identity: Arc::clone(&identity),
            voice,
            authority: directory.path().join("ca"),
            pings: PingLog::new(take),
            // Whoever runs the tests may be the proxy of whoever they like.
            proxies: serde_json::from_value::<TrustedProxies>(serde_json::json!(["127.0.0.1"])).unwrap(),
            registry: Arc::new(registry),
            metrics,
            config,
        });
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(api::run(Arc::clone(&app), listener, shutdown.clone()));
        let (key, client) = (secret.text(), Client::new());
        World { app, organization, key, address, client, shutdown, server, directory }
    }

    /// Turns the clock.
    pub(crate) fn set_time(&self, ms: i64) {
        let Clock::Manual(hand) = &self.app.clock else { unreachable!("tests set the time") };
        hand.store(ms, Ordering::SeqCst);
    }

    /// A key of this world's organization.
    pub(crate) async fn key_with(&self, scopes: &str) -> String {
        self.key_of(self.organization, scopes).await
    }

    /// A key of another organization with every scope.
    pub(crate) async fn foreign_key(&self) -> String {
        let other = self.app.store.create_organization("Other", Timestamp(NOW)).await.unwrap();
        self.key_of(other.id, "*").await
    }

    async fn key_of(&self, organization: OrganizationId, scopes: &str) -> String {
        let scopes: ScopeSet = scopes.parse().unwrap();
        let key = self.app.store.create_key(organization, "test", &scopes, None, Timestamp(NOW)).await;
        key.unwrap().1.text()
    }

    /// A member of this world's organization.
    pub(crate) async fn person(&self, name: &str, role: BuiltInRole) -> AccountId {
        let account = self.account(name).await;
        let (store, now) = (&self.app.store, self.app.clock.now());
        store.add_member(self.organization, account, Role::BuiltIn(role), now).await.unwrap();
        account
    }

    /// Somebody who is in no organization.
    pub(crate) async fn account(&self, name: &str) -> AccountId {
        let new = NewAccount {
            email: format!("{name}@example.org"),
            email_verified: true,
            name: name.to_owned(),
            locale: None,
            password: None,
        };
        self.app.store.create_account(&new, self.app.clock.now()).await.unwrap().id
    }

    /// Links a new client, made by the interface, to a person.
    pub(crate) async fn link(&self, account: AccountId) -> GrantId {
        let body = serde_json::json!({"name": "Lamp", "kind": "confidential", "scopes": ["openid", "devices:read"],
            "redirect_uris": ["https://app.example/cb"]});
        let client = self.make("/api/v1/clients", &body).await.parse().unwrap();
        let scopes = "openid devices:read".to_owned();
        let new = NewGrant { client, account: Some(account), scopes, resource: None };
        self.app.store.create_grant(self.organization, &new, self.app.clock.now()).await.unwrap().id
    }

    /// A client with a secret that acts for itself, made by the interface: its id and secret.
    pub(crate) async fn service(&self, scopes: &[&str]) -> (String, String) {
        let body = serde_json::json!({"name": "Service", "kind": "confidential", "scopes": scopes,
            "grants": ["client_credentials"]});
        let made = self.post("/api/v1/clients", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let text = |field: &str| made.json()[field].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    /// What the token endpoint answers to a client that asks for itself.
    pub(crate) async fn ask_for_token(&self, (id, secret): &(String, String)) -> Answer {
        let request = self
            .request("POST", "/oauth/token")
            .basic_auth(id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        Answer::to(request).await
    }

    /// An access token of a service with these scopes.
    pub(crate) async fn token_with(&self, scopes: &[&str]) -> String {
        let answer = self.ask_for_token(&self.service(scopes).await).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Every mail that was sent.
    pub(crate) async fn mail(&self) -> Vec<String> {
        self.app.identity.settled().await;
        let files = std::fs::read_dir(self.directory.path().join("mail")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    /// Makes a certificate authority, as `promenade ca init` does.
    pub(crate) fn make_authority(&self) -> Authority {
        Authority::init(&self.app.authority, "Shop", Timestamp(NOW)).unwrap()
    }

    /// A request without a key.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request with the key of every scope.
    pub(crate) fn signed(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.signed("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.signed("POST", path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.signed("PATCH", path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.signed("DELETE", path)).await
    }

    /// Makes something and answers with its id.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn make_venue(&self) -> String {
        self.make("/api/v1/venues", &serde_json::json!({"name": "Shop", "timezone": "Europe/Vienna"})).await
    }

    /// A bare connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and answers with everything that comes back until it ends.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may refuse before it has read everything; what it says then still counts.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Stops the server and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.server.await.unwrap();
        self.app.store.close().await;
        self.directory.close().unwrap();
    }

    /// Tells the server to stop.
    pub(crate) fn begin_to_stop(&self) {
        self.shutdown.cancel();
    }
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// One field of each item of a list.
    pub(crate) fn all(&self, field: &str) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    }

    /// Fails unless it is a refusal of this kind.
    pub(crate) fn refused(&self, status: u16, kind: &str) -> Value {
        assert_eq!((self.status, self.problem().as_str()), (status, kind), "{}", self.text);
        self.json()
    }

    /// The last part of the problem's type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status, "{}", self.text);
        json["type"].as_str().unwrap().strip_prefix("/api/problems/").unwrap().to_owned()
    }
}
