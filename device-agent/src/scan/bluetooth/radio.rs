//! Keeps an adapter scanning: finds it, listens, and begins anew when it is gone or goes silent.
//!
//! BlueZ stops telling of advertisements after hours without any error (bluez/bluez#1554, deviceplug/btleplug#332), and
//! btleplug says nothing when an adapter is unplugged. So a scan without an event is begun anew after a while, and the
//! adapter is looked at in between.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use btleplug::Error;
use btleplug::api::{AddressType, Central, CentralState, Manager as _, Peripheral as _, ScanFilter};
use btleplug::platform::{Adapter, Manager, PeripheralId};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::Clock;
use crate::backoff::Backoff;
use crate::config::BluetoothConfig;
use crate::health::Machine;
use crate::scan::Heard;

use super::book::Address;
use super::ear::{Catch, Ear, Moment, Newcomer};
use super::events::{Event, events};
use super::trouble::explain;
use super::words::{address_of, manufacturer_frames, service_frames};
use super::{AdapterState, Shared};

/// How long BlueZ may take to answer. Nobody says that the bus is gone, so that is how it shows.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many MiB the program may grow in one session. Events wait without bound while BlueZ is asked about a newcomer among
/// them, and where those come faster than it answers, nothing else ends that.
const MOST_BEHIND_MB: u64 = 16;

/// What keeps the adapter of a [`Bluetooth`](super::Bluetooth) scanning.
#[derive(Debug)]
pub(super) struct Radio {
    config: BluetoothConfig,
    clock: Clock,
    ear: Ear,
    heard: mpsc::Sender<Heard>,
    shared: Shared,
    backoff: Backoff,
}

/// Why listening ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// No event for too long.
    #[error("nothing is heard any more")]
    Silence,
    /// More is heard than can be taken in.
    #[error("advertisements come faster than BlueZ answers about them")]
    Behind,
    /// The adapter is switched off.
    #[error("the adapter was switched off")]
    Off,
    /// There is none, or not the one that is asked for.
    #[error("there is no such adapter")]
    NoAdapter,
    /// Something on the way to it.
    #[error("{0}")]
    Bluetooth(#[from] Error),
}

impl Radio {
    pub(super) fn new(
        config: BluetoothConfig,
        clock: Clock,
        ear: Ear,
        heard: mpsc::Sender<Heard>,
        shared: Shared,
        seed: u64,
    ) -> Self {
        let backoff = Backoff::new(config.retry_min_ms, config.retry_max_ms, seed);
        Self { config, clock, ear, heard, shared, backoff }
    }

    /// Listens until something fails, and waits a while then.
    ///
    /// What it leaves behind in the runtime is of no use any more: btleplug never closes its connection to the bus, so
    /// that must end with the runtime.
    pub(super) async fn run(&mut self) {
        let end = match self.session().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        self.shared.with(|news| {
            news.status.state = AdapterState::Failing;
            news.status.failures += 1;
        });
        let hint = match &end {
            End::Bluetooth(error) => explain(error),
            _ => None,
        };
        let wait = self.backoff.next();
        warn!(why = %end, hint, wait_ms = wait.as_millis() as u64, "the adapter does not scan");
        self.clock.until(self.clock.elapsed() + wait).await;
    }

    /// Listens, and begins anew when nothing is heard any more, on one connection to the bus.
    async fn session(&mut self) -> Result<Infallible, End> {
        let manager = Manager::new().await?;
        let most_mb = own_memory_mb() + MOST_BEHIND_MB;
        loop {
            match self.listen(&manager, most_mb).await {
                Ok(never) => match never {},
                Err(End::Silence) => {
                    self.shared.with(|news| news.status.restarts += 1);
                    info!(silence_ms = self.config.silence_ms, "the scan went silent and is begun anew");
                }
                Err(end) => return Err(end),
            }
        }
    }

    /// Finds the adapter, lets it scan and takes in what it hears.
    async fn listen(&mut self, manager: &Manager, most_mb: u64) -> Result<Infallible, End> {
        let adapter = answer(choose(manager, self.config.adapter.as_deref())).await?.ok_or(End::NoAdapter)?;
        let name = answer(name_of(&adapter)).await?;
        let mut events = Box::pin(answer(events(&name)).await?);
        // A scan of an earlier life may still be on, and then begins no other.
        let _ = answer(adapter.stop_scan()).await;
        answer(adapter.start_scan(ScanFilter::default())).await?;
        info!(adapter = name, "the adapter scans");
        self.shared.with(|news| {
            news.status.name = Some(name);
            news.status.state = AdapterState::Scanning;
        });
        let mut last = self.clock.elapsed();
        let mut probe_at = last + self.config.probe();
        loop {
            // Without a pause in what is heard, waiting for the time would never be over.
            if self.clock.elapsed() >= probe_at {
                probe_at = self.probe(&adapter, most_mb).await?;
            }
            let silent_at = last + self.config.silence();
            tokio::select! {
                biased;
                event = events.next() => {
                    let event = event.ok_or(Error::DeviceNotFound)?;
                    match event {
                        Event::Powered(false) => return Err(End::Off),
                        // That it was switched on is nothing heard.
                        Event::Powered(true) => continue,
                        _ => {}
                    }
                    last = self.clock.elapsed();
                    self.backoff.reset();
                    self.take(&adapter, event).await;
                }
                () = self.clock.until(silent_at.min(probe_at)) => {
                    probe_at = self.probe(&adapter, most_mb).await?;
                    if self.clock.elapsed() >= silent_at {
                        return Err(End::Silence);
                    }
                }
            }
        }
    }

    /// Looks whether the adapter is still there and whether it is not too much; says when to look again.
    async fn probe(&self, adapter: &Adapter, most_mb: u64) -> Result<Duration, End> {
        // Fails when it is gone.
        answer(adapter.adapter_info()).await?;
        if own_memory_mb() > most_mb {
            return Err(End::Behind);
        }
        Ok(self.clock.elapsed() + self.config.probe())
    }

    async fn take(&mut self, adapter: &Adapter, event: Event) {
        let mut catch = Catch::default();
        match event {
            Event::Discovered(id) => self.meet(adapter, &id, &mut catch).await,
            Event::Level(id, rssi) => {
                let Some(address) = address_of(&id) else { return };
                if self.ear.wonders(address) {
                    self.learn(adapter, &id, address).await;
                }
                self.ear.level(address, rssi, self.moment(), &mut catch);
            }
            Event::Manufacturer(id, manufacturer_data) => {
                let Some(address) = address_of(&id) else { return };
                self.ear.frames(address, manufacturer_frames(&manufacturer_data), self.moment(), &mut catch);
            }
            Event::Service(id, service_data) => {
                let Some(address) = address_of(&id) else { return };
                let services = service_data.iter().map(|(uuid, data)| (*uuid, data));
                self.ear.frames(address, service_frames(services), self.moment(), &mut catch);
            }
            Event::Powered(_) => return,
        }
        self.pass_on(catch);
    }

    /// The first advertisement of a device comes with its discovery alone, so what BlueZ knows of it is read.
    async fn meet(&mut self, adapter: &Adapter, id: &PeripheralId, catch: &mut Catch) {
        let Some(address) = address_of(id) else { return };
        let properties = match adapter.peripheral(id).await {
            Ok(device) => device.properties().await,
            Err(error) => Err(error),
        };
        let Ok(Some(properties)) = properties else {
            return debug!(device = %id, "a device is gone before it could be asked");
        };
        let services = properties.service_data.iter().map(|(uuid, data)| (uuid.as_u128(), data));
        let newcomer = Newcomer {
            random: properties.address_type == Some(AddressType::Random),
            rssi: properties.rssi,
            frames: manufacturer_frames(&properties.manufacturer_data).chain(service_frames(services)),
        };
        self.ear.meet(address, newcomer, self.moment(), catch);
    }

    /// Asks what kind of address it is of one that was known to BlueZ before the scan began.
    async fn learn(&mut self, adapter: &Adapter, id: &PeripheralId, address: Address) {
        if let Ok(device) = adapter.peripheral(id).await
            && let Ok(Some(properties)) = device.properties().await
        {
            let random = properties.address_type == Some(AddressType::Random);
            self.ear.learn(address, random, self.moment());
        }
    }

    fn pass_on(&mut self, catch: Catch) {
        let heard = catch.heard.into_iter();
        let missed = heard.filter_map(|heard| self.heard.try_send(heard).err()).count() as u64;
        if missed > 0 || !catch.telemetry.is_empty() {
            self.shared.with(|news| {
                news.status.missed += missed;
                catch.telemetry.into_iter().for_each(|telemetry| news.telemetry.note(telemetry));
            });
        }
    }

    fn moment(&self) -> Moment {
        Moment { at: self.clock.now(), elapsed: self.clock.elapsed() }
    }
}

/// Zero where the system does not say.
fn own_memory_mb() -> u64 {
    Machine::this(Path::new("/")).own_memory_mb().unwrap_or(0)
}

/// What BlueZ answers, if it does before long.
async fn answer<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(Error::TimedOut(PATIENCE)))
}

/// The adapter of this name; without one, the first that is powered, else the first.
pub(super) async fn choose(manager: &Manager, wanted: Option<&str>) -> Result<Option<Adapter>, Error> {
    let mut named = Vec::new();
    for adapter in manager.adapters().await? {
        named.push((name_of(&adapter).await?, adapter));
    }
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(wanted) = wanted {
        return Ok(named.into_iter().find(|(name, _)| name == wanted).map(|(_, adapter)| adapter));
    }
    let mut first = None;
    for (_, adapter) in named {
        if matches!(adapter.adapter_state().await?, CentralState::PoweredOn) {
            return Ok(Some(adapter));
        }
        first.get_or_insert(adapter);
    }
    Ok(first)
}

/// The name of an adapter, as `hci0`: what stands before its maker.
pub(super) async fn name_of(adapter: &Adapter) -> Result<String, Error> {
    let info = adapter.adapter_info().await?;
    Ok(info.split(' ').next().unwrap_or_default().to_owned())
}
