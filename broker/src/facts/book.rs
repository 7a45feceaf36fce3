//! The devices that something was learned of, and how it gets into the store.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{DeviceId, OrganizationId};
use store::{Clock, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Facts, Observed};

/// How often what is new is saved.
const EVERY: Duration = Duration::from_secs(5);
/// How many devices go into one transaction.
const PORTION: usize = 500;
/// How long the last save may take.
const LAST_CHANCE: Duration = Duration::from_secs(2);

/// The devices of this process.
#[derive(Default)]
pub(crate) struct Book {
    devices: Mutex<HashMap<DeviceId, Arc<Observed>>>,
}

impl Book {
    /// The page of a device, to write on.
    pub(crate) fn of(&self, organization: OrganizationId, device: DeviceId) -> Arc<Observed> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(devices.entry(device).or_insert_with(|| Arc::new(Observed::new(organization))))
    }

    /// Saves what is new until `shutdown`, and a last time then.
    pub(crate) async fn run(self: Arc<Self>, store: Store, clock: Clock, shutdown: CancellationToken) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => break,
            }
            if let Err(error) = self.save(&store, &clock).await {
                tracing::warn!(%error, "what was learned of devices could not be saved");
            }
        }
        let saved = timeout(LAST_CHANCE, self.save(&store, &clock)).await;
        if !matches!(saved, Ok(Ok(()))) {
            tracing::warn!("what was last learned of devices is lost");
        }
    }

    async fn save(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        loop {
            let dirty = self.dirty();
            let is_last = dirty.len() < PORTION;
            if let Err(error) = write(&dirty, store, clock).await {
                for (_, observed) in dirty {
                    observed.touch(); // with the next save
                }
                return Err(error);
            }
            if is_last {
                return Ok(()); // those who send all the time are saved with the next
            }
        }
    }

    /// A portion of those with something new. Pages that nobody writes on and that hold nothing new are let go.
    fn dirty(&self) -> Vec<(DeviceId, Arc<Observed>)> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dirty = Vec::new();
        devices.retain(|device, observed| {
            if dirty.len() < PORTION && observed.is_dirty.swap(false, Ordering::AcqRel) {
                dirty.push((*device, Arc::clone(observed)));
                return true;
            }
            Arc::strong_count(observed) > 1 || observed.is_dirty.load(Ordering::Acquire)
        });
        dirty
    }
}

async fn write(pages: &[(DeviceId, Arc<Observed>)], store: &Store, clock: &Clock) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(pages.len());
    for (device, observed) in pages {
        if observed.is_part() {
            let before = store.facts(observed.organization, *device).await?;
            let before = before.and_then(|(text, _)| serde_json::from_str::<Facts>(&text).ok());
            observed.complete(before.unwrap_or_default());
        }
        let document = serde_json::to_string(&observed.document()).unwrap_or_default();
        rows.push((observed.organization, *device, document));
    }
    store.save_facts(&rows, clock.now()).await
}
