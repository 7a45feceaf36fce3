//! The air around a Bluetooth adapter, by way of btleplug, D-Bus and BlueZ.
//!
//! A thread of its own follows the adapter: asking BlueZ for a property must not be broken off in the middle, and each
//! connection to the bus ends with a runtime of its own. What it hears waits in a queue of [`MOST_WAITING`]. When the agent
//! cannot keep up, what comes is counted and dropped rather than kept without end.

mod book;
mod ear;
mod events;
mod radio;
mod telemetry;
mod trial;
mod trouble;
mod words;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::error;

pub use telemetry::Telemetry;
pub use trial::{AdapterTrial, try_adapter};
pub(crate) use trouble::explain_words;

use crate::Clock;
use crate::config::BluetoothConfig;
use crate::scan::{Heard, Interest};

use ear::Ear;
use radio::Radio;

/// Advertisements that may wait for the agent: two seconds of crowded air.
const MOST_WAITING: usize = 1_024;

/// An adapter that is listened to until this is dropped.
#[derive(Debug)]
pub struct Bluetooth {
    heard: mpsc::Receiver<Heard>,
    shared: Shared,
    _stop: DropGuard,
}

/// How the adapter is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterStatus {
    /// Its name, as `hci0`, once one was found.
    pub name: Option<String>,
    /// What it does.
    pub state: AdapterState,
    /// Scans begun anew because nothing was heard for too long.
    pub restarts: u64,
    /// Times the adapter, or the way to it, was lost or would not scan.
    pub failures: u64,
    /// Advertisements dropped because the agent did not keep up.
    pub missed: u64,
}

/// What an adapter does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdapterState {
    /// It has not scanned yet, nor failed.
    #[default]
    Starting,
    /// It scans.
    Scanning,
    /// It is not there or does not scan; it is tried again.
    Failing,
}

impl AdapterState {
    /// The word for it in the twin.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Scanning => "scanning",
            Self::Failing => "failing",
        }
    }
}

/// What the thread tells beside what it hears.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<News>>);

#[derive(Debug, Default)]
struct News {
    status: AdapterStatus,
    telemetry: telemetry::Latest,
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut News) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bluetooth {
    /// Begins to listen. An adapter that is not there is waited for; the seed spreads the waits.
    pub fn open(
        config: &BluetoothConfig,
        interest: watch::Receiver<Interest>,
        clock: &Clock,
        seed: u64,
    ) -> io::Result<Self> {
        let (sender, heard) = mpsc::channel(MOST_WAITING);
        let (shared, stop) = (Shared::default(), CancellationToken::new());
        let ear = Ear::new(config, interest);
        let radio = Radio::new(config.clone(), clock.clone(), ear, sender, shared.clone(), seed);
        let stopped = stop.clone();
        thread::Builder::new().name("bluetooth".into()).spawn(move || follow(radio, &stopped))?;
        Ok(Self { heard, shared, _stop: stop.drop_guard() })
    }

    /// The next advertisement. May be dropped while it waits.
    pub async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            // The thread never ends by itself.
            None => std::future::pending().await,
        }
    }

    /// How the adapter is now.
    pub fn status(&self) -> AdapterStatus {
        self.shared.with(|news| news.status.clone())
    }

    /// What beacons said of themselves since this was asked last; of each the latest.
    pub fn telemetry(&self) -> Vec<Telemetry> {
        self.shared.with(|news| news.telemetry.take())
    }
}

/// Lets the radio listen, each time in a runtime of its own, until it is told to stop.
fn follow(mut radio: Radio, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return error!(%error, "there can be no Bluetooth"),
        };
        runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = radio.run() => {}
            }
        });
    }
}
