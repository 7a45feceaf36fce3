//! The whole service: store, broker and API around one data directory.

mod between;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use identity::{Identity, IdentityMetrics};
use prometheus_client::registry::Registry;
use store::{Claim, Clock, Live, Orders, Organization, Store, StoreError, Tenure};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use voice::{Pace, Voice, VoiceMetrics};

use crate::config::{Address, Config};

/// How long to wait before a database that is away is claimed again.
const CLAIM_AGAIN: Duration = Duration::from_secs(1);

/// How long commands and twins may still be written when the service stops.
const WRITING: Duration = Duration::from_secs(1);

/// How long the database may take to say goodbye.
const CLOSE: Duration = Duration::from_secs(3);

/// The sockets the service listens on; tests bind port 0.
#[derive(Debug)]
pub struct Listeners {
    /// HTTP.
    pub http: TcpListener,
    /// MQTT, on each transport that is switched on.
    pub mqtt: broker::Listeners,
}

/// What is ready to run.
pub struct Service {
    broker: broker::Broker,
    app: Arc<api::App>,
    /// The organization made at the first start.
    pub organization: Organization,
    /// What everything is kept in.
    pub store: Store,
    /// Accounts and the `OAuth2` server.
    pub identity: Arc<Identity>,
    /// Writes commands and twins until nobody can ask for it any more.
    writing: JoinHandle<()>,
    /// That no other server counts the same pings.
    claim: Claim,
    /// What is needed to claim again.
    tenure: Tenure,
}

impl Listeners {
    /// Binds the addresses of the configuration.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let listen = &config.listen;
        let http = bind("the HTTP interface", listen.http).await?;
        let [mqtt, mqtts, ws, wss] = listen.of_mqtt();
        let mqtt = broker::Listeners {
            mqtt: bind_if_on(mqtt).await?,
            mqtts: bind_if_on(mqtts).await?,
            ws: bind_if_on(ws).await?,
            wss: bind_if_on(wss).await?,
        };
        Ok(Self { http, mqtt })
    }

    /// Each with its name and its address, as they are told to whoever started the program: with port 0 nobody else knows.
    pub fn addresses(&self) -> anyhow::Result<Vec<(&'static str, SocketAddr)>> {
        let broker::Listeners { mqtt, mqtts, ws, wss } = &self.mqtt;
        let all = [
            ("http", Some(&self.http)),
            ("mqtt", mqtt.as_ref()),
            ("mqtts", mqtts.as_ref()),
            ("ws", ws.as_ref()),
            ("wss", wss.as_ref()),
        ];
        let open = all.into_iter().filter_map(|(name, listener)| Some((name, listener?)));
        open.map(|(name, listener)| Ok((name, listener.local_addr()?))).collect()
    }
}

async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{what} cannot listen on {address}; is something else using the port?"))
}

async fn bind_if_on((what, address): (&str, Address)) -> anyhow::Result<Option<TcpListener>> {
    Ok(match address.0 {
        Some(address) => Some(bind(what, address).await?),
        None => None,
    })
}

impl Service {
    /// Opens the database and loads what the broker knows by heart.
    /// `http` is where the HTTP interface will be found, which is what tokens name as their issuer unless the configuration
    /// does.
    pub async fn open(
        config: &Config,
        database_url: &str,
        clock: Clock,
        http: SocketAddr,
    ) -> anyhow::Result<Self> {
        let tls = config.tls_files()?;
        for warning in config.warnings() {
            warning.log();
        }
        let store = Store::open(database_url).await.context("the database cannot be opened")?;
        let mut tenure = Tenure::default();
        let claim = store.claim(&mut tenure).await.map_err(|error| match error {
            StoreError::Conflict(_) => {
                anyhow!("another promenade is serving from this database; stop it first")
            }
            error => anyhow::Error::new(error).context("the database cannot be claimed"),
        })?;
        store.idempotency_release().await.context("requests that were cut short cannot be given back")?;
        let organization = store.default_organization(clock.now()).await?;
        let live = Live::memory();
        let (orders, writing) = Orders::start(store.clone(), live.clone(), clock.clone());
        let mut registry = Registry::default();
        let identity = Identity::open(identity::Parts {
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            config: config.identity.clone(),
            data: config.data.clone(),
            http,
            metrics: IdentityMetrics::register(&mut registry),
        })
        .await
        .context("accounts and sign-in cannot be opened")?;
        let broker = broker::Broker::open(broker::Parts {
            config: config.mqtt.clone(),
            store: store.clone(),
            live: live.clone(),
            orders: orders.clone(),
            clock: clock.clone(),
            metrics: broker::Metrics::register(&mut registry),
            tokens: between::tokens(Arc::clone(&identity)),
            certifier: between::certifier(api::Renewals {
                store: store.clone(),
                live: live.clone(),
                clock: clock.clone(),
                authority: config.authority(),
            }),
            beacon_keys: between::beacon_keys(Arc::clone(&identity)),
            pseudonym_keys: between::pseudonym_keys(Arc::clone(&identity)),
            presence: identity.purposes().presence_version().to_owned(),
            tls,
        })
        .await?;
        let voice = Voice::open(voice::Parts {
            store: store.clone(),
            live: live.clone(),
            orders: orders.clone(),
            clock: clock.clone(),
            identity: Arc::clone(&identity),
            config: config.voice.clone(),
            pace: Pace::default(),
            metrics: VoiceMetrics::register(&mut registry),
        })
        .context("assistants cannot be served")?;
        let metrics = api::HttpMetrics::register(&mut registry);
        let app = Arc::new(api::App {
            store: store.clone(),
            live,
            orders,
            clock,
            authority: config.authority(),
            identity: Arc::clone(&identity),
            voice,
            pings: between::pings(broker.inlet()),
            proxies: config.http.trusted_proxies.clone(),
            registry: Arc::new(registry),
            metrics,
            config: api::Config { smallest_group: config.privacy.smallest_group, ..api::Config::default() },
        });
        Ok(Self { broker, app, organization, store, identity, writing, claim, tenure })
    }

    /// Serves until `shutdown`, then stops in order: no new connections, what was taken in is committed, a last checkpoint.
    /// When another server has the database, it stops at once and writes nothing more.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { broker, app, store, writing, claim, mut tenure, .. } = self;
        let mut claim = Some(claim);
        let voice = tokio::spawn(Arc::clone(&app.voice).run(shutdown.clone()));
        let api = tokio::spawn(api::run(app, listeners.http, shutdown.clone()));
        let mut broker = pin!(broker.run(listeners.mqtt, shutdown.clone()));
        let outcome = tokio::select! {
            outcome = &mut broker => outcome.context("the broker stopped"),
            lost = keep_claim(&store, &mut claim, &mut tenure) => {
                tracing::error!(error = %lost, "stopping at once: two servers must not count the same pings");
                // The other server has loaded what is in the database and goes on from there, with the same sessions under
                // the same ids: the broker's last words would overwrite what it has written since. So they are not waited
                // for, and whatever still runs until the process ends finds no database any more.
                store.abandon();
                api.abort();
                voice.abort();
                shutdown.cancel();
                return Err(lost);
            }
        };
        shutdown.cancel();
        api.await.context("the HTTP interface stopped")?;
        voice.await.context("assistants were told no more")?;
        let goodbye = async {
            // Whoever waits for an answer has it; those who only might ask for more, such as an assistant that waits for a
            // device, are not waited for.
            let _ = timeout(WRITING, writing).await;
            store.close().await;
            // Last, so that the next server begins after everything was written.
            match claim {
                Some(claim) => claim.release().await,
                None => Ok(()),
            }
        };
        match timeout(CLOSE, goodbye).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the claim to the database was not given back"),
            Err(_) => tracing::warn!("the database did not answer the goodbye"),
        }
        outcome
    }
}

/// Holds the claim to the database for as long as it can be held; answers once another server has it. A database that is
/// away for a while is claimed again when it is back.
async fn keep_claim(store: &Store, claim: &mut Option<Claim>, tenure: &mut Tenure) -> anyhow::Error {
    loop {
        if let Some(held) = claim {
            let lost = held.lost().await;
            tracing::warn!(error = %lost, "the claim to the database is lost; claiming it again");
        }
        // Kept, its connection could come back to life and hold the lock against us.
        *claim = None;
        match store.claim(tenure).await {
            Ok(again) => *claim = Some(again),
            Err(StoreError::Conflict(_)) => return anyhow!("another promenade has taken this database"),
            Err(error) => {
                tracing::warn!(%error, "the database cannot be claimed; trying again");
                sleep(CLAIM_AGAIN).await;
            }
        }
    }
}

/// Opens and serves: all that `main` has to call.
pub async fn run(
    config: Config,
    database_url: &str,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let http = listeners.http.local_addr()?;
    Service::open(&config, database_url, Clock::System, http).await?.run(listeners, shutdown).await
}
