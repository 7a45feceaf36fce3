//! A platform with a person in it, without a broker: the test answers for the devices.

mod seen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::{Identity, IdentityMetrics};
use prometheus_client::registry::Registry;
use protocol::{AccountId, Ack, AckStatus, DeviceId, DeviceKind, OrganizationId, Timestamp, VenueId};
use serde_json::{Map, Value, json};
use store::{
    Algorithm, Author, BuiltInRole, ClientKind, ClientSettings, Clock, Command, GrantType, Live, NewAccount,
    NewDevice, NewGrant, NewVenue, Orders, Party, Role, Store,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use voice::{AlexaConfig, Config, GoogleConfig, Pace, Parts, Secret, Voice, VoiceMetrics};

use crate::assistants::{AMAZON_TOKEN, Assistants, EVENTS, GOOGLE_TOKEN};

/// 2026-03-02T12:00:00Z, a Monday.
pub(crate) const NOW: Timestamp = Timestamp(1_772_452_800_000);

/// All that a client may be allowed here.
pub(crate) const EVERYTHING: &str =
    "openid devices:read devices:write commands:write analytics:read venues:read";

/// How long devices are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) orders: Orders,
    pub(crate) clock: Clock,
    pub(crate) assistants: Assistants,
    pub(crate) organization: OrganizationId,
    pub(crate) account: AccountId,
    /// Of the person, for everything that Google asks.
    pub(crate) token: String,
    /// The same for Alexa.
    pub(crate) alexa_token: String,
    pub(crate) voice: Arc<Voice>,
    parts: Kept,
    registry: Registry,
    router: Router,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    _directory: TempDir,
}

/// What the next server is made of, too.
struct Kept {
    identity: Arc<Identity>,
    config: Config,
    pace: Pace,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// One whose devices are waited for only so long.
    pub(crate) async fn with_patience(patience: Duration) -> Self {
        Self::with(|_, pace| (pace.google_patience, pace.alexa_patience) = (patience, patience)).await
    }

    /// One with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config, &mut Pace)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("promenade.db").display());
        let store = Store::open(&url).await.unwrap();
        let organization = store.default_organization(NOW).await.unwrap().id;
        let (live, clock) = (Live::memory(), Clock::manual(NOW));
        let (orders, _) = Orders::start(store.clone(), live.clone(), clock.clone());
        let identity = Identity::open(identity::Parts {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            config: identity::Config { allow_private_addresses: true, ..identity::Config::default() },
            data: directory.path().to_owned(),
            http: "127.0.0.1:8080".parse().unwrap(),
            metrics: IdentityMetrics::register(&mut Registry::default()),
        });
        let identity = identity.await.unwrap();
        let assistants = Assistants::start().await;
        let at = |path: &str| format!("{}{path}", assistants.address);
        let key = directory.path().join("service.json");
        std::fs::write(&key, service_account(&at(GOOGLE_TOKEN))).unwrap();
        let mut config = Config {
            google: GoogleConfig {
                enabled: true,
                service_account: Some(key),
                home_graph: assistants.address.clone(),
            },
            alexa: AlexaConfig {
                enabled: true,
                client_id: Some("amzn1.client".to_owned()),
                client_secret: Some(Secret::new("amazon secret")),
                events: Some(at(EVENTS)),
                tokens: at(AMAZON_TOKEN),
                ..AlexaConfig::default()
            },
            smallest_occupancy: 5,
        };
        let mut pace = Pace {
            google_patience: PATIENCE,
            alexa_patience: PATIENCE,
            spare: Duration::from_secs(10),
            coalesced: Duration::from_millis(50),
            debounced: Duration::from_millis(200),
            looked: Duration::from_mins(10),
            backed_off: Duration::from_millis(10),
            synced: Duration::from_mins(10),
            settled: Duration::from_millis(100),
        };
        change(&mut config, &mut pace);
        let mut registry = Registry::default();
        let voice = Voice::open(Parts {
            store: store.clone(),
            live: live.clone(),
            orders: orders.clone(),
            clock: clock.clone(),
            identity: Arc::clone(&identity),
            config: config.clone(),
            pace,
            metrics: VoiceMetrics::register(&mut registry),
        });
        let voice = voice.unwrap();
        let parts = Kept { identity, config, pace };
        let router = voice::router(Arc::clone(&voice)).merge(identity::router(Arc::clone(&parts.identity)));
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(Arc::clone(&voice).run(shutdown.clone()));
        let account = person(&store, organization).await;
        let mut world = Self {
            store,
            live,
            orders,
            clock,
            assistants,
            organization,
            account,
            token: String::new(),
            alexa_token: String::new(),
            voice,
            parts,
            registry,
            router,
            shutdown,
            running,
            _directory: directory,
        };
        world.token = world.token(EVERYTHING).await;
        world.alexa_token = world.token_of(Some(Party::Amazon), EVERYTHING).await;
        world
    }

    /// An access token that the person allowed a new client of Google's to have.
    pub(crate) async fn token(&self, scopes: &str) -> String {
        self.token_of(Some(Party::Google), scopes).await
    }

    /// An access token that the person allowed a new client to have, an assistant's or an ordinary one, refreshed as an assistant
    /// would.
    pub(crate) async fn token_of(&self, party: Option<Party>, scopes: &str) -> String {
        let settings = ClientSettings {
            name: "Home".to_owned(),
            logo: None,
            party,
            redirect_uris: vec!["https://oauth-redirect.googleusercontent.com/r/project".to_owned()],
            post_logout_uris: vec![],
            backchannel_logout_uri: None,
            scopes: scopes.split(' ').map(str::to_owned).collect(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            resources: vec![],
            id_token_algorithm: Algorithm::Rs256,
        };
        let kind = if party.is_some() { ClientKind::Assistant } else { ClientKind::Confidential };
        let made = self.store.create_client(self.organization, kind, &settings, NOW).await.unwrap();
        let (client, secret) = (made.0.id, made.1.unwrap().text());
        let new = NewGrant { client, account: Some(self.account), scopes: scopes.to_owned(), resource: None };
        let grant = self.store.create_grant(self.organization, &new, NOW).await.unwrap().id;
        let refresh = self.store.issue_refresh_token(grant, None, NOW).await.unwrap().text();
        let request = Request::post("/oauth/token")
            .header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{client}:{secret}"))))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("grant_type=refresh_token&refresh_token={refresh}")));
        let answer = self.send(request.unwrap()).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 50_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// What Google is answered.
    pub(crate) async fn google(&self, intent: &str, payload: Value) -> Value {
        let input = json!({"intent": format!("action.devices.{intent}"), "payload": payload});
        let body = json!({"requestId": "r", "inputs": [input]});
        let answer = self.request("POST", "/voice/google", &self.token, body.to_string()).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body
    }

    /// What Google is answered to one command for one device.
    pub(crate) async fn execute(
        &self,
        device: &str,
        command: &str,
        params: &Value,
        challenge: &Value,
    ) -> Value {
        let command = format!("action.devices.commands.{command}");
        let execution = [json!({"command": command, "params": params, "challenge": challenge})];
        let commands = json!({"commands": [{"devices": [{"id": device}], "execution": execution}]});
        self.google("EXECUTE", commands).await["payload"]["commands"][0].clone()
    }

    /// What Alexa is answered.
    pub(crate) async fn alexa(&self, directive: &Value) -> Value {
        let body = json!({"directive": directive}).to_string();
        let request = Request::post("/voice/alexa").body(Body::from(body)).unwrap();
        let answer = self.send(request).await;
        assert_eq!(answer.status, 200);
        answer.body
    }

    /// Turns the clock.
    pub(crate) fn set_time(&self, now: Timestamp) {
        let Clock::Manual(hand) = &self.clock else { unreachable!("tests set the time") };
        hand.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }

    /// Tells assistants nothing any more.
    pub(crate) async fn halt(&mut self) {
        self.shutdown.cancel();
        (&mut self.running).await.unwrap();
    }

    /// Begins again after [`World::halt`], as the next server does: it knows only what is written.
    pub(crate) fn begin_again(&mut self) {
        let Kept { identity, config, pace } = &self.parts;
        self.registry = Registry::default();
        let voice = Voice::open(Parts {
            store: self.store.clone(),
            live: self.live.clone(),
            orders: self.orders.clone(),
            clock: self.clock.clone(),
            identity: Arc::clone(identity),
            config: config.clone(),
            pace: *pace,
            metrics: VoiceMetrics::register(&mut self.registry),
        });
        self.voice = voice.unwrap();
        self.router = voice::router(Arc::clone(&self.voice)).merge(identity::router(Arc::clone(identity)));
        self.shutdown = CancellationToken::new();
        self.running = tokio::spawn(Arc::clone(&self.voice).run(self.shutdown.clone()));
    }

    /// A device that is there, with a profile that may be used by voice.
    pub(crate) async fn device(&self, name: &str, profile: Value) -> DeviceId {
        let id = self.device_of(self.organization, name, profile).await;
        self.live.connected(id, NOW);
        id
    }

    pub(crate) async fn device_of(
        &self,
        organization: OrganizationId,
        name: &str,
        profile: Value,
    ) -> DeviceId {
        let mut new = NewDevice::new(DeviceKind::Appliance, name);
        new.profile = Some(serde_json::from_value(profile).unwrap());
        let id = self.store.create_device(organization, &new, NOW).await.unwrap().0.id;
        self.live.changed(store::Change::Device(id));
        id
    }

    pub(crate) async fn lamp(&self, name: &str) -> DeviceId {
        self.device(
            name,
            json!({"type": "light", "voice": true, "capabilities": {"on_off": {}, "brightness": {}}}),
        )
        .await
    }

    pub(crate) async fn venue(&self, name: &str) -> VenueId {
        let new = NewVenue {
            name: name.to_owned(),
            timezone: "Europe/Vienna".to_owned(),
            day_starts_at: 0,
            locale: "de-AT".to_owned(),
            admits: vec![],
            settings: None,
        };
        self.store.create_venue(self.organization, &new, NOW).await.unwrap().id
    }

    /// What a device says it is.
    pub(crate) async fn reports(&self, device: DeviceId, patch: Value) {
        let patch: Map<String, Value> = serde_json::from_value(patch).unwrap();
        self.orders.report(self.organization, device, patch).await.unwrap();
    }

    /// Waits until a device was told something.
    pub(crate) async fn told(&self, device: DeviceId) -> Command {
        loop {
            let outbox = self.store.outbox(self.clock.now(), 100).await.unwrap();
            if let Some(command) = outbox.into_iter().find(|command| command.device == device) {
                return command;
            }
            self.live.ordered().await;
        }
    }

    /// A device does what it is told next, and says so.
    pub(crate) async fn obeys(&self, device: DeviceId, reported: Value) -> Command {
        let command = self.told(device).await;
        let reported = serde_json::from_value(reported).unwrap();
        let ack = Ack { reported: Some(reported), ..Ack::new(AckStatus::Done) };
        self.orders.answer(self.organization, device, command.id, ack).await.unwrap();
        assert_eq!(command.author, Author::Account(self.account));
        command
    }

    /// A device does what it is told next, and says so and no more.
    pub(crate) async fn does(&self, device: DeviceId) {
        let command = self.told(device).await;
        self.orders.answer(self.organization, device, command.id, Ack::new(AckStatus::Done)).await.unwrap();
    }

    /// Waits until reports have begun: the assistant was told how a device is.
    pub(crate) async fn linked_with_google(&self) {
        self.google("SYNC", json!({})).await;
        self.assistants.wait(crate::assistants::REPORT, 1).await;
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
        self.store.close().await;
    }
}

async fn person(store: &Store, organization: OrganizationId) -> AccountId {
    let new = NewAccount {
        email: "ann@example.org".to_owned(),
        email_verified: true,
        name: "Ann".to_owned(),
        locale: None,
        password: None,
    };
    let account = store.create_account(&new, NOW).await.unwrap().id;
    store.add_member(organization, account, Role::BuiltIn(BuiltInRole::Owner), NOW).await.unwrap();
    account
}

/// The key file of a service account.
fn service_account(token_uri: &str) -> String {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    json!({
        "type": "service_account", "client_email": "voice@project.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": pem, "token_uri": token_uri,
    })
    .to_string()
}
