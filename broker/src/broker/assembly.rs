//! How the broker's parts are put together.

use std::collections::HashMap;
use std::sync::Arc;

use store::{Clock, StoreError};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Parts, within_reason};
use crate::access::Grant;
use crate::beacons::{Beacons, Keeping};
use crate::bus::Bus;
use crate::config::Config;
use crate::control::{Brought, Control, Hearing, Placing, Telling};
use crate::dispatch::Dispatch;
use crate::home_assistant::{Announcing, Births};
use crate::ingest::{Appender, Committed, Ingest, Receipts, Submission};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::sessions::Sessions;
use crate::sign_in::Strangers;
use crate::worker::{Rolling, Worker};

/// How many committed segments may wait for the worker before commits wait.
const WORKER_QUEUE: usize = 256;
/// Raw rows are kept more than a day beyond what is still accepted, so that the day it falls into (25 hours when the clocks
/// go back) can be counted anew.
const BEYOND_ACCEPTANCE_MS: i64 = 26 * 3_600_000;

/// What takes messages from publishers to subscribers.
pub(crate) struct Messaging {
    pub(crate) journal: Arc<Journal>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) strangers: Strangers,
}

impl Messaging {
    pub(crate) fn new(bus: Arc<Bus>, config: &Config, clock: &Clock, metrics: &Metrics) -> Self {
        let journal = Arc::new(Journal::default());
        let retained = config.queues.retained_bytes;
        let dispatch = Arc::new(Dispatch::new(bus, retained, Arc::clone(&journal), clock.clone()));
        let anonymous = &config.anonymous;
        let strangers = Strangers {
            grant: Arc::new(Grant::of_filters(&anonymous.publish, &anonymous.subscribe)),
            remote: anonymous.remote,
        };
        let sessions = Arc::new(Sessions::new(
            Arc::clone(&dispatch),
            Arc::clone(&journal),
            clock.clone(),
            metrics.clone(),
            config.queues.bounds(),
            &config.limits,
            &strangers.grant,
        ));
        Self { journal, dispatch, sessions, strangers }
    }
}

/// What takes pings to numbers.
pub(crate) struct Counting {
    pub(crate) ingest: Ingest,
    pub(crate) queue: mpsc::Receiver<Submission>,
    pub(crate) beacons: Arc<Beacons>,
    pub(crate) appender: Appender,
    pub(crate) worker: Worker,
    pub(crate) from_appender: mpsc::Receiver<Committed>,
}

impl Counting {
    pub(crate) async fn new(
        Parts { config, store, live, clock, metrics, .. }: &Parts,
        registry: &Arc<Registry>,
        dispatch: &Arc<Dispatch>,
        receipts: &Arc<Receipts>,
        shutdown: &CancellationToken,
    ) -> Result<Self, StoreError> {
        let (to_worker, from_appender) = mpsc::channel(WORKER_QUEUE);
        let acceptance_window_ms = i64::from(config.pings.acceptance_window_h) * 3_600_000;
        let beacons = Arc::new(Beacons::new(
            Arc::clone(registry),
            clock.clone(),
            metrics.clone(),
            acceptance_window_ms,
            store.beacons_watched().await?,
        ));
        let appender = Appender::new(
            store.clone(),
            clock.clone(),
            metrics.clone(),
            Arc::clone(receipts),
            Arc::clone(&beacons),
            to_worker,
            shutdown.clone(),
        )
        .await?;
        let (ingest, queue) = Ingest::new(
            Arc::clone(registry),
            clock.clone(),
            acceptance_window_ms,
            metrics.clone(),
            Arc::clone(receipts),
        );
        let worker = Worker {
            store: store.clone(),
            live: live.clone(),
            dispatch: Arc::clone(dispatch),
            clock: clock.clone(),
            metrics: metrics.clone(),
            retention_ms: acceptance_window_ms + BEYOND_ACCEPTANCE_MS,
            venues: HashMap::new(),
        };
        Ok(Self { ingest, queue, beacons, appender, worker, from_appender })
    }
}

/// The tasks that bring what devices say, what is ordered, what they are told, and what is heard of beacons; and the one that
/// makes rollups.
pub(crate) struct Talks {
    /// Ends once no connection can say anything any more.
    hearing: JoinHandle<()>,
    /// Ends once no connection can order anything any more.
    placing: JoinHandle<()>,
    /// Ends at shutdown.
    telling: JoinHandle<()>,
    /// Ends at shutdown.
    announcing: JoinHandle<()>,
    /// Ends at shutdown.
    watching: JoinHandle<()>,
    /// Ends at shutdown.
    rolling: JoinHandle<()>,
}

impl Talks {
    /// Waits for the end of each, once no connection can say anything any more.
    pub(crate) async fn end(self) -> Result<(), JoinError> {
        within_reason("the watch over beacons", self.watching).await?;
        self.rolling.await?;
        self.telling.await?;
        self.announcing.await?;
        within_reason("what devices say", self.hearing).await?;
        within_reason("what services order", self.placing).await
    }
}

/// Begins to talk with devices about commands and twins, and to announce them.
pub(crate) fn talk(
    Parts { store, live, orders, clock, metrics, .. }: &Parts,
    registry: &Arc<Registry>,
    dispatch: &Arc<Dispatch>,
    sessions: &Arc<Sessions>,
    beacons: &Arc<Beacons>,
    shutdown: &CancellationToken,
) -> (Control, Arc<Births>, Talks) {
    let (control, Brought { sayings, orders: ordered }) = Control::new(metrics.clone());
    let hearing = Hearing {
        orders: orders.clone(),
        dispatch: Arc::clone(dispatch),
        came: control.came(),
        metrics: metrics.clone(),
    };
    let placing =
        Placing { orders: orders.clone(), registry: Arc::clone(registry), metrics: metrics.clone() };
    let telling = Telling {
        store: store.clone(),
        live: live.clone(),
        orders: orders.clone(),
        registry: Arc::clone(registry),
        sessions: Arc::clone(sessions),
        came: control.came(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    let births: Arc<Births> = Arc::default();
    let announcing = Announcing::new(store.clone(), live.clone(), dispatch, &births, clock.clone());
    let watching = Keeping {
        beacons: Arc::clone(beacons),
        store: store.clone(),
        orders: orders.clone(),
        dispatch: Arc::clone(dispatch),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    let rolling = Rolling { store: store.clone(), clock: clock.clone() };
    let talks = Talks {
        hearing: tokio::spawn(hearing.run(sayings)),
        placing: tokio::spawn(placing.run(ordered)),
        telling: tokio::spawn(telling.run(shutdown.clone())),
        announcing: tokio::spawn(announcing.run(shutdown.clone())),
        watching: tokio::spawn(watching.run(shutdown.clone())),
        rolling: tokio::spawn(rolling.run(shutdown.clone())),
    };
    (control, births, talks)
}
