//! All that a handler may reach, and the work that goes on behind it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::Timestamp;
use store::{Change, Clock, Live, Store, StoreError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempts::Attempts;
use crate::config::Config;
use crate::error::IdentityError;
use crate::issuer::Issuer;
use crate::jwt::Keyring;
use crate::mail::Mailer;
use crate::metrics::IdentityMetrics;
use crate::oauth::KnownClients;
use crate::outbound::Outbound;
use crate::passkey::Passkeys;
use crate::password::Pool;
use crate::purpose::Purposes;
use crate::seal::Sealer;
use crate::standing::Standings;
use crate::upstream::Providers;
use crate::uses::Uses;

/// How often keys are looked after and what is over is forgotten.
const MAINTAINED_EVERY: Duration = Duration::from_mins(1);
/// How long after an erasure something of it may still come in: a ping waits for its second, its commit and its checkpoint.
const STRAGGLING_MS: i64 = 10 * 60_000;
/// How often it is written when linked services were used.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// All that a handler may reach; there are no statics.
pub struct Identity {
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) issuer: Issuer,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) keyring: Keyring,
    pub(crate) standings: Standings,
    pub(crate) clients: KnownClients,
    pub(crate) uses: Uses,
    pub(crate) passwords: Pool,
    /// None where browsers have no passkeys for this issuer.
    pub(crate) passkeys: Option<Passkeys>,
    pub(crate) attempts: Attempts,
    pub(crate) mailer: Mailer,
    pub(crate) outbound: Outbound,
    pub(crate) providers: Providers,
    /// What goes on behind answers that were given already.
    pub(crate) behind: TaskTracker,
    pub(crate) metrics: IdentityMetrics,
}

/// What an [`Identity`] is made of.
pub struct Parts {
    /// What must survive.
    pub store: Store,
    /// The way to tell others of a change, and to hear of one.
    pub live: Live,
    /// Where the time comes from.
    pub clock: Clock,
    /// The settings, validated.
    pub config: Config,
    /// The data directory.
    pub data: PathBuf,
    /// Where HTTP is listened on: the issuer, unless one is configured.
    pub http: SocketAddr,
    /// Make them with [`IdentityMetrics::register`] before the registry is shared.
    pub metrics: IdentityMetrics,
}

/// Lets new signing keys sign from now on; what the old ones signed stays good until it ends. Whoever serves from the database
/// reads them within a minute. Answers how many were replaced; an installation that has signed nothing has none.
pub async fn rotate_signing_keys(
    store: &Store,
    config: &Config,
    data: &Path,
    now: Timestamp,
) -> Result<usize, IdentityError> {
    let sealer = Sealer::open_existing(&config.sealing_key(data))?;
    Keyring::open(store.clone(), Arc::new(sealer)).await?.rotate(now).await
}

impl Identity {
    /// Opens the sealing key and the signing keys.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, IdentityError> {
        let Parts { store, live, clock, config, data, http, metrics } = parts;
        config.validate().map_err(IdentityError::Config)?;
        let issuer = Issuer::new(config.issuer.as_deref(), http)?;
        let passkeys = Passkeys::of(&issuer)?;
        let path = config.sealing_key(&data);
        let is_needed = store.has_sealed_pseudonym_keys().await?;
        let sealer = Arc::new(if is_needed { Sealer::open_existing(&path)? } else { Sealer::open(&path)? });
        let keyring = Keyring::open(store.clone(), Arc::clone(&sealer)).await?;
        let mailer = Mailer::new(&config.mail)?;
        let outbound = Outbound::new(config.allow_private_addresses)?;
        let providers = Providers::open(&config, &issuer)?;
        let behind = TaskTracker::new();
        behind.close();
        Ok(Arc::new(Self {
            store,
            live,
            clock,
            config,
            issuer,
            sealer,
            keyring,
            standings: Standings::default(),
            clients: KnownClients::default(),
            uses: Uses::default(),
            passwords: Pool::default(),
            passkeys,
            attempts: Attempts::default(),
            mailer,
            outbound,
            providers,
            behind,
            metrics,
        }))
    }

    /// Does what nobody asks for, until `shutdown`: hears of changes, lets keys follow each other, forgets what is over.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut changes = self.live.changes();
        // What changed before anybody listened is not told again.
        self.standings.forget();
        self.clients.forget();
        let mut ticks = tokio::time::interval(MAINTAINED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writes = tokio::time::interval(WRITTEN_EVERY);
        writes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                change = changes.next() => match change {
                    Some(change) => self.heard(change),
                    None => break,
                },
                _ = ticks.tick() => self.maintain().await,
                _ = writes.tick() => self.write_uses().await,
            }
        }
        self.settled().await;
        self.write_uses().await;
    }

    /// Waits until what goes on behind the answers is done: every mail is sent or has failed, and every client was told of
    /// a sign-out.
    pub async fn settled(&self) {
        self.behind.wait().await;
    }

    /// The address that this server is known by: the `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// What people are asked to agree to.
    pub fn purposes(&self) -> &Purposes {
        &self.config.purposes
    }

    /// Lets keys follow each other when their time has come, and forgets what is over. [`Identity::run`] calls this every
    /// minute.
    pub async fn maintain(&self) {
        let now = self.clock.now();
        self.attempts.sweep(now);
        self.write_uses().await;
        if let Err(error) = self.keyring.maintain(now).await {
            tracing::error!(%error, "signing keys could not be looked after; it is tried again in a minute");
        }
        if let Err(error) = self.unlink_stragglers(now).await {
            tracing::error!(%error, "what came in while it was erased could not be unlinked; it is tried again in a minute");
        }
        loop {
            match self.store.forget_expired(now).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "what is over could not be forgotten; it is tried again in a minute");
                    break;
                }
            }
        }
    }

    /// Unlinks what was on its way to its row while somebody had their data erased.
    async fn unlink_stragglers(&self, now: Timestamp) -> Result<(), StoreError> {
        for unlinked in self.store.unlink_buried(now.minus(STRAGGLING_MS), now).await? {
            self.changed(Change::Venue(unlinked.venue));
        }
        Ok(())
    }

    /// Does something behind the answer to a request.
    pub(crate) fn behind(&self, work: impl Future<Output = Result<(), IdentityError>> + Send + 'static) {
        self.behind.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(%error, "what was to happen behind an answer failed");
            }
        });
    }

    /// Writes when linked services were last used, as far as that is not done yet: for whoever is about to show it. It happens every
    /// few seconds by itself.
    pub async fn write_uses(&self) {
        if let Err(error) = self.uses.write(&self.store).await {
            tracing::warn!(%error, "when services were used could not be written; it is tried again in a moment");
        }
    }

    fn heard(&self, change: Change) {
        self.standings.changed(change);
        self.clients.changed(change);
    }

    /// Tells everybody of a change, ourselves first: the next request sees it.
    pub fn changed(&self, change: Change) {
        self.heard(change);
        self.live.changed(change);
    }
}
