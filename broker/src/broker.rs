//! The broker as a whole: put together, run, and stopped in order.

pub(crate) mod assembly;
mod upkeep;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use store::{Clock, Live, Orders, SavedState, Store, StoreError};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use assembly::{Counting, Messaging, talk};
use upkeep::keep_registry;

use crate::announcer::Announcer;
use crate::beacon_keys::BeaconKeys;
use crate::bus::Bus;
use crate::config::Config;
use crate::event_loops::{EventLoops, Threads};
use crate::facts::Book;
use crate::front::Front;
use crate::ingest::Receipts;
use crate::inlet::Inlet;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pseudonym_keys::PseudonymKeys;
use crate::registry::{Registry, Terms};
use crate::renewals::{Certifier, Renewals};
use crate::sign_in::SignIn;
use crate::sys;
use crate::tokens::Tokens;
use crate::transport::{Listeners, Tls, TlsError, TlsFiles};

/// How long a part may take to end that loses nothing by not being done.
const PART_ENDS: Duration = Duration::from_secs(3);
/// How long connections may take to end when a part of the broker died.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the broker is made of.
pub struct Parts {
    /// Its settings.
    pub config: Config,
    /// What must survive.
    pub store: Store,
    /// What is true now.
    pub live: Live,
    /// Where commands and twins are written.
    pub orders: Orders,
    /// Where the time comes from.
    pub clock: Clock,
    /// Its counters.
    pub metrics: Metrics,
    /// Who says what access tokens are worth.
    pub tokens: Tokens,
    /// Who signs the next certificates of devices.
    pub certifier: Certifier,
    /// Who opens the keys of identifiers that change.
    pub beacon_keys: BeaconKeys,
    /// Who opens the keys of pseudonyms.
    pub pseudonym_keys: PseudonymKeys,
    /// The version of the text that people must have agreed to ([`store::PRESENCE`]) before their phones are counted.
    pub presence: String,
    /// Where the certificates are; needed where something listens for TLS.
    pub tls: Option<TlsFiles>,
}

/// Why the broker does not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The threads for connections did not start, or cannot accept.
    #[error("the front did not start")]
    Front(#[from] io::Error),
    /// The in-process bus did not start.
    #[error("the bus did not start: {0}")]
    Bus(String),
    /// A part of it ended while it was needed.
    #[error("{0} ended")]
    Ended(&'static str),
    /// A part of it panicked.
    #[error("a part of the broker stopped: {0}")]
    Stopped(#[from] JoinError),
}

/// A broker that is ready to run.
pub struct Broker {
    parts: Parts,
    registry: Arc<Registry>,
    saved: SavedState,
    tls: Option<Arc<Tls>>,
    inlet: Inlet,
}

impl Broker {
    /// Loads what the broker knows by heart.
    pub async fn open(parts: Parts) -> Result<Self, BrokerError> {
        let pings_per_minute = parts.config.pings.per_minute;
        let (beacon_keys, pseudonym_keys) = (parts.beacon_keys.clone(), parts.pseudonym_keys.clone());
        let presence = parts.presence.clone();
        let terms = Terms { pings_per_minute, presence, beacon_keys, pseudonym_keys };
        let registry = Registry::load(parts.store.clone(), terms).await?;
        let saved = parts.store.load_sessions().await?;
        let tls = parts.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        Ok(Self { parts, registry: Arc::new(registry), saved, tls, inlet: Inlet::default() })
    }

    /// The way in for ping batches that come otherwise than over MQTT; open while the broker runs.
    pub fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }

    /// Serves MQTT on `listeners` until `shutdown`; then closes the connections, commits what was taken in, and writes a
    /// last checkpoint.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), BrokerError> {
        // The bus, the journal and receipts outlive the connections, whose last words they carry.
        let late = CancellationToken::new();
        // They end after all that has tasks there.
        let (loops, threads) = EventLoops::start(self.parts.config.event_loops)?;
        let bus = Bus::start(&loops, &self.parts.clock, &late)
            .map_err(|error| BrokerError::Bus(error.to_string()))?;
        self.run_on(Machinery { loops, threads: &threads, bus, late }, listeners, shutdown).await
    }

    async fn run_on(
        self,
        Machinery { loops, threads, bus, late }: Machinery<'_>,
        listeners: Listeners,
        shutdown: CancellationToken,
    ) -> Result<(), BrokerError> {
        let Self { parts, registry, saved, tls, inlet } = self;
        if listeners.need_tls() && tls.is_none() {
            return Err(TlsError::Missing.into());
        }
        let broken = bus.broken.clone();
        let Messaging { journal, dispatch, sessions, strangers } =
            Messaging::new(bus, &parts.config, &parts.clock, &parts.metrics);
        let wills = sessions.restore(saved);
        let receipts = Arc::new(Receipts::new(Arc::clone(&sessions)));
        let Counting { ingest, queue, beacons, appender, worker, from_appender } =
            Counting::new(&parts, &registry, &dispatch, &receipts, &shutdown).await?;
        let (control, births, talks) = talk(&parts, &registry, &dispatch, &sessions, &beacons, &shutdown);
        let Parts { config, store, live, clock, metrics, tokens, certifier, .. } = parts;
        let renewals = Renewals::new(certifier, Arc::clone(&sessions), metrics.clone(), Handle::current());
        metrics.tasks.count_on(loops.clone());
        let facts: Arc<Book> = Arc::default();
        let (announcements, announcer) =
            Announcer::new(&registry, &sessions, &dispatch, live.clone(), clock.clone(), Arc::clone(&facts))
                .start();
        let journal_task =
            tokio::spawn(Arc::clone(&journal).run(store.clone(), metrics.clone(), late.clone()));
        let book = tokio::spawn(Arc::clone(&facts).run(store.clone(), clock.clone(), late.clone()));
        let front = Arc::new(Front {
            sign_in: SignIn {
                store,
                registry: Arc::clone(&registry),
                clock: clock.clone(),
                strangers,
                tokens,
                background: Handle::current(),
                patience: Duration::from_secs(config.connect_timeout_s),
                ended: AtomicU64::new(0),
            },
            metrics: metrics.clone(),
            sessions,
            dispatch: Arc::clone(&dispatch),
            journal,
            ingest,
            control,
            beacons,
            births,
            renewals,
            facts: Arc::clone(&facts),
            limits: Limits::new(config.limits.clone()),
            clock: clock.clone(),
            config,
            shutdown: shutdown.clone(),
            next_client_id: AtomicU64::new(1),
            announcements,
            loops,
            tasks: TaskTracker::new(),
            tls,
        });
        front.begin(wills);
        inlet.open(&front);
        let sys = tokio::spawn(sys::run(dispatch, metrics, shutdown.clone()));
        let upkeep = tokio::spawn(keep_registry(registry, Arc::clone(&front), live, clock, shutdown.clone()));
        let receipts = tokio::spawn(receipts.run(late.clone()));
        let mut appender = tokio::spawn(appender.run(queue));
        let mut worker = tokio::spawn(worker.run(from_appender));
        let mut accept = pin!(front.accept(listeners));
        // None of them ends before the connections do; if one does, nothing is acknowledged or counted any more.
        let failed = tokio::select! {
            accepted = &mut accept => {
                if let Err(error) = accepted {
                    shutdown.cancel();
                    late.cancel();
                    return Err(error.into());
                }
                None
            }
            ended = &mut appender => Some(("the ingest log", ended)),
            ended = &mut worker => Some(("the worker", ended)),
            () = broken.cancelled() => Some(("the bus", Ok(()))),
            () = threads.ended.cancelled() => Some(("an event loop", Ok(()))),
        };
        if let Some((part, ended)) = failed {
            tracing::error!(part, "stopped; so does the broker");
            shutdown.cancel();
            // Connections end and are saved; whoever starts the program again finds every session.
            let _ = timeout(LAST_WORDS, accept).await;
            late.cancel();
            journal_task.await?;
            within_reason("the book", book).await?;
            ended?;
            return Err(BrokerError::Ended(part));
        }
        // The last holder of the way into the ingest log went with the connections: what is queued is committed.
        upkeep.abort();
        sys.await?;
        talks.end().await?;
        within_reason("the announcer", announcer).await?;
        appender.await?;
        // What it did not get to is in the log, and counted after the next start.
        within_reason("the worker", worker).await?;
        late.cancel();
        receipts.await?;
        let book = within_reason("the book", book);
        let (journal, book) = tokio::join!(journal_task, book);
        journal?;
        book?;
        Ok(())
    }
}

/// Waits for the end of a part that may wait for a store which is away.
async fn within_reason(part: &str, mut task: JoinHandle<()>) -> Result<(), JoinError> {
    let Ok(ended) = timeout(PART_ENDS, &mut task).await else {
        tracing::warn!(part, "did not come to its end in time");
        task.abort();
        return Ok(());
    };
    ended
}

/// What a broker runs on.
struct Machinery<'a> {
    loops: EventLoops,
    threads: &'a Threads,
    bus: Arc<Bus>,
    late: CancellationToken,
}

#[cfg(test)]
mod tests;
