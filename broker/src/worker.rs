//! The worker: committed segments in; stays, visits, movements and occupancy out.
//!
//! A venue belongs to one worker at a time. Everything here is derived from the raw log, so a worker that dies loses
//! nothing: the next one starts from the last checkpoint.

mod recompute;
mod rolling;
mod tell;
mod venue;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::{OrganizationId, VenueId};
use store::{Admits, Change, Clock, Listener, Live, Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::dispatch::Dispatch;
use crate::ingest::Committed;
use crate::metrics::Metrics;

pub(crate) use rolling::Rolling;
use venue::Followed;

/// Derived rows are at most this much behind.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// How often raw rows that are too old to be counted anew are deleted.
const SEAL_EVERY: Duration = Duration::from_hours(1);
/// How many rows are deleted in one go.
const PORTION: u32 = 500;
/// How long the loss ledger outlives what it tells of: a month.
const LOSSES_KEPT_MS: i64 = 30 * 86_400_000;
/// How many segments are taken in before the clock is looked at again.
const BATCH: usize = 64;

/// What the worker works with.
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    /// How old a raw row may get, in milliseconds.
    pub(crate) retention_ms: i64,
    pub(crate) venues: HashMap<VenueId, Followed>,
}

impl Worker {
    /// Works until the ingest log is closed and empty, then writes a last checkpoint of everything.
    pub(crate) async fn run(mut self, mut log: mpsc::Receiver<Committed>) {
        let mut changes = self.live.changes();
        self.resume().await;
        let mut tick = interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sealing = interval(SEAL_EVERY);
        sealing.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut segments = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = log.recv_many(&mut segments, BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    self.notice(&mut changes);
                    for segment in segments.drain(..) {
                        self.apply(segment).await;
                    }
                }
                _ = tick.tick() => {
                    self.notice(&mut changes);
                    self.keep_up().await;
                }
                _ = sealing.tick() => {
                    for id in self.ids() {
                        self.attempt(id, "sealing", async |worker, id| worker.seal(id).await).await;
                    }
                    if let Err(error) = self.forget().await {
                        tracing::warn!(%error, "what is too old could not be deleted; trying again later");
                    }
                }
            }
            if self.is_checkpoint_due() {
                self.keep_up().await;
            }
        }
        for id in self.ids() {
            self.attempt(id, "checkpoint", async |worker, id| worker.checkpoint(id).await).await;
        }
    }

    /// Venues with open visits have to be followed from the start: their ends come with time alone.
    async fn resume(&mut self) {
        let venues = match self.store.venues_admitting().await {
            Ok(venues) => venues,
            Err(error) => {
                tracing::error!(%error, "the venues could not be listed; each resumes with its next ping");
                return;
            }
        };
        self.forget_occupancy_but_of(&venues);
        for Admits { organization, venue, .. } in venues {
            if let Err(error) = self.load(organization, venue).await {
                tracing::error!(%error, %venue, "a venue could not be resumed");
            }
        }
    }

    /// A changed configuration is loaded before anything further is counted with the old one.
    fn notice(&mut self, changes: &mut Listener<Change>) {
        while let Some(change) = changes.try_next() {
            match change {
                Change::Venue(venue) => {
                    if let Some(followed) = self.venues.get_mut(&venue) {
                        followed.stale = true;
                    }
                }
                // Which venues a device stood in is the store's knowledge.
                Change::Device(_) => self.venues.values_mut().for_each(|followed| followed.stale = true),
                Change::Key(_)
                | Change::Grant(_)
                | Change::Account(_)
                | Change::Client(_)
                | Change::HomeAssistant(_) => {}
            }
        }
    }

    async fn apply(&mut self, segment: Committed) {
        let (venue, position) = (segment.venue, segment.position);
        loop {
            match self.take_in(&segment).await {
                // A venue that was deleted is followed no more; its log stays.
                Ok(()) | Err(StoreError::NotFound) => return,
                // One venue must not stop the others; its log stays too.
                Err(StoreError::Corrupt(what)) => {
                    tracing::error!(%venue, position, what, "a venue is not followed: what is stored of it is damaged");
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, %venue, position, "a venue cannot be followed now; trying again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }

    async fn take_in(&mut self, segment: &Committed) -> Result<(), StoreError> {
        let Committed { organization, venue, position, to_at, ref body } = *segment;
        if !self.venues.contains_key(&venue) {
            self.load(organization, venue).await?; // reads the log up to its end, this segment included
        }
        self.refresh(venue).await?;
        let now = self.clock.now();
        let Some(followed) = self.venues.get_mut(&venue) else { return Ok(()) };
        if position > followed.applied {
            followed.push(position, to_at, body, now);
            followed.advance(now);
        }
        self.tell(venue).await;
        Ok(())
    }

    async fn load(&mut self, organization: OrganizationId, venue: VenueId) -> Result<(), StoreError> {
        let mut followed = Followed::load(&self.store, organization, venue, self.clock.now()).await?;
        if let Some(before) = self.venues.remove(&venue) {
            followed.tell_on_from(before);
        }
        self.venues.insert(venue, followed);
        self.tell(venue).await;
        Ok(())
    }

    /// A venue whose configuration changed is followed anew from its last checkpoint: what was counted since then was
    /// counted with the old one. Older days that the change made wrong are marked in the store already.
    async fn refresh(&mut self, venue: VenueId) -> Result<(), StoreError> {
        let Some(followed) = self.venues.get_mut(&venue).filter(|followed| followed.stale) else {
            return Ok(());
        };
        let organization = followed.organization;
        if followed.is_outdated(&self.store).await? {
            self.load(organization, venue).await?;
        } else {
            followed.stale = false;
        }
        Ok(())
    }

    fn is_checkpoint_due(&self) -> bool {
        self.venues.values().any(|followed| followed.dirty && followed.saved_at.elapsed() >= CHECKPOINT_EVERY)
    }

    /// What time alone brings: visits end, checkpoints fall due, late windows are made anew.
    async fn keep_up(&mut self) {
        for id in self.ids() {
            self.attempt(id, "configuration", async |worker, id| worker.refresh(id).await).await;
            let now = self.clock.now();
            let Some(followed) = self.venues.get_mut(&id) else { continue };
            followed.advance(now);
            let due = followed.dirty && followed.saved_at.elapsed() >= CHECKPOINT_EVERY;
            let late = followed.recompute_is_due();
            self.tell(id).await;
            if due || late {
                self.attempt(id, "checkpoint", async |worker, id| worker.checkpoint(id).await).await;
            }
            if late {
                self.attempt(id, "recomputation", async |worker, id| worker.recompute(id).await).await;
            }
        }
    }

    /// A venue whose store fails now is tried again at the next tick, from the state it had.
    async fn attempt(
        &mut self,
        venue: VenueId,
        what: &str,
        work: impl AsyncFnOnce(&mut Self, VenueId) -> Result<(), StoreError>,
    ) {
        match work(self, venue).await {
            Ok(()) => {}
            Err(StoreError::NotFound) => {
                tracing::info!(%venue, "the venue was deleted");
                if let Some(followed) = self.venues.remove(&venue) {
                    self.forget_occupancy(followed.organization, venue).await;
                }
            }
            Err(StoreError::Conflict(with)) => {
                // The configuration changed, or somebody else follows the venue and is further.
                tracing::info!(%venue, what, with, "followed anew from the last checkpoint");
                let followed = self.venues.remove(&venue);
                if let Some(followed) = followed
                    && let Err(error) = self.load(followed.organization, venue).await
                {
                    tracing::error!(%error, %venue, "could not be followed anew; with its next ping");
                }
            }
            Err(error) => tracing::error!(%error, %venue, what, "could not be done now; trying again"),
        }
    }

    async fn checkpoint(&mut self, venue: VenueId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(followed) = self.venues.get_mut(&venue) else { return Ok(()) };
        if followed.dirty {
            followed.save(&self.store, None, now).await?;
            self.metrics.checkpoints.inc();
        }
        Ok(())
    }

    async fn recompute(&mut self, venue: VenueId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(followed) = self.venues.get_mut(&venue) else { return Ok(()) };
        let done = followed.recompute(&self.store, now).await?;
        self.metrics.recomputed.inc_by(done);
        Ok(())
    }

    /// Deletes raw rows past their time. What was counted from them stays as it is.
    async fn seal(&mut self, venue: VenueId) -> Result<(), StoreError> {
        let Some(followed) = self.venues.get(&venue) else { return Ok(()) };
        if !followed.late.is_empty() {
            return Ok(()); // what is still to be counted anew needs its rows
        }
        let before = self.clock.now().minus(self.retention_ms);
        while self.store.seal(followed.organization, venue, before).await? > 0 {}
        Ok(())
    }

    /// Deletes the marks of boots whose batches would be too old by now, and losses that nobody can make good any more.
    async fn forget(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        while self.store.forget_boots(now.minus(self.retention_ms), PORTION).await? > 0 {}
        while self.store.forget_tombstones(now.minus(self.retention_ms), PORTION).await? > 0 {}
        while self.store.forget_losses(now.minus(self.retention_ms + LOSSES_KEPT_MS), PORTION).await? > 0 {}
        Ok(())
    }

    fn ids(&self) -> Vec<VenueId> {
        self.venues.keys().copied().collect()
    }
}

/// How long ago something happened, for the pacing of work that may wait.
fn elapsed(since: Option<Instant>) -> Option<Duration> {
    since.map(|at| at.elapsed())
}
