//! The device as a beacon: an iBeacon that its adapter sends, by way of D-Bus and BlueZ.
//!
//! A thread of its own keeps the advertisement registered, as BlueZ forgets it with the adapter, with itself, and with the
//! connection to the bus. It sleeps until BlueZ says something.

#[cfg(target_os = "linux")]
mod bluez;

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crate::backoff::Backoff;
use crate::config::{AdvertiseConfig, Config, ScannerConfig};
use crate::scan::explain_words;

/// Upper bounds of the wait before it is tried again, in milliseconds; from the first to the second.
const BACKOFF_MS: (u64, u64) = (500, 60_000);

/// An advertisement that is sent until this is dropped.
#[derive(Debug)]
pub struct Advertising {
    state: Shared,
    /// Ends the thread with itself.
    _stop: mpsc::Sender<()>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertisingState {
    /// It is not sent now; it is tried again.
    Off,
    /// It is sent.
    On,
    /// The adapter, or its BlueZ, cannot.
    Unsupported,
}

/// The state, as the thread tells it.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<AtomicU8>);

/// Why an advertisement is not sent, or no longer.
#[derive(Debug, thiserror::Error)]
enum End {
    /// Nobody wants it any more.
    #[error("it is to be sent no more")]
    Stopped,
    /// There is none, or not the one that is asked for.
    #[error("there is no such adapter")]
    NoAdapter,
    /// It is there and has no means to.
    #[error("the adapter cannot advertise")]
    Unsupported,
    /// The adapter or BlueZ went, or BlueZ gave the advertisement up.
    #[error("BlueZ gave it up: {0}")]
    GivenUp(&'static str),
    /// Something on the way to it; with the name of the error.
    #[error("{0}")]
    Bus(String),
}

impl Advertising {
    /// Begins to send, if this device is to: by the adapter of the scanner unless it is told otherwise. One that is not
    /// there is waited for; the seed spreads the waits.
    pub fn begin(config: &Config, seed: u64) -> io::Result<Option<Self>> {
        let Some(mut advertise) = config.advertise.clone() else { return Ok(None) };
        if let ScannerConfig::Bluetooth(scanner) = &config.scanner {
            advertise.adapter = advertise.adapter.or_else(|| scanner.adapter.clone());
        }
        let (state, (stop, stopped)) = (Shared::default(), mpsc::channel());
        let shared = state.clone();
        thread::Builder::new().name("advertising".into()).spawn(move || {
            keep(&advertise, &shared, &stopped, Backoff::new(BACKOFF_MS.0, BACKOFF_MS.1, seed));
        })?;
        Ok(Some(Self { state, _stop: stop }))
    }

    /// What becomes of it now.
    pub fn state(&self) -> AdvertisingState {
        self.state.get()
    }
}

impl Shared {
    fn get(&self) -> AdvertisingState {
        match self.0.load(Ordering::Relaxed) {
            0 => AdvertisingState::Off,
            1 => AdvertisingState::On,
            _ => AdvertisingState::Unsupported,
        }
    }

    fn set(&self, state: AdvertisingState) {
        let number = match state {
            AdvertisingState::Off => 0,
            AdvertisingState::On => 1,
            AdvertisingState::Unsupported => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

/// Registers the advertisement again whenever it is lost.
fn keep(config: &AdvertiseConfig, state: &Shared, stopped: &mpsc::Receiver<()>, mut backoff: Backoff) {
    // Of the last failure: an adapter that cannot is said to be so once.
    let mut told = None;
    loop {
        let end = session(config, state, stopped);
        if matches!(end, End::Stopped) {
            return;
        }
        if state.get() == AdvertisingState::On {
            backoff.reset();
            told = None;
        }
        let is_possible = !matches!(end, End::Unsupported);
        state.set(if is_possible { AdvertisingState::Off } else { AdvertisingState::Unsupported });
        let wait = backoff.next();
        let why = end.to_string();
        if told.as_ref() != Some(&why) {
            let hint = explain_words(&why);
            warn!(
                why,
                hint,
                wait_ms = wait.as_millis() as u64,
                "the device does not advertise; it is tried again"
            );
            told = Some(why);
        }
        if is_stopped(stopped, wait) {
            return;
        }
    }
}

/// Waits for so long, or until nobody wants the advertisement any more.
fn is_stopped(stopped: &mpsc::Receiver<()>, wait: Duration) -> bool {
    !matches!(stopped.recv_timeout(wait), Err(mpsc::RecvTimeoutError::Timeout))
}

#[cfg(target_os = "linux")]
use bluez::session;

/// Only BlueZ is spoken to.
#[cfg(not(target_os = "linux"))]
fn session(_: &AdvertiseConfig, _: &Shared, _: &mpsc::Receiver<()>) -> End {
    End::Unsupported
}
