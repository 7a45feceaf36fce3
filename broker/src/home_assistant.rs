//! Home Assistant: what an organization has is announced to it, where the organization switched that on.
//!
//! An announcement is a retained message of MQTT discovery, of the kind that describes a whole device
//! (<https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>), among the free topics of the organization. What is retained
//! is also our memory of what was announced, so nothing else is kept. When Home Assistant says that it is there, everything is told
//! again, with what each device is.

mod announce;
mod births;
mod brightness;
mod climate;
mod component;
mod content;
mod device;
mod mode;
mod on_off;
mod range;
mod scene;
mod sensor;
mod toggle;
mod venue;
mod volume;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::{DeviceId, OrganizationId, Timestamp};
use store::{Change, Clock, Live, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatch;

pub(crate) use births::Births;

/// How often the store is asked what changed, in case a notice was lost.
const CATCH_UP_EVERY: Duration = Duration::from_secs(10);
/// How far back each look for changes overlaps the last one: clocks and commits are not instant.
const OVERLAP_MS: i64 = 5_000;
/// How long Home Assistant is given to subscribe to the state of what was just announced.
const TAKEN_UP: Duration = Duration::from_secs(3);

/// Announces what organizations have.
pub(crate) struct Announcing {
    store: Store,
    live: Live,
    dispatch: Arc<Dispatch>,
    births: Arc<Births>,
    clock: Clock,
    /// The prefix of each organization that switched it on.
    switches: BTreeMap<OrganizationId, String>,
    /// Devices that were announced and whose state is to be told, when.
    taken_up: VecDeque<(Instant, OrganizationId, DeviceId)>,
}

impl Announcing {
    pub(crate) fn new(
        store: Store,
        live: Live,
        dispatch: &Arc<Dispatch>,
        births: &Arc<Births>,
        clock: Clock,
    ) -> Self {
        let (dispatch, births) = (Arc::clone(dispatch), Arc::clone(births));
        let (switches, taken_up) = (BTreeMap::new(), VecDeque::new());
        Self { store, live, dispatch, births, clock, switches, taken_up }
    }

    /// Works until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut changes = self.live.changes();
        let mut tick = interval(CATCH_UP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // None while it has not looked at everything since the start.
        let mut since: Option<Timestamp> = None;
        let births = Arc::clone(&self.births);
        loop {
            let due = self.taken_up.front().map(|(at, ..)| *at);
            let next = tokio::select! {
                () = shutdown.cancelled() => return,
                Some(change) = changes.next() => Next::Changed(change),
                () = births.heard() => Next::Born,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Next::TakenUp,
                _ = tick.tick() => Next::Tick,
            };
            let work = async {
                match next {
                    Next::Changed(change) => self.follow(change).await,
                    Next::Born => self.tell_everything_again().await,
                    Next::TakenUp => self.tell_taken_up().await,
                    Next::Tick => {
                        let now = self.clock.now();
                        match since {
                            Some(since) => self.catch_up(since).await?,
                            None => self.begin().await?,
                        }
                        since = Some(now);
                        Ok(())
                    }
                }
            };
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = work => outcome,
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "not everything could be announced; trying again with the next look");
                // What was not looked at is looked at with everything else.
                since = None;
            }
        }
    }

    async fn follow(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::Device(device) if !self.switches.is_empty() => {
                let known = self.store.registered(device).await?;
                self.look_at_device(device, known.map(|known| known.device)).await;
            }
            Change::Venue(venue) if !self.switches.is_empty() => self.look_at_venue(venue).await?,
            Change::HomeAssistant(_) => self.look_at_switches().await?,
            _ => {}
        }
        Ok(())
    }

    /// Looks at everything, and takes back what an earlier run did not come to.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.look_at_switches().await?;
        self.take_back_orphans().await;
        for (organization, prefix) in self.switches.clone() {
            self.announce_all(organization, &prefix, false).await?;
        }
        Ok(())
    }

    async fn catch_up(&mut self, since: Timestamp) -> Result<(), StoreError> {
        self.look_at_switches().await?;
        if self.switches.is_empty() {
            return Ok(());
        }
        for (device, known) in self.store.devices_changed_since(since.minus(OVERLAP_MS)).await? {
            self.look_at_device(device, known.map(|known| known.device)).await;
        }
        for (organization, prefix) in self.switches.clone() {
            self.announce_venues(organization, &prefix, false).await?;
        }
        Ok(())
    }

    /// Looks which organizations have it switched on, and where.
    async fn look_at_switches(&mut self) -> Result<(), StoreError> {
        let found = self.store.home_assistants().await?;
        let found: BTreeMap<_, _> = found.into_iter().map(|on| (on.organization, on.prefix)).collect();
        if found == self.switches {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.switches, found);
        self.births.expect(&self.switches);
        for (organization, prefix) in &before {
            if self.switches.get(organization) != Some(prefix) {
                self.take_back(*organization, prefix).await;
                tracing::info!(%organization, prefix, "announcements to Home Assistant ended");
            }
        }
        for (organization, prefix) in self.switches.clone() {
            if before.get(&organization) != Some(&prefix) {
                tracing::info!(%organization, prefix, "announcements to Home Assistant begin");
                self.announce_all(organization, &prefix, false).await?;
            }
        }
        Ok(())
    }

    async fn tell_everything_again(&mut self) -> Result<(), StoreError> {
        for organization in self.births.take() {
            if let Some(prefix) = self.switches.get(&organization).cloned() {
                let devices = self.announce_all(organization, &prefix, true).await?;
                self.tell_states(organization, &devices).await?;
            }
        }
        Ok(())
    }

    /// Tells what those are whose announcements were taken up by now.
    async fn tell_taken_up(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut devices: BTreeMap<OrganizationId, Vec<DeviceId>> = BTreeMap::new();
        while let Some((_, organization, device)) = self.taken_up.pop_front_if(|(at, ..)| *at <= now) {
            devices.entry(organization).or_default().push(device);
        }
        for (organization, devices) in devices {
            self.tell_states(organization, &devices).await?;
        }
        Ok(())
    }
}

/// What there is to do.
enum Next {
    Changed(Change),
    Born,
    TakenUp,
    Tick,
}

#[cfg(test)]
mod tests;
