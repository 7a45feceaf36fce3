//! Where advertisements come from.

mod bluetooth;
mod interest;
mod replay;
mod simulated;

use std::path::PathBuf;

use protocol::{Identifier, Timestamp};
use tokio::sync::watch;

pub(crate) use bluetooth::explain_words;
pub use bluetooth::{AdapterState, AdapterStatus, AdapterTrial, Bluetooth, Telemetry, try_adapter};
pub use interest::Interest;
pub use replay::Replay;
pub use simulated::Simulated;

use crate::Clock;
use crate::config::ScannerConfig;

/// One advertisement as a scanner heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub id: Identifier,
    /// Received signal strength in dBm, -127..=20.
    pub rssi: i8,
    /// When, on this device's wall clock.
    pub at: Timestamp,
    /// Calibrated level of the sender in dBm, as its frame says, if it does.
    pub tx: Option<i8>,
}

/// A source of advertisements.
#[derive(Debug)]
pub enum Scanner {
    /// A Bluetooth adapter.
    Bluetooth(Bluetooth),
    /// A recording.
    Replay(Replay),
    /// Made up from a seed.
    Simulated(Simulated),
}

/// Why a scanner cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The system gives no thread for the adapter.
    #[error("there can be no thread for the adapter")]
    Thread(#[source] std::io::Error),
    /// The recording cannot be read.
    #[error("the recording {} cannot be read", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Scanner {
    /// The scanner that the configuration asks for. A recording is opened, and read once when its times are shifted; an
    /// adapter is waited for, and the seed spreads the waits. Of what an adapter hears, that is reported which is of
    /// interest then.
    pub fn open(
        config: &ScannerConfig,
        interest: watch::Receiver<Interest>,
        clock: &Clock,
        seed: u64,
    ) -> Result<Self, ScanError> {
        match config {
            ScannerConfig::Bluetooth(bluetooth) => {
                let opened = Bluetooth::open(bluetooth, interest, clock, seed);
                opened.map(Self::Bluetooth).map_err(ScanError::Thread)
            }
            ScannerConfig::Replay(replay) => Replay::open(replay, clock).map(Self::Replay),
            ScannerConfig::Simulated(simulated) => Ok(Self::Simulated(Simulated::new(simulated, clock))),
        }
    }

    /// The next advertisement, when it is due; `None` when there will be no more.
    ///
    /// May be dropped while it waits: nothing is lost, the next call goes on from there.
    pub async fn next(&mut self, clock: &Clock) -> Result<Option<Heard>, ScanError> {
        match self {
            Self::Bluetooth(bluetooth) => Ok(Some(bluetooth.next().await)),
            Self::Replay(replay) => replay.next(clock).await,
            Self::Simulated(simulated) => Ok(Some(simulated.next(clock).await)),
        }
    }

    /// Whether it would rather wait than see the spool give something up: a recording that is not played in real time
    /// can wait, the air cannot.
    pub fn is_patient(&self) -> bool {
        match self {
            Self::Replay(replay) => replay.is_patient(),
            Self::Bluetooth(_) | Self::Simulated(_) => false,
        }
    }

    /// How its adapter is, if it has one.
    pub fn adapter(&self) -> Option<AdapterStatus> {
        match self {
            Self::Bluetooth(bluetooth) => Some(bluetooth.status()),
            Self::Replay(_) | Self::Simulated(_) => None,
        }
    }

    /// What beacons said of themselves since this was asked last; of each the latest.
    pub fn telemetry(&self) -> Vec<Telemetry> {
        match self {
            Self::Bluetooth(bluetooth) => bluetooth.telemetry(),
            Self::Replay(_) | Self::Simulated(_) => Vec::new(),
        }
    }
}
