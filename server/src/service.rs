//! The whole service: store, broker and API around one data directory.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use prometheus_client::registry::Registry;
use store::{Claim, Clock, Live, Organization, Store, StoreError};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{Address, Config};

/// How long to wait before a database that is away is claimed again.
const CLAIM_AGAIN: Duration = Duration::from_secs(1);

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
    /// That no other server counts the same pings.
    claim: Claim,
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
    pub async fn open(config: &Config, database_url: &str, clock: Clock) -> anyhow::Result<Self> {
        let tls = config.tls_files()?;
        for warning in config.warnings() {
            warning.log();
        }
        let store = Store::open(database_url).await.context("the database cannot be opened")?;
        let claim = store.claim().await.map_err(|error| match error {
            StoreError::Conflict(_) => {
                anyhow!("another promenade is serving from this database; stop it first")
            }
            error => anyhow::Error::new(error).context("the database cannot be claimed"),
        })?;
        let organization = store.default_organization(clock.now()).await?;
        let live = Live::memory();
        let mut registry = Registry::default();
        let broker = broker::Broker::open(broker::Parts {
            config: config.mqtt.clone(),
            store: store.clone(),
            live: live.clone(),
            clock: clock.clone(),
            metrics: broker::Metrics::register(&mut registry),
            tls,
        })
        .await?;
        let metrics = api::HttpMetrics::register(&mut registry);
        let app = Arc::new(api::App {
            store: store.clone(),
            live,
            clock,
            authority: config.authority(),
            registry: Arc::new(registry),
            metrics,
            config: api::Config::default(),
        });
        Ok(Self { broker, app, organization, store, claim })
    }

    /// Serves until `shutdown`, then stops in order: no new connections, what was taken in is committed, a last checkpoint.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> anyhow::Result<()> {
        let api = tokio::spawn(api::run(self.app, listeners.http, shutdown.clone()));
        let mut broker = pin!(self.broker.run(listeners.mqtt, shutdown.clone()));
        let outcome = tokio::select! {
            outcome = &mut broker => outcome.context("the broker stopped"),
            lost = keep_claim(&self.store, self.claim) => {
                tracing::error!(error = %lost, "stopping: two servers must not count the same pings");
                shutdown.cancel();
                broker.await.context("the broker stopped").and(Err(lost))
            }
        };
        shutdown.cancel();
        api.await.context("the HTTP interface stopped")?;
        if timeout(CLOSE, self.store.close()).await.is_err() {
            tracing::warn!("the database did not answer the goodbye");
        }
        outcome
    }
}

/// Holds the claim to the database for as long as it can be held; answers once another server has it. A database that is
/// away for a while is claimed again when it is back.
async fn keep_claim(store: &Store, mut claim: Claim) -> anyhow::Error {
    loop {
        let lost = claim.lost().await;
        tracing::warn!(error = %lost, "the claim to the database is lost; claiming it again");
        claim = loop {
            match store.claim().await {
                Ok(claim) => break claim,
                Err(StoreError::Conflict(_)) => return anyhow!("another promenade has taken this database"),
                Err(_) => sleep(CLAIM_AGAIN).await,
            }
        };
    }
}

/// Opens and serves: all that `main` has to call.
pub async fn run(
    config: Config,
    database_url: &str,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    Service::open(&config, database_url, Clock::System).await?.run(listeners, shutdown).await
}
